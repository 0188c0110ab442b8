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
    queued_bytes: AtomicUsize,
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
            queued_bytes: AtomicUsize::default(),
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

    /// What tables may take now: queued input has some of the same memory, and they have what it leaves.
    fn table_bytes_max(&self) -> usize {
        self.budget.table_bytes - self.queued_bytes().min(self.budget.queue_bytes())
    }

    pub(in crate::store) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
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
        let count = self.gauges.table_count.load(Ordering::Relaxed).max(1);
        let table_bytes = self.gauges.table_bytes_max();
        self.gauges.table_bytes() > table_bytes && self.bytes > table_bytes / count
    }

    /// Says how large the table is now; returns how large it may be.
    pub(in crate::store) fn settle(&mut self, bytes: usize) -> usize {
        let gauges = &*self.gauges;
        gauges.table_bytes.fetch_add(bytes, Ordering::Relaxed);
        let total = gauges.table_bytes.fetch_sub(self.bytes, Ordering::Relaxed).saturating_sub(self.bytes);
        self.bytes = bytes;
        let count = gauges.table_count.load(Ordering::Relaxed).max(1);
        let table_bytes = gauges.table_bytes_max();
        let (free, left) = (table_bytes.saturating_sub(total), table_bytes.saturating_sub(total.saturating_sub(bytes)));
        // The free part goes to all that may grow before this is asked again. Where all together have too much, each
        // that has more than its part gives back.
        (table_bytes / count).max(bytes.saturating_add(free / count).min(left))
    }
}

impl Drop for TableShare {
    fn drop(&mut self) {
        self.gauges.table_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.gauges.table_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What waits in the queues of one task, of the process's memory for queued input.
///
/// Of one input a quarter of what is free may wait. So an input that is alone stops at a fifth of that memory, two at a
/// sixth each, a hundred at a hundred and fourth part: what is free is never quite used up, and those that begin late
/// find some, though the first ones fill up before they begin. An input that has nothing queued gets a batch all the
/// same, for what waits in others may wait for it.
#[derive(Debug)]
pub(crate) struct QueueShare {
    gauges: Arc<Gauges>,
    bytes: usize,
}

impl QueueShare {
    pub(in crate::store) fn new(gauges: Arc<Gauges>) -> Self {
        Self { gauges, bytes: 0 }
    }

    /// Says how much waits now of all inputs of the task.
    pub(crate) fn settle(&mut self, bytes: usize) {
        // In one step: other threads decide by the sum whether to pause.
        if bytes > self.bytes {
            self.gauges.queued_bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.gauges.queued_bytes.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// With more than this waiting of one input, no more of it is to be taken for now.
    pub(crate) fn input_bytes_max(&self) -> usize {
        self.gauges.budget.queue_bytes().saturating_sub(self.gauges.queued_bytes()) / 4
    }
}

impl Drop for QueueShare {
    fn drop(&mut self) {
        self.gauges.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
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

    /// So many tasks of one input each, of which each takes batches as long as it may; what waits of each then.
    fn fill(gauges: &Arc<Gauges>, task_count: usize, batch_bytes: usize) -> (Vec<QueueShare>, Vec<usize>) {
        let mut shares: Vec<QueueShare> = (0..task_count).map(|_| QueueShare::new(Arc::clone(gauges))).collect();
        let mut queued = vec![0; task_count];
        for _ in 0..10_000 {
            for (share, bytes) in shares.iter_mut().zip(&mut queued) {
                if *bytes <= share.input_bytes_max() {
                    *bytes += batch_bytes;
                    share.settle(*bytes);
                }
            }
        }
        (shares, queued)
    }

    #[test]
    fn inputs_that_wait_share_evenly_what_there_is_and_leave_some_for_one_that_begins_later() {
        for task_count in [1, 2, 10, 100] {
            let gauges = Arc::new(Gauges::new(Budget { table_bytes: 300_000, ..Budget::of(0) }));
            let (mut shares, queued) = fill(&gauges, task_count, 10);
            let part = 100_000 / (task_count + 4);
            assert!(queued.iter().all(|bytes| bytes.abs_diff(part) <= 20), "{part}: {queued:?}");
            let mut late = QueueShare::new(Arc::clone(&gauges));
            assert!(late.input_bytes_max() > 0 && gauges.queued_bytes() < 100_000);
            late.settle(10);
            // What is taken from the queues, or goes with its task, is free for the others.
            shares.truncate(1);
            shares[0].settle(0);
            assert_eq!((gauges.queued_bytes(), late.input_bytes_max()), (10, 99_990 / 4));
        }
    }

    #[test]
    fn an_input_with_nothing_queued_gets_a_batch_where_no_memory_is_left_and_a_second_one_does_not_follow() {
        let gauges = Arc::new(Gauges::new(Budget { table_bytes: 300, ..Budget::of(0) }));
        let (_shares, queued) = fill(&gauges, 50, 40);
        assert!(queued.iter().all(|bytes| *bytes == 40), "{queued:?}");
        assert_eq!(gauges.queued_bytes(), 50 * 40);
    }

    #[test]
    fn tables_have_what_queued_input_leaves_and_two_thirds_however_much_waits() {
        let gauges = Arc::new(Gauges::new(Budget { table_bytes: 900, ..Budget::of(0) }));
        let (mut table, mut queues) = (TableShare::new(Arc::clone(&gauges)), QueueShare::new(Arc::clone(&gauges)));
        assert_eq!(table.settle(900), 900);
        assert!(!table.is_wanted());
        queues.settle(100);
        assert!(table.is_wanted());
        assert_eq!(table.settle(900), 800);
        queues.settle(5_000);
        assert_eq!(table.settle(900), 600);
        drop(queues);
        assert_eq!(table.settle(900), 900);
    }
}
