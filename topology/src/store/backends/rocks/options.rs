//! RocksDB's settings, each with its reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DataBlockIndexType, LogLevel, WriteBufferManager};

use crate::store::budget::Budget;

/// A memtable below this size is flushed too often.
const MEMTABLE_BYTES_MIN: usize = 1 << 20;

/// RocksDB ends the process where a cache is to have nothing.
const BLOCK_CACHE_BYTES_MIN: usize = 64 << 10;

/// The memory that all databases of a process share. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct RocksMemory {
    block_cache: Cache,
    write_buffers: WriteBufferManager,
    write_buffer_bytes: usize,
    database_count: Arc<AtomicUsize>,
}

/// A database's part of what all share; given back when dropped.
pub(super) struct Part {
    database_count: Arc<AtomicUsize>,
    write_buffer_bytes: usize,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.database_count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RocksMemory {
    pub(in crate::store) fn new(budget: &Budget) -> Self {
        // 0: the size of an entry is left to the cache, which sizes its table as it fills.
        let block_cache = Cache::new_hyper_clock_cache(budget.block_cache_bytes.max(BLOCK_CACHE_BYTES_MIN), 0);
        // It has the database flushed that is written to. Writers are not stalled: memory that an idle task holds would
        // stall the others until that one is flushed, which is by time.
        let write_buffers = WriteBufferManager::new_write_buffer_manager(budget.write_buffer_bytes, false);
        let database_count = Arc::new(AtomicUsize::new(0));
        Self { block_cache, write_buffers, write_buffer_bytes: budget.write_buffer_bytes, database_count }
    }

    /// For one more database. A memtable takes memory in proportion to the size it may reach as soon as it is made, for
    /// its filter and its first blocks: with the whole share for each, those of a hundred empty databases would take it
    /// many times over, and every write would end in a flush. So the n-th database gets the n-th part: all of them
    /// together have the share as their limit, and a filter has a twentieth of it, five times over with a hundred.
    pub(super) fn part(&self) -> Part {
        let count = self.database_count.fetch_add(1, Ordering::Relaxed) + 1;
        let write_buffer_bytes = (self.write_buffer_bytes / count).max(MEMTABLE_BYTES_MIN);
        Part { database_count: Arc::clone(&self.database_count), write_buffer_bytes }
    }

    /// What the block cache and the write buffers take now, in bytes.
    pub(in crate::store) fn usage(&self) -> (usize, usize) {
        (self.block_cache.get_usage(), self.write_buffers.get_usage())
    }

    pub(super) fn database(&self) -> rocksdb::Options {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        // All stores and their positions reach the disk together, or none: with the write-ahead log off, this is
        // what keeps a position from being ahead of its data.
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(&self.write_buffers);
        // Batches come sorted, and a search that starts at the key inserted last is short. RocksDB offers that on its
        // path for concurrent writers only, which an only writer takes if writes are unordered: a third less CPU
        // measured. One writer's batches are atomic there too: the memtable is switched between batches, never inside
        // one. Who reads meanwhile may see a part of the batch, also through a snapshot taken meanwhile: `Backend`
        // promises no more.
        options.set_allow_concurrent_memtable_write(true);
        options.set_unordered_write(true);
        options.set_enable_write_thread_adaptive_yield(false);
        // Many tasks share the process's file handles.
        options.set_max_open_files(256);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        options.set_log_level(LogLevel::Warn);
        options.set_stats_dump_period_sec(0);
        options
    }

    /// Of the column family that holds what is known of the stores: some hundred bytes, written anew with each batch.
    pub(super) fn metas(&self) -> rocksdb::Options {
        let mut options = self.family(MEMTABLE_BYTES_MIN);
        options.set_arena_block_size(16 << 10);
        options
    }

    pub(super) fn store(&self, part: &Part) -> rocksdb::Options {
        let mut options = self.family(part.write_buffer_bytes);
        options.set_arena_block_size((part.write_buffer_bytes / 16).clamp(32 << 10, 1 << 20));
        // The filter in front of the memtable: keys that are on the disk only skip its search.
        options.set_memtable_prefix_bloom_ratio(0.05);
        options.set_memtable_whole_key_filtering(true);
        options
    }

    fn family(&self, write_buffer_bytes: usize) -> rocksdb::Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.block_cache);
        // Index and filters count against the cache's bound, and those of fresh files stay in it.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        // A key that was never there is answered from memory, one wrong guess in a hundred.
        blocks.set_bloom_filter(10.0, false);
        blocks.set_optimize_filters_for_memory(true);
        // Reads are by whole key mostly: a hash inside each block saves the binary search.
        blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        blocks.set_block_size(8 << 10);

        let mut options = rocksdb::Options::default();
        options.set_block_based_table_factory(&blocks);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_size(write_buffer_bytes);
        // One being filled, one being written down, one to spare before writers must wait.
        options.set_max_write_buffer_number(3);
        options
    }
}
