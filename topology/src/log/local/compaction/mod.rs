//! Compaction: keeps the latest record of each key, offsets unchanged.
//!
//! ```text
//!  low        cleaned to          map end      stable        end
//!   | one record  | records since     |  too young  |  undecided |
//!   | per key     | the last time     |  or no room |            |
//!                 |-- 1. map: key ->--|
//!   |-- 2. rewrite: drop what is not -|
//!          the latest in the map
//! ```
//! Nothing at or above the last stable offset is touched. Aborted batches go. A tombstone that is its key's latest
//! record stays until `delete.retention.ms` after the compaction that first met it (its time of death is in the
//! batch's head), as in Kafka: a reader that takes less time than that from beginning to end misses no deletion.
//!
//! Work is cut into slices of about 1 MiB read, each written atomically, so that a crash between two slices leaves a
//! log that is merely less compact. Unasked, it goes on in the producing thread after commits, a few slices at a time.
//! Uses the broker's state and storage, and the log's types.

mod slice;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError};

use rustc_hash::FxHashMap;

use crate::log::{Offset, Result};

use super::batch::{Batch, Cursor, NO_HORIZON, RawRecord};
use super::broker::Broker;
use super::partition::AbortedStretches;
use super::row;
use super::storage::{Changes, PartitionId, Storage};
use slice::Slice;

/// Bytes read, and rewritten at once.
const SLICE_BYTES: usize = 1 << 20;

/// Bytes of keys in the map at most; then the rest waits for the next time.
const MAP_BYTES_MAX: usize = 64 << 20;

/// What a key in the map costs beside its own bytes.
const MAP_ENTRY_BYTES: usize = 48;

/// Least bytes of work that a commit does.
const PASSING_BYTES_MIN: usize = 4 << 20;

/// The compaction of one partition, between two slices.
pub(crate) struct Job {
    id: PartitionId,
    /// It was not asked for: it is done only where there is something new to compact.
    is_unasked: bool,
    now_ms: i64,
    delete_retention_ms: i64,
    lag_ms: i64,
    /// Batches with a record later than this are too young.
    timestamp_ms_max: i64,
    /// See [`Partition::young_until_ms`](super::partition::Partition::young_until_ms).
    young_until_ms: i64,
    aborted: Arc<AbortedStretches>,
    latest: FxHashMap<Box<[u8]>, Offset>,
    map_bytes: usize,
    /// Where the map must end, and where it does once `rewriting`.
    map_end: Offset,
    /// Whether the map was full before it came to the end.
    full: bool,
    rewriting: bool,
    scan: Offset,
    dirty_bytes: u64,
    clean_bytes: u64,
}

/// How a slice left the job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Bytes read.
    More(usize),
    Done,
}

impl Broker {
    /// Compacts all of a topic's partitions as far as can be now. A topic that is not compacted is left as it is.
    pub(crate) fn compact(&self, topic: &str) -> Result<()> {
        let mut going_on = self.compaction.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut job) = going_on.take() {
            while job.step(self)? != Progress::Done {}
        }
        let ids: Vec<PartitionId> = {
            let state = self.lock()?;
            let topic = state.topic(topic)?;
            let count = if topic.settings.compact { topic.partitions.len() as u32 } else { 0 };
            (0..count).map(|partition| PartitionId { topic: topic.id, partition }).collect()
        };
        for id in ids {
            loop {
                let mut job = Job::new(self, id, false)?;
                while job.step(self)? != Progress::Done {}
                if !job.full {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Goes on compacting, a little more than was written, unless somebody else is at it. A failure is told to the
    /// operator and not to the producer, whose commit it does not concern.
    pub(crate) fn compact_in_passing(&self, written_bytes: usize) {
        let Ok(mut going_on) = self.compaction.try_lock() else {
            return;
        };
        if let Err(error) = self.compact_some(&mut going_on, written_bytes) {
            tracing::warn!(%error, "a partition could not be compacted; it is tried again later");
            *going_on = None;
        }
    }

    fn compact_some(&self, going_on: &mut Option<Job>, written_bytes: usize) -> Result<()> {
        let mut budget = written_bytes.saturating_mul(4).max(PASSING_BYTES_MIN);
        loop {
            let job = match going_on {
                Some(job) => job,
                None => {
                    let mut state = self.lock()?;
                    let Some(id) = state.compactable.iter().next().copied() else {
                        return Ok(());
                    };
                    state.compactable.remove(&id);
                    // The next commit names it again.
                    if state.partition(id).is_ok_and(|(_, partition)| self.now_ms() < partition.young_until_ms) {
                        continue;
                    }
                    drop(state);
                    going_on.insert(Job::new(self, id, true)?)
                }
            };
            match job.step(self)? {
                Progress::Done => *going_on = None,
                Progress::More(bytes) if bytes < budget => budget -= bytes,
                Progress::More(_) => return Ok(()),
            }
        }
    }
}

impl Job {
    fn new(broker: &Broker, id: PartitionId, is_unasked: bool) -> Result<Self> {
        let now_ms = broker.now_ms();
        let state = broker.lock()?;
        let (settings, partition) = state.partition(id)?;
        let lag_ms = settings.min_compaction_lag_ms;
        Ok(Self {
            id,
            is_unasked,
            now_ms,
            delete_retention_ms: settings.delete_retention_ms,
            lag_ms,
            young_until_ms: 0,
            timestamp_ms_max: if lag_ms > 0 { now_ms.saturating_sub(lag_ms) } else { i64::MAX },
            aborted: Arc::clone(&partition.aborted),
            latest: FxHashMap::default(),
            map_bytes: 0,
            map_end: partition.stable(),
            full: false,
            rewriting: false,
            scan: partition.cleaned_to.max(partition.low),
            dirty_bytes: 0,
            clean_bytes: 0,
        })
    }

    /// Does one slice.
    fn step(&mut self, broker: &Broker) -> Result<Progress> {
        if !self.rewriting {
            let bytes = self.map_slice(&*broker.storage)?;
            if self.scan >= self.map_end {
                if self.is_unasked && self.dirty_bytes == 0 {
                    return self.give_up(broker);
                }
                self.rewriting = true;
                self.scan = match broker.lock()?.partition(self.id) {
                    Ok((_, partition)) => partition.low,
                    Err(_) => return Ok(Progress::Done),
                };
            }
            return Ok(Progress::More(bytes));
        }
        if self.scan < self.map_end {
            return self.rewrite_slice(broker);
        }
        self.finish(broker)?;
        Ok(Progress::Done)
    }

    fn map_slice(&mut self, storage: &dyn Storage) -> Result<usize> {
        let found = storage.read(self.id, self.scan, self.map_end, SLICE_BYTES)?;
        let mut bytes = 0;
        for chunk in &found.chunks {
            let batch = Batch::parse(chunk)?;
            if batch.timestamp_ms_max > self.timestamp_ms_max {
                self.map_end = batch.base;
                // Half a lag more, or every look would find the one batch that has just come of age, and rewrite all
                // that lies before it.
                self.young_until_ms =
                    batch.timestamp_ms_max.saturating_add(self.lag_ms).saturating_add(self.lag_ms / 2);
                break;
            }
            bytes += batch.len();
            self.scan = batch.last.saturating_add(1);
            if self.aborted.contain(batch.producer_id, batch.base) {
                continue;
            }
            let mut cursor = Cursor::start();
            while let Some(record) = batch.next(&mut cursor)? {
                self.note(&record);
            }
            if self.map_bytes >= MAP_BYTES_MAX && self.scan < self.map_end {
                self.full = true;
                self.map_end = self.scan;
                break;
            }
        }
        if found.exhausted {
            self.scan = self.map_end;
        }
        self.dirty_bytes = self.dirty_bytes.saturating_add(bytes as u64);
        Ok(bytes)
    }

    fn note(&mut self, record: &RawRecord<'_>) {
        let Some(key) = record.key else {
            return;
        };
        match self.latest.get_mut(key) {
            Some(offset) => *offset = record.offset,
            None => {
                self.map_bytes += key.len() + MAP_ENTRY_BYTES;
                self.latest.insert(key.into(), record.offset);
            }
        }
    }

    fn rewrite_slice(&mut self, broker: &Broker) -> Result<Progress> {
        // Not when the job began: until now, a reader may have met a value whose tombstone must outlive its reading.
        self.now_ms = broker.now_ms();
        let found = broker.storage.read(self.id, self.scan, self.map_end, SLICE_BYTES)?;
        let mut slice = Slice::default();
        let mut bytes = 0;
        let mut next = self.map_end;
        for chunk in &found.chunks {
            bytes += chunk.len();
            next = slice.take(self, chunk)?.saturating_add(1);
        }
        if found.exhausted {
            next = self.map_end;
        }
        slice.close();
        let first = found.chunks.first().map(|chunk| Batch::parse(chunk)).transpose()?.map(|batch| batch.base);
        let scan = self.scan;
        let written = broker.with(|state| {
            let Ok((_, partition)) = state.partition(self.id) else {
                return Ok(None);
            };
            // What was read may have been deleted since: it must not come back.
            if partition.low > first.unwrap_or(scan).max(scan) {
                return Ok(Some(partition.low));
            }
            if !slice.removed.is_empty() {
                broker.storage.write(&Changes {
                    remove: slice.removed.iter().map(|base| (self.id, *base)).collect(),
                    put: slice.closed.iter().map(|(base, bytes)| (self.id, *base, bytes.as_slice())).collect(),
                    ..Changes::default()
                })?;
            }
            Ok(Some(next))
        })?;
        let Some(written) = written else {
            return Ok(Progress::Done);
        };
        if written == next {
            self.clean_bytes = self.clean_bytes.saturating_add(slice.bytes);
        }
        self.scan = written;
        Ok(Progress::More(bytes))
    }

    /// Leaves the partition as it is: there is nothing new, or it is all too young.
    fn give_up(&self, broker: &Broker) -> Result<Progress> {
        broker.with(|state| {
            if let Ok(partition) = state.partition_mut(self.id) {
                partition.young_until_ms = self.young_until_ms;
            }
            Ok(Progress::Done)
        })
    }

    fn finish(&mut self, broker: &Broker) -> Result<()> {
        broker.with(|state| {
            let Ok((_, partition)) = state.partition(self.id) else {
                return Ok(());
            };
            let mut after = partition.clone();
            after.cleaned_to = after.cleaned_to.max(self.map_end);
            after.clean_bytes = self.clean_bytes;
            after.young_until_ms = self.young_until_ms;
            after.dirty_bytes = after.dirty_bytes.saturating_sub(self.dirty_bytes);
            let gone = after.forget_aborted_below(self.map_end);
            let mut rows: Vec<_> = gone.iter().map(|aborted| (row::aborted_key(self.id, aborted.last), None)).collect();
            rows.push(row::partition(self.id, &after));
            broker.storage.write(&Changes { rows, ..Changes::default() })?;
            *state.partition_mut(self.id)? = after;
            Ok(())
        })
    }

    fn keeps(&self, batch: &Batch<'_>, record: &RawRecord<'_>) -> bool {
        let latest = record.key.and_then(|key| self.latest.get(key)).is_none_or(|latest| *latest <= record.offset);
        let dead = batch.delete_horizon_ms != NO_HORIZON && self.now_ms >= batch.delete_horizon_ms;
        latest && !(dead && record.value.is_none())
    }
}
