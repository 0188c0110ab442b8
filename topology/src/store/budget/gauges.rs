//! What is in use of the budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Budget;

/// Counted over all tasks of a process. They steer; nothing depends on their being exact at any moment.
#[derive(Debug)]
pub(in crate::store) struct Gauges {
    budget: Budget,
    segment_bytes: AtomicUsize,
    /// Of those segments and of all others that are still in memory.
    live_segment_bytes: AtomicUsize,
    view_count: AtomicUsize,
    table_bytes: AtomicUsize,
    table_count: AtomicUsize,
    /// Tasks whose segments could not be written, and that have not been told yet.
    failure_count: AtomicUsize,
    /// How often a stream thread waited for room.
    wait_count: AtomicU64,
}

impl Gauges {
    pub(in crate::store) fn new(budget: Budget) -> Self {
        Self {
            budget,
            segment_bytes: AtomicUsize::default(),
            live_segment_bytes: AtomicUsize::default(),
            view_count: AtomicUsize::default(),
            table_bytes: AtomicUsize::default(),
            table_count: AtomicUsize::default(),
            failure_count: AtomicUsize::default(),
            wait_count: AtomicU64::default(),
        }
    }

    pub(in crate::store) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(in crate::store) fn segment_bytes(&self) -> usize {
        self.segment_bytes.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn add_segments(&self, bytes: usize) {
        self.segment_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(in crate::store) fn remove_segments(&self, bytes: usize) {
        self.segment_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What is in memory of segments that are written: views show them still, or a fold is about to let them go.
    pub(in crate::store) fn written_segment_bytes(&self) -> usize {
        self.live_segment_bytes.load(Ordering::Relaxed).saturating_sub(self.segment_bytes())
    }

    pub(in crate::store) fn table_bytes(&self) -> usize {
        self.table_bytes.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn view_count(&self) -> usize {
        self.view_count.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn wait_count(&self) -> u64 {
        self.wait_count.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn count_wait(&self) {
        self.wait_count.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::store) fn failure_count(&self) -> usize {
        self.failure_count.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn add_failure(&self) {
        self.failure_count.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::store) fn remove_failure(&self) {
        self.failure_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A segment that is in memory.
#[derive(Debug)]
pub(in crate::store) struct LiveSegment {
    gauges: Arc<Gauges>,
    bytes: usize,
}

impl LiveSegment {
    pub(in crate::store) fn new(gauges: Arc<Gauges>, bytes: usize) -> Self {
        gauges.live_segment_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { gauges, bytes }
    }
}

impl Drop for LiveSegment {
    fn drop(&mut self) {
        self.gauges.live_segment_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A view that somebody has.
#[derive(Debug)]
pub(in crate::store) struct LiveView(Arc<Gauges>);

impl LiveView {
    pub(in crate::store) fn new(gauges: Arc<Gauges>) -> Self {
        gauges.view_count.fetch_add(1, Ordering::Relaxed);
        Self(gauges)
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.0.view_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One table's share of the process's memory for tables: what others leave, and never less than an equal part.
#[derive(Debug)]
pub(in crate::store) struct TableShare {
    gauges: Arc<Gauges>,
    bytes: usize,
}

impl TableShare {
    pub(in crate::store) fn new(gauges: Arc<Gauges>) -> Self {
        gauges.table_count.fetch_add(1, Ordering::Relaxed);
        Self { gauges, bytes: 0 }
    }

    /// Whether this table has more than an equal part, and all together have more than there is.
    #[inline]
    pub(in crate::store) fn is_wanted(&self) -> bool {
        let Gauges { budget, table_bytes, table_count, .. } = &*self.gauges;
        let count = table_count.load(Ordering::Relaxed).max(1);
        table_bytes.load(Ordering::Relaxed) > budget.table_bytes && self.bytes > budget.table_bytes / count
    }

    /// Says how large the table is now; returns how large it may be.
    pub(in crate::store) fn settle(&mut self, bytes: usize) -> usize {
        let gauges = &*self.gauges;
        gauges.table_bytes.fetch_add(bytes, Ordering::Relaxed);
        let total = gauges.table_bytes.fetch_sub(self.bytes, Ordering::Relaxed).saturating_sub(self.bytes);
        self.bytes = bytes;
        let count = gauges.table_count.load(Ordering::Relaxed).max(1);
        let table_bytes = gauges.budget.table_bytes;
        let (free, left) = (table_bytes.saturating_sub(total), table_bytes.saturating_sub(total.saturating_sub(bytes)));
        // The free part goes to all that may grow before this is asked again. Where all together have too much, each that has more
        // than its part gives back.
        (table_bytes / count).max(bytes.saturating_add(free / count).min(left))
    }
}

impl Drop for TableShare {
    fn drop(&mut self) {
        self.gauges.table_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.gauges.table_count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_may_have_what_the_others_leave_and_always_an_equal_part() {
        let gauges = Arc::new(Gauges::new(Budget { table_bytes: 1_000, ..Budget::of(0) }));
        let mut alone = TableShare::new(Arc::clone(&gauges));
        assert_eq!(alone.settle(100), 1_000);
        let mut other = TableShare::new(Arc::clone(&gauges));
        assert_eq!(other.settle(0), 500);
        assert_eq!(alone.settle(600), 600 + 200);
        assert_eq!(other.settle(400), 500, "nothing is free: an equal part, which the other must make room for");
        assert_eq!(alone.settle(600), 600);
        drop(other);
        assert_eq!(alone.settle(600), 1_000);
    }

    #[test]
    fn tables_that_have_too_much_together_give_back_down_to_their_parts() {
        let gauges = Arc::new(Gauges::new(Budget { table_bytes: 1_000, ..Budget::of(0) }));
        let mut tables: Vec<TableShare> = (0..10).map(|_| TableShare::new(Arc::clone(&gauges))).collect();
        // Each has had a commit that wrote much, one after the other; what it may keep it keeps.
        for _ in 0..2 {
            for table in &mut tables {
                let may_have = table.settle(500);
                table.settle(may_have.min(500));
            }
        }
        assert!(gauges.table_bytes() <= 1_000, "{}", gauges.table_bytes());
    }
}
