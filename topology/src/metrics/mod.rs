//! Counters of an application, shared by its threads and those who look at them. This module depends on nothing else of
//! the crate.
//!
//! ```text
//! mod        the counters of the whole client
//! exported   the same by thread, task and store, as Prometheus reads them
//! reading    what others count, asked for when it is read
//! ```

mod exported;
mod reading;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub use exported::Exported;
pub(crate) use exported::{Labels, TaskMetrics, ThreadMetrics};
pub(crate) use reading::{Reading, Readings, Value};

/// Counters since the start. Updated per batch or commit, never per record.
#[derive(Debug, Default)]
pub struct Metrics {
    records: AtomicU64,
    commits: AtomicU64,
    rewinds: AtomicU64,
    restored_records: AtomicU64,
    dead_letters: AtomicU64,
    passed_over: AtomicU64,
    last_commit_ms: AtomicI64,
    exported: Exported,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Input records processed.
    pub record_count: u64,
    /// Transactions committed.
    pub commit_count: u64,
    /// Times that work was thrown away and begun again from the committed offsets.
    pub rewind_count: u64,
    /// Changelog records read to bring stores up to date.
    pub restored_record_count: u64,
    /// Dead letters committed: of input that could not be decoded or processed, and of outputs that their topic would
    /// refuse.
    pub dead_letter_count: u64,
    /// Records committed as passed over, because a handler of errors said so.
    pub passed_over_count: u64,
    /// How long the last commit took, ms.
    pub last_commit_ms: i64,
    /// Offsets from what is processed to the ends of all partitions that are read here, as last heard of.
    pub lag: u64,
}

impl Metrics {
    /// The counters by thread, task and store.
    pub fn exported(&self) -> &Exported {
        &self.exported
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            record_count: self.records.load(Ordering::Relaxed),
            commit_count: self.commits.load(Ordering::Relaxed),
            rewind_count: self.rewinds.load(Ordering::Relaxed),
            restored_record_count: self.restored_records.load(Ordering::Relaxed),
            dead_letter_count: self.dead_letters.load(Ordering::Relaxed),
            passed_over_count: self.passed_over.load(Ordering::Relaxed),
            last_commit_ms: self.last_commit_ms.load(Ordering::Relaxed),
            lag: self.exported.lag(),
        }
    }

    pub(crate) fn add_records(&self, count: usize) {
        if count > 0 {
            self.records.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_commit(&self, took_ms: i64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.last_commit_ms.store(took_ms, Ordering::Relaxed);
    }

    pub(crate) fn add_rewind(&self) {
        self.rewinds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_losses(&self, dead_letter_count: u64, passed_over_count: u64) {
        if dead_letter_count + passed_over_count > 0 {
            self.dead_letters.fetch_add(dead_letter_count, Ordering::Relaxed);
            self.passed_over.fetch_add(passed_over_count, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_restored(&self, count: u64) {
        self.restored_records.fetch_add(count, Ordering::Relaxed);
    }
}
