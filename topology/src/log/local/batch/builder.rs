//! Batches in the making.

use super::{COMPACTED, FORMAT, HEAD_BYTES, NO_HORIZON, RawRecord};
use crate::log::{Offset, ProducerRecord};

/// Collects records; its buffer is used again after [`Builder::clear`].
#[derive(Debug, Default)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    count: u32,
    timestamp_ms_max: i64,
    tombstone: bool,
    first: Offset,
    last: Offset,
}

impl Builder {
    /// How many records it holds.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the records, keeps the buffer.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Adds a record at the next offset. Its size was checked against `max.message.bytes`, so lengths fit.
    pub(crate) fn push(&mut self, record: &ProducerRecord<'_>) {
        self.start(Offset::from(self.count), record.timestamp_ms, record.value.is_none());
        let out = &mut self.bytes;
        out.extend_from_slice(&(self.count - 1).to_le_bytes());
        out.extend_from_slice(&record.timestamp_ms.to_le_bytes());
        out.extend_from_slice(&length(record.key).to_le_bytes());
        out.extend_from_slice(&length(record.value).to_le_bytes());
        out.extend_from_slice(&(record.headers.len() as u32).to_le_bytes());
        out.extend_from_slice(record.key.unwrap_or_default());
        out.extend_from_slice(record.value.unwrap_or_default());
        for header in record.headers {
            out.extend_from_slice(&(header.name.len() as u32).to_le_bytes());
            out.extend_from_slice(&length(header.value).to_le_bytes());
            out.extend_from_slice(header.name);
            out.extend_from_slice(header.value.unwrap_or_default());
        }
    }

    /// Whether a record at this offset can still be expressed relative to the first one.
    pub(crate) fn reaches(&self, offset: Offset) -> bool {
        self.count == 0 || offset.checked_sub(self.first).is_some_and(|delta| u32::try_from(delta).is_ok())
    }

    /// Copies a stored record, at the offset it has.
    pub(crate) fn copy(&mut self, record: &RawRecord<'_>) {
        self.start(record.offset, record.timestamp_ms, record.value.is_none());
        let delta = (record.offset - self.first) as u32;
        self.bytes.extend_from_slice(&delta.to_le_bytes());
        self.bytes.extend_from_slice(record.bytes.get(4..).unwrap_or_default());
    }

    fn start(&mut self, offset: Offset, timestamp_ms: i64, tombstone: bool) {
        if self.count == 0 {
            self.bytes.clear();
            self.bytes.resize(HEAD_BYTES, 0);
            self.first = offset;
            self.timestamp_ms_max = timestamp_ms;
            self.tombstone = false;
        }
        self.count += 1;
        self.last = offset;
        self.timestamp_ms_max = self.timestamp_ms_max.max(timestamp_ms);
        self.tombstone |= tombstone;
    }

    /// Writes the head of a produced batch, whose first record gets `base`. The builder still holds it afterwards.
    pub(crate) fn seal(&mut self, base: Offset, producer_id: i64) -> &[u8] {
        self.first = base;
        self.last = base + Offset::from(self.count) - 1;
        self.write_head(producer_id, NO_HORIZON)
    }

    /// Writes the head of a compacted batch.
    pub(crate) fn seal_compacted(&mut self, delete_horizon_ms: i64) -> &[u8] {
        self.write_head(COMPACTED, delete_horizon_ms)
    }

    /// Offset of the first record.
    pub(crate) fn first(&self) -> Offset {
        self.first
    }

    /// Whether a tombstone is among the records.
    pub(crate) fn has_tombstone(&self) -> bool {
        self.tombstone
    }

    fn write_head(&mut self, producer_id: i64, delete_horizon_ms: i64) -> &[u8] {
        let mut head = [0; HEAD_BYTES];
        head[0] = FORMAT;
        head[4..8].copy_from_slice(&self.count.to_le_bytes());
        head[8..16].copy_from_slice(&self.first.to_le_bytes());
        head[16..24].copy_from_slice(&self.last.to_le_bytes());
        head[24..32].copy_from_slice(&producer_id.to_le_bytes());
        head[32..40].copy_from_slice(&self.timestamp_ms_max.to_le_bytes());
        head[40..48].copy_from_slice(&delete_horizon_ms.to_le_bytes());
        match self.bytes.get_mut(..HEAD_BYTES) {
            Some(place) => place.copy_from_slice(&head),
            None => self.bytes.extend_from_slice(&head),
        }
        &self.bytes
    }
}

/// Minus one for none. Callers have bounded the length.
fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| bytes.len() as i32)
}
