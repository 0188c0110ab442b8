//! Which of several inputs comes next.
//!
//! The record with the lowest event time among those at the heads of the queues, and of equal ones that of the input
//! that the graph names first. That is known only while every input has a record waiting. An input that has none
//!
//! ```text
//!   has more in the log, or perhaps has       is waited for
//!   is known to be empty                     is waited for as long as `max_idle_ms` says, then the others go on without it
//! ```
//! and with a negative `max_idle_ms` nothing is waited for. So where all input is in the log before it is read, the
//! order is a function of the inputs and of the positions at which the task begins, however the log cuts batches, and
//! whatever comes between: a choice depends on nothing but the heads.

use crate::log::Offset;

use super::queue::Queue;

/// The queues of a task, and how long it waits.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) queues: Vec<Queue>,
    max_idle_ms: i64,
    /// Since when the inputs that have records wait for those that are known to be empty.
    idle_since_ms: Option<i64>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many records of this input.
    Take { input: usize, count: usize },
    /// Nothing before more arrives or, if a time is given, before that.
    Wait { until_ms: Option<i64> },
}

impl Merge {
    pub(super) fn new(input_count: usize, max_idle_ms: i64) -> Self {
        Self { queues: (0..input_count).map(|_| Queue::new()).collect(), max_idle_ms, idle_since_ms: None }
    }

    /// Drops what is not needed, now that the task goes on at these offsets.
    pub(super) fn forget_below(&mut self, next_offset: impl Fn(usize) -> Offset) {
        for (input, queue) in self.queues.iter_mut().enumerate() {
            queue.forget_below(next_offset(input));
        }
    }

    /// What comes next, at most so many records.
    pub(super) fn next(&mut self, count_max: usize, now_ms: i64) -> Next {
        let heads = self.queues.iter().enumerate().filter_map(|(input, queue)| Some((queue.head_ms()?, input)));
        let Some(first) = heads.min() else {
            self.idle_since_ms = None;
            return Next::Wait { until_ms: None };
        };
        if let Some(wait) = self.must_wait(now_ms) {
            return wait;
        }
        let (_, input) = first;
        let others = self.queues.iter().enumerate().filter(|(other, _)| *other != input);
        let next = others.filter_map(|(other, queue)| Some((queue.head_ms()?, other))).min();
        let comes_first = |timestamp_ms| next.is_none_or(|next| (timestamp_ms, input) < next);
        Next::Take { input, count: self.queues[input].count_while(count_max, comes_first) }
    }

    /// Whether an input that has no record waiting must be waited for.
    fn must_wait(&mut self, now_ms: i64) -> Option<Next> {
        let mut empty = self.queues.iter().filter(|queue| queue.is_empty()).peekable();
        if empty.peek().is_none() || self.max_idle_ms < 0 {
            self.idle_since_ms = None;
            return None;
        }
        if empty.any(|queue| queue.known_end().is_none()) {
            return Some(Next::Wait { until_ms: None });
        }
        // A clock that was set back must not prolong it.
        let since_ms = self.idle_since_ms.map_or(now_ms, |since_ms| since_ms.min(now_ms));
        self.idle_since_ms = Some(since_ms);
        let until_ms = since_ms.saturating_add(self.max_idle_ms);
        (now_ms < until_ms).then_some(Next::Wait { until_ms: Some(until_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Headers, Record};

    fn push(merge: &mut Merge, input: usize, records: &[(Offset, i64)]) {
        let records: Vec<Record<'_>> = records
            .iter()
            .map(|(offset, timestamp_ms)| Record {
                offset: *offset,
                timestamp_ms: *timestamp_ms,
                key: None,
                value: None,
                headers: Headers::NONE,
            })
            .collect();
        merge.queues[input].push(&records);
    }

    fn merge(max_idle_ms: i64) -> Merge {
        let mut merge = Merge::new(2, max_idle_ms);
        merge.queues.iter_mut().for_each(|queue| queue.restart(0));
        merge
    }

    /// Takes all that may be taken now; (input, offset) of each.
    fn take(merge: &mut Merge, now_ms: i64) -> Vec<(usize, Offset)> {
        let mut taken = Vec::new();
        while let Next::Take { input, count } = merge.next(3, now_ms) {
            let (batch, front) = merge.queues[input].take().unwrap();
            let records = batch.range(front..front + count);
            taken.extend(records.iter().map(|record| (input, record.offset)));
            let next = records.last().unwrap().offset + 1;
            merge.queues[input].untake(batch, next);
        }
        taken
    }

    #[test]
    fn records_come_by_the_time_of_the_heads_and_equal_ones_by_the_order_of_inputs() {
        let mut merge = merge(0);
        push(&mut merge, 1, &[(0, 10), (1, 20), (2, 5)]);
        push(&mut merge, 0, &[(0, 10), (1, 30)]);
        merge.queues[0].ends_at(2);
        merge.queues[1].ends_at(3);
        // The record of time 5 comes late in its input: nothing in the other could have waited for it.
        assert_eq!(take(&mut merge, 0), [(0, 0), (1, 0), (1, 1), (1, 2), (0, 1)]);
    }

    #[test]
    fn an_input_with_more_in_the_log_is_waited_for_and_one_known_to_be_empty_is_not() {
        let mut merge = merge(0);
        push(&mut merge, 0, &[(0, 10), (1, 30)]);
        assert_eq!(merge.next(3, 0), Next::Wait { until_ms: None }, "nobody knows yet");
        push(&mut merge, 1, &[(0, 20)]);
        assert_eq!(take(&mut merge, 0), [(0, 0), (1, 0)], "more may come");
        merge.queues[1].ends_at(1);
        assert_eq!(take(&mut merge, 0), [(0, 1)]);
    }

    #[test]
    fn an_empty_input_is_waited_for_as_long_as_was_asked() {
        let mut merge = merge(100);
        merge.queues[1].ends_at(0);
        push(&mut merge, 0, &[(0, 10)]);
        assert_eq!(merge.next(3, 1_000), Next::Wait { until_ms: Some(1_100) });
        assert_eq!(merge.next(3, 1_099), Next::Wait { until_ms: Some(1_100) });
        assert_eq!(merge.next(3, 900), Next::Wait { until_ms: Some(1_000) }, "a clock that was set back");
        assert_eq!(take(&mut merge, 1_000), [(0, 0)]);
    }

    #[test]
    fn nothing_is_waited_for_where_that_is_switched_off() {
        let mut merge = merge(-1);
        push(&mut merge, 0, &[(0, 10)]);
        assert_eq!(take(&mut merge, 0), [(0, 0)]);
    }

    #[test]
    fn what_a_task_has_taken_otherwise_is_dropped_and_what_it_wants_again_is_not_there() {
        let mut merge = merge(0);
        push(&mut merge, 0, &[(0, 1), (1, 2)]);
        push(&mut merge, 0, &[(4, 3), (5, 4)]);
        merge.forget_below(|input| if input == 0 { 5 } else { 0 });
        let queue = &merge.queues[0];
        assert_eq!((queue.head_ms(), queue.is_behind(4), queue.is_behind(5)), (Some(4), true, false));
        merge.forget_below(|input| if input == 0 { 6 } else { 0 });
        assert!(merge.queues[0].is_empty());
        assert_eq!(merge.queues[0].size_bytes(), 0);
    }
}
