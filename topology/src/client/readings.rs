//! What is read when metrics are: memory of the stores, and how far restores are.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::{Labels, Reading, Readings, Value};
use crate::store::{OnDisk, Resources};
use crate::updater::{Listener, Progress, StoreProgress};

/// Of a process.
#[derive(Debug)]
pub(super) struct ProcessReadings {
    pub(super) resources: Resources,
    pub(super) restore_remaining: Arc<AtomicU64>,
}

impl Readings for ProcessReadings {
    fn read(&self) -> Vec<Reading> {
        let (block_cache_bytes, write_buffer_bytes) = self.resources.rocksdb_bytes();
        let segments = "Committed writes on their way to stores, bytes";
        let tables = "Hash tables of stream threads, bytes";
        let queued = "Input that waits in the queues of tasks, bytes";
        let views = "Views of stores that queries have";
        let view_bytes = "Committed writes that views keep in memory though stores have them, bytes";
        let waits = "Times that a commit waited for stores to be written";
        let remaining = "Offsets that restores under way have not read yet";
        let mut all = vec![
            Reading::one("state_segment_bytes", segments, self.resources.segment_bytes() as u64),
            Reading::one("state_table_bytes", tables, self.resources.table_bytes() as u64),
            Reading::one("input_buffer_bytes", queued, self.resources.queued_bytes() as u64),
            Reading::one("state_views", views, self.resources.view_count() as u64),
            Reading::one("state_view_bytes", view_bytes, self.resources.view_bytes() as u64),
            Reading::one("state_wait_total", waits, self.resources.wait_count()),
            Reading::one("rocksdb_block_cache_bytes", "In the block cache of all stores", block_cache_bytes as u64),
            Reading::one("rocksdb_write_buffer_bytes", "In the write buffers of all stores", write_buffer_bytes as u64),
            Reading::one("restore_remaining_records", remaining, self.restore_remaining.load(Ordering::Relaxed)),
        ];
        all.extend(by_store(&self.resources.on_disk()));
        all
    }
}

/// What RocksDB tells of each store.
fn by_store(stores: &[(String, String, OnDisk)]) -> impl Iterator<Item = Reading> {
    let reading = |name: &'static str, help: &'static str, of: fn(&OnDisk) -> u64| {
        let row = |(task, store, figures): &(String, String, OnDisk)| {
            let labels: Labels = vec![("task", task.clone()), ("store", store.clone())];
            (labels, Value::Whole(of(figures)))
        };
        Reading::of(name, help, stores.iter().map(row))
    };
    let readings = [
        reading("rocksdb_estimated_keys", "Keys of a store, about", |of| of.key_count),
        reading("rocksdb_file_bytes", "Files of a store, bytes", |of| of.file_bytes),
        reading("rocksdb_memtable_bytes", "What is in no file yet of a store, bytes", |of| of.memtable_bytes),
        reading("rocksdb_table_reader_bytes", "Memory of open files beside the block cache, bytes", |of| {
            of.reader_bytes
        }),
        reading("rocksdb_pending_compaction_bytes", "What compactions have yet to write anew, bytes", |of| {
            of.pending_compaction_bytes
        }),
        reading("rocksdb_background_errors", "Flushes and compactions that failed, of all stores of a task", |of| {
            of.error_count
        }),
    ];
    readings.into_iter().flatten()
}

/// Hears how far restores are, notes it, and tells the next one.
pub(super) struct Noting {
    pub(super) remaining: Arc<AtomicU64>,
    pub(super) next: Arc<dyn Listener>,
}

impl fmt::Debug for Noting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.next.fmt(f)
    }
}

impl Listener for Noting {
    fn started(&self, store: &StoreProgress<'_>) {
        self.next.started(store);
    }

    fn advanced(&self, store: &StoreProgress<'_>) {
        self.next.advanced(store);
    }

    fn ended(&self, store: &StoreProgress<'_>) {
        self.next.ended(store);
    }

    fn suspended(&self, store: &StoreProgress<'_>) {
        self.next.suspended(store);
    }

    fn overall(&self, progress: Option<Progress>) {
        self.remaining.store(progress.map_or(0, |progress| progress.remaining), Ordering::Relaxed);
        self.next.overall(progress);
    }
}
