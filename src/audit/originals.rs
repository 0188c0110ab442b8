//! The transactions topic, as the entries that its records become: parsed and hashed where they are read, so that values are never
//! kept, however large they are.

use std::ops::ControlFlow;
use std::thread::Scope;

use topology::clock::Clock;
use topology::log::{Log, Record};

use super::reading::{Purpose, Reading};
use crate::chain::{Content, Entry, Id, Memo};
use crate::reader::{Extent, PREFETCH_BYTES};

/// Bytes of entries that may have been read and not compared, of all partitions.
const AHEAD_BYTES: usize = 8 << 20;
/// Of one partition, however many there are: less would have threads wait for each other all the time.
const AHEAD_BYTES_MIN: usize = 256 << 10;
/// What a client fetches ahead of one partition, at least.
const PREFETCH_BYTES_MIN: usize = 1 << 20;

/// The records of all partitions, each read by a thread of its own.
pub(super) struct Originals<'s> {
    /// By partition.
    readings: Vec<Reading<'s, Vec<Entry>>>,
}

impl<'s> Originals<'s> {
    /// Begins to read these stretches, one of each partition: batches of entries, in order.
    pub(super) fn read<L: Log>(
        scope: &'s Scope<'s, '_>,
        log: (&'s L, &'s dyn Clock),
        client_id: &'static str,
        extents: Vec<Extent>,
    ) -> topology::Result<Self> {
        let count = extents.len().max(1);
        let ahead_bytes = (AHEAD_BYTES / count).max(AHEAD_BYTES_MIN);
        let prefetch_bytes = (PREFETCH_BYTES / count).max(PREFETCH_BYTES_MIN);
        let purpose = Purpose { client_id, thread: "cairn-records", ahead_bytes, prefetch_bytes };
        let reading = |extent: Extent| {
            let partition = extent.partition.partition;
            Reading::start(scope, log, purpose, extent, move |records, front| {
                let entries: Vec<Entry> = records.iter().map(|record| entry(partition, record)).collect();
                let size_bytes = entries.iter().map(size_bytes).sum();
                if front.push(entries, size_bytes) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        };
        Ok(Self { readings: extents.into_iter().map(reading).collect::<topology::Result<_>>()? })
    }

    /// What comes next of a partition; `None`: it was read to its end. Errors where it could not be.
    pub(super) fn next(&mut self, partition: i32) -> topology::Result<Option<Vec<Entry>>> {
        let reading = usize::try_from(partition).ok().and_then(|place| self.readings.get_mut(place));
        reading.map_or(Ok(None), Reading::next)
    }

    /// The partitions.
    pub(super) fn partitions(&self) -> std::ops::Range<i32> {
        0..i32::try_from(self.readings.len()).unwrap_or(i32::MAX)
    }
}

fn entry(partition: i32, record: &Record<'_>) -> Entry {
    Entry::of_record(partition, record.offset, record.timestamp_ms, record.key, record.value).0
}

/// What an entry holds in memory, but for what the allocator adds.
fn size_bytes(entry: &Entry) -> usize {
    let texts = match &entry.content {
        Content::Stub { .. } => 0,
        Content::Transaction { transaction, .. } => {
            let id = transaction.id.as_ref().map_or(0, |id: &Id| id.as_bytes().len());
            let memo = transaction.memo.as_ref().map_or(0, |memo: &Memo| memo.as_bytes().len());
            let validator = transaction.validator.as_ref().map_or(0, |id| id.as_str().len());
            transaction.from.as_bytes().len() + transaction.to.as_bytes().len() + id + memo + validator
        }
    };
    size_of::<Entry>() + texts
}
