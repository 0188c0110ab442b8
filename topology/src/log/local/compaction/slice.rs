//! One slice of a compaction: batches in, batches out.

use super::super::batch::{Batch, Builder, Cursor, NO_HORIZON};

use super::super::storage::Chunk;
use super::Job;
use crate::log::{Offset, Result};

/// A compacted batch is closed when it has this many bytes.
const BATCH_BYTES: usize = 256 << 10;

/// A batch of at least this many bytes from which nothing goes is left as it is.
const WORTH_KEEPING_BYTES: usize = BATCH_BYTES / 4;

/// What becomes of the batches that were read at once.
#[derive(Default)]
pub(super) struct Slice {
    /// Batches to remove, by base offset.
    pub(super) removed: Vec<Offset>,
    /// Batches to put.
    pub(super) closed: Vec<(Offset, Vec<u8>)>,
    open: Builder,
    delete_horizon_ms: Option<i64>,
    /// Bytes of what stays.
    pub(super) bytes: u64,
    kept: Vec<bool>,
}

impl Slice {
    /// Takes a batch in; gives its last offset.
    pub(super) fn take(&mut self, job: &Job, chunk: &Chunk) -> Result<Offset> {
        let batch = Batch::parse(chunk)?;
        if job.aborted.contain(batch.producer_id, batch.base) {
            self.removed.push(batch.base);
            return Ok(batch.last);
        }
        self.kept.clear();
        let mut tombstone = false;
        let mut cursor = Cursor::start();
        while let Some(record) = batch.next(&mut cursor)? {
            let keeps = job.keeps(&batch, &record);
            tombstone |= keeps && record.value.is_none();
            self.kept.push(keeps);
        }
        let new_tombstone = tombstone && batch.delete_horizon_ms == NO_HORIZON;
        if batch.len() >= WORTH_KEEPING_BYTES && !new_tombstone && self.kept.iter().all(|keeps| *keeps) {
            self.close();
            self.bytes += batch.len() as u64;
            return Ok(batch.last);
        }
        self.removed.push(batch.base);
        let horizon_ms = match (tombstone, new_tombstone) {
            (false, _) => None,
            (true, false) => Some(batch.delete_horizon_ms),
            (true, true) => Some(job.now_ms.saturating_add(job.delete_retention_ms)),
        };
        if self.open.has_tombstone() && self.delete_horizon_ms.zip(horizon_ms).is_some_and(|(one, other)| one != other)
        {
            self.close();
        }
        let mut cursor = Cursor::start();
        let mut index = 0;
        while let Some(record) = batch.next(&mut cursor)? {
            if self.kept.get(index).copied().unwrap_or(true) {
                if self.open.len() >= BATCH_BYTES || !self.open.reaches(record.offset) {
                    self.close();
                }
                self.open.copy(&record);
                self.delete_horizon_ms = self.delete_horizon_ms.or(horizon_ms);
            }
            index += 1;
        }
        Ok(batch.last)
    }

    pub(super) fn close(&mut self) {
        if self.open.count() > 0 {
            let horizon_ms = if self.open.has_tombstone() { self.delete_horizon_ms } else { None };
            let bytes = self.open.seal_compacted(horizon_ms.unwrap_or(NO_HORIZON)).to_vec();
            self.bytes += bytes.len() as u64;
            self.closed.push((self.open.first(), bytes));
            self.open.clear();
        }
        self.delete_horizon_ms = None;
    }
}
