//! The transactions topic, as the entries that its records become: parsed and hashed where they are read, so that values are never
//! kept, however large they are.

use std::ops::ControlFlow;
use std::thread::Scope;

use topology::clock::Clock;
use topology::log::{Log, Record};

use super::comparison::PARTITION;
use super::reading::{Purpose, Reading};
use crate::chain::{Content, Entry, Id, Memo};
use crate::reader::Extent;

/// Bytes of entries that the reading thread may be ahead.
const AHEAD_BYTES: usize = 8 << 20;

/// Begins to read a stretch of the topic: batches of entries, in order.
pub(super) fn read<'s, L: Log>(
    scope: &'s Scope<'s, '_>,
    log: (&'s L, &'s dyn Clock),
    client_id: &'static str,
    extent: Extent,
) -> topology::Result<Reading<'s, Vec<Entry>>> {
    let purpose = Purpose { client_id, thread: "cairn-records", ahead_bytes: AHEAD_BYTES };
    Reading::start(scope, log, purpose, extent, |records, front| {
        let entries: Vec<Entry> = records.iter().map(entry).collect();
        let size_bytes = entries.iter().map(size_bytes).sum();
        if front.push(entries, size_bytes) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

fn entry(record: &Record<'_>) -> Entry {
    Entry::of_record(PARTITION, record.offset, record.timestamp_ms, record.key, record.value).0
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
