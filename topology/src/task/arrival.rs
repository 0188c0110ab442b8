//! What the log brings, to a task: taken at once where it is the task's only input and nothing waits, queued otherwise.

use crate::error::Result;
use crate::log::{Offset, Record};

use super::Task;
use super::merge::Next;
use super::queue::Queue;

impl Task {
    /// How many inputs it has.
    pub(crate) fn input_count(&self) -> usize {
        self.runtime.input_count()
    }

    /// Whether the log must be told to read an input from [`Task::next_offset`], and [`Task::restart`] be called then:
    /// before the first record, and where the task goes back to what is not here any more. What the log delivers
    /// meanwhile lies behind a gap.
    pub(crate) fn must_seek(&self, input: usize) -> bool {
        self.merge.queues[input].is_behind(self.runtime.next_offset(input))
    }

    /// The log reads an input from [`Task::next_offset`].
    pub(crate) fn restart(&mut self, input: usize) {
        self.merge.queues[input].restart(self.runtime.next_offset(input));
    }

    /// Everything of an input below this offset arrived.
    pub(crate) fn delivered_to(&self, input: usize) -> Offset {
        self.merge.queues[input].delivered_to()
    }

    /// Whether more of an input is welcome. Of it may wait what the process leaves to one input, `bytes_max`, or the
    /// task's own `queue_max_bytes` where that is less. `is_paused`: it was not welcome so far, and half of that must
    /// be free. An input with nothing queued always has room.
    pub(crate) fn has_room(&self, input: usize, is_paused: bool, bytes_max: usize) -> bool {
        let takes_any = self.input_count() > 1 || !self.is_suspended();
        let bytes_max = bytes_max.min(self.queue_max_bytes);
        takes_any && self.merge.queues[input].size_bytes() <= bytes_max / if is_paused { 2 } else { 1 }
    }

    /// What waits of all inputs, in bytes.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.merge.queues.iter().map(Queue::size_bytes).sum()
    }

    /// Whether what arrives is to be queued: it is not the task's only input, or must wait.
    pub(crate) fn must_queue(&self) -> bool {
        self.input_count() > 1 || self.is_suspended() || !self.merge.queues[0].is_empty()
    }

    /// Processes records of a task's only input as they arrive, where they need not be queued. Records below its
    /// position are ignored: they were processed. Returns how many it is done with; where it takes no more for now, the
    /// rest is to be queued.
    pub(crate) fn take_arriving(&mut self, records: &[Record<'_>]) -> Result<usize> {
        match self.timed(0, records) {
            Some(timed) => self.process(0, &timed)?,
            None => self.process(0, records)?,
        }
        let next = self.runtime.next_offset(0);
        let taken = records.partition_point(|record| record.offset < next);
        self.merge.queues[0].pass(&records[..taken]);
        Ok(taken)
    }

    /// Records with the event times that the source tells, where those are not their timestamps.
    fn timed<'r>(&self, input: usize, records: &[Record<'r>]) -> Option<Vec<Record<'r>>> {
        self.instance.sources[self.instance.source_of[input]].timed(input, records)
    }

    /// Records of an input arrived, and wait for their turn: see [`Task::process_next`].
    pub(crate) fn enqueue(&mut self, input: usize, records: &[Record<'_>]) {
        let timed = self.timed(input, records);
        self.merge.queues[input].push(timed.as_deref().unwrap_or(records));
    }

    /// An input has no record below `offset` that was not delivered, and none there for now.
    pub(crate) fn end_of_partition(&mut self, input: usize, offset: Offset) {
        self.merge.queues[input].ends_at(offset);
        self.settle_ends();
    }

    /// Processes what comes next of what is queued, at most so many records. Returns how many; none where the task
    /// takes no input for now, or must wait.
    pub(crate) fn process_next(&mut self, count_max: usize) -> Result<usize> {
        let Some((input, count)) = self.choose(count_max) else { return Ok(0) };
        let Some((batch, front)) = self.merge.queues[input].take() else { return Ok(0) };
        let records = batch.range(front..front + count);
        self.process(input, &records)?;
        drop(records);
        self.merge.queues[input].untake(batch, self.runtime.next_offset(input));
        self.settle_ends();
        Ok(count)
    }

    /// Whether [`Task::process_next`] has something to do now.
    pub(crate) fn has_next(&mut self) -> bool {
        self.choose(1).is_some()
    }

    /// When records that wait go on without an input that is known to be empty, ms since 1970.
    pub(crate) fn idle_until_ms(&mut self) -> Option<i64> {
        if self.is_suspended() {
            return None;
        }
        match self.merge.next(1, self.runtime.now_ms()) {
            Next::Wait { until_ms } => until_ms,
            Next::Take { .. } => None,
        }
    }

    fn choose(&mut self, count_max: usize) -> Option<(usize, usize)> {
        // An input of which records are missing is one that must be waited for, whatever is known of its end.
        let is_behind = (0..self.input_count()).any(|input| self.must_seek(input));
        if self.is_suspended() || is_behind {
            return None;
        }
        let Self { merge, runtime, .. } = self;
        merge.forget_below(|input| runtime.next_offset(input));
        match merge.next(count_max, runtime.now_ms()) {
            Next::Take { input, count } => Some((input, count)),
            Next::Wait { .. } => None,
        }
    }

    /// Moves the position of an input over the log's own markers at its end, once all before was taken.
    pub(super) fn settle_ends(&mut self) {
        if self.is_suspended() {
            return;
        }
        for input in 0..self.input_count() {
            let queue = &self.merge.queues[input];
            let next = self.runtime.next_offset(input);
            if let Some(end) = queue.known_end()
                && queue.is_empty()
                && !queue.is_behind(next)
                && end > next
            {
                self.runtime.set_next_offset(input, end);
            }
        }
    }
}
