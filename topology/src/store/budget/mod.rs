//! Memory of a process's stores: one number, split here and nowhere else.
//!
//! ```text
//! Budget   the shares
//! Gauges   what is in use, counted over all tasks
//! ```
//! May use nothing else.

mod gauges;

pub(crate) use gauges::QueueShare;
pub(in crate::store) use gauges::{Gauges, LiveSegment, LiveView, TableShare};

/// How `memory_bytes` is split, in bytes. All tasks of a process share each of these.
///
/// | Share | Sixteenths | At its limit |
/// |---|---|---|
/// | block cache | 3 | RocksDB forgets blocks that were not used for long; index blocks and filters are in it too |
/// | write buffers | 3 | RocksDB flushes the task that is written to; up to twice this while the disk lags |
/// | segments | 5 | see [`Budget::fold_bytes`] and those after it; two fifths are for the merge and the batch under way |
/// | tables | 3 | committed values that were not used for long are forgotten; what is not committed yet stays, and ends with the commit. Input that waits in the queues of tasks takes up to a third of this share: see [`Budget::queue_bytes`] |
/// | client queues | 2 | the log's client fetches no more input |
///
/// Not in it: the graph's own memory, what a processor keeps, a record on its way, the program itself. While stores are
/// restored, four tasks at a time have a sixteenth each for what is read ahead, and as much for each store, 16 MiB at
/// most.
///
/// ```
/// use topology::store::Budget;
///
/// let budget = Budget::of(256 << 20);
/// assert_eq!((budget.block_cache_bytes, budget.client_queue_bytes), (48 << 20, 32 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// RocksDB's block cache.
    pub block_cache_bytes: usize,
    /// RocksDB's memtables.
    pub write_buffer_bytes: usize,
    /// Committed writes on their way to RocksDB, or to memory stores.
    pub segment_bytes: usize,
    /// Hash tables of stream threads: what is not committed yet, and committed values kept ready. And queued input.
    pub table_bytes: usize,
    /// What clients of the log fetch ahead.
    pub client_queue_bytes: usize,
}

impl Budget {
    /// The shares of so many bytes.
    pub const fn of(memory_bytes: usize) -> Self {
        let sixteenth = memory_bytes / 16;
        Self {
            block_cache_bytes: 3 * sixteenth,
            write_buffer_bytes: 3 * sixteenth,
            segment_bytes: 5 * sixteenth,
            table_bytes: 3 * sixteenth,
            client_queue_bytes: 2 * sixteenth,
        }
    }

    /// What may wait in the queues of tasks, out of [`Budget::table_bytes`]: tables have what it leaves. An input of
    /// which more waits than a quarter of what is free of this is paused. One batch of each input may come on top, of
    /// `batch_records` records: with a thousand records of 1 KB, a megabyte.
    pub const fn queue_bytes(&self) -> usize {
        self.table_bytes / 3
    }

    /// A task's segments are written to its backend when they are so large, merged.
    pub const fn fold_bytes(&self) -> usize {
        self.segment_bytes / 5
    }

    /// From here on the task with the most is written, however little it has.
    pub(in crate::store) const fn pressing_bytes(&self) -> usize {
        self.segment_bytes / 10 * 3
    }

    /// From here on a stream thread waits for room after its commits, but no longer than 30 ms.
    pub const fn slow_bytes(&self) -> usize {
        self.segment_bytes / 5 * 2
    }

    /// From here on stream threads take no input, and restores wait, until a fold is through, however long the disk
    /// takes for one. What was taken before is committed all the same: one commit's writes come on top of it.
    pub const fn full_bytes(&self) -> usize {
        self.segment_bytes / 5 * 3
    }
}

/// How much memory stores may take, and when they are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory of the process for stores and for input, fetched ahead or waiting in tasks, in bytes: see [`Budget`].
    pub memory_bytes: usize,
    /// A task's stores are flushed when this many bytes were committed since the last flush ...
    pub flush_bytes: usize,
    /// ... or when the oldest of them is this old, in ms.
    pub flush_interval_ms: i64,
}

impl StoreOptions {
    /// `memory_bytes` where nothing else is said.
    pub const MEMORY_BYTES: usize = 256 << 20;
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { memory_bytes: Self::MEMORY_BYTES, flush_bytes: 64 << 20, flush_interval_ms: 30_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole_and_the_bounds_of_segments_follow_each_other() {
        for memory_bytes in [0, 1, 100, 16 << 20, 256 << 20, 64 << 30] {
            let budget = Budget::of(memory_bytes);
            let Budget { block_cache_bytes, write_buffer_bytes, segment_bytes, table_bytes, client_queue_bytes } =
                budget;
            let sum = block_cache_bytes + write_buffer_bytes + segment_bytes + table_bytes + client_queue_bytes;
            assert!(sum <= memory_bytes && sum + 16 > memory_bytes);
            // While a fold is under way its input, the merged copy and RocksDB's batch are there.
            assert!(budget.full_bytes() + 2 * budget.fold_bytes() <= segment_bytes);
            let bounds = [budget.fold_bytes(), budget.pressing_bytes(), budget.slow_bytes(), budget.full_bytes()];
            assert!(bounds.is_sorted(), "{bounds:?}");
        }
    }
}
