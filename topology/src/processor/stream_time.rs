//! Stream time: the highest event time seen so far, and what it was at earlier offsets.
//!
//! A task's stream time is the highest of its inputs'. Each is committed beside its input's offset, so after a restart
//! stream time is the highest event time below the committed offsets: a function of these offsets alone, whatever the
//! order in which inputs were taken, and whatever is held of one of them.
//!
//! ```text
//!   input 0   offset 7, "1:130"  ┐
//!                                ├─> a task that begins there has stream time 150
//!   input 1   offset 3, "1:150"  ┘
//! ```

use std::collections::VecDeque;

use crate::log::Offset;

/// Stream time of one input. It remembers its advances since the last commit, because a commit of an offset before held
/// records must carry the stream time as of that offset. They count as bytes that wait for a commit, so there are never
/// more than one commit and the held records account for.
#[derive(Debug, Default)]
pub(super) struct StreamTime {
    current_ms: Option<i64>,
    /// Stream time before the first of `advances`.
    base_ms: Option<i64>,
    /// (offset of the record that advanced it, the new time), both rising.
    advances: VecDeque<(Offset, i64)>,
}

/// What stays allocated after a burst.
const KEPT_ADVANCES: usize = 64 << 10;

impl StreamTime {
    /// Continues from what a committed offset carried.
    pub(super) fn resume(at_ms: Option<i64>) -> Self {
        Self { current_ms: at_ms, base_ms: at_ms, ..Self::default() }
    }

    /// Takes a record's timestamp in; a negative one is none.
    pub(super) fn observe(&mut self, offset: Offset, timestamp_ms: i64) {
        if timestamp_ms >= 0 && self.current_ms.is_none_or(|current| timestamp_ms > current) {
            self.current_ms = Some(timestamp_ms);
            self.advances.push_back((offset, timestamp_ms));
        }
    }

    /// The highest timestamp seen.
    pub(super) fn current_ms(&self) -> Option<i64> {
        self.current_ms
    }

    /// What it was when all records below `offset` had been seen.
    pub(super) fn before_ms(&self, offset: Offset) -> Option<i64> {
        match self.advances_before(offset) {
            0 => self.base_ms,
            n => self.advances.get(n - 1).map(|(_, time)| *time),
        }
    }

    /// The records from `offset` on count as not seen: they will be delivered again.
    pub(super) fn forget_from(&mut self, offset: Offset) {
        self.current_ms = self.before_ms(offset);
        self.advances.truncate(self.advances_before(offset));
    }

    /// `offset` was committed: nothing before it will be asked for.
    pub(super) fn committed(&mut self, offset: Offset) {
        self.base_ms = self.before_ms(offset);
        self.advances.drain(..self.advances_before(offset));
        self.advances.shrink_to(KEPT_ADVANCES);
    }

    /// What a commit of `offset` lets go, in bytes.
    pub(super) fn bytes_before(&self, offset: Offset) -> usize {
        self.advances_before(offset) * size_of::<(Offset, i64)>()
    }

    fn advances_before(&self, offset: Offset) -> usize {
        self.advances.partition_point(|(at, _)| *at < offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_before_held_records_carries_the_time_as_of_its_offset() {
        let mut time = StreamTime::resume(Some(100));
        for (offset, timestamp) in [(5, 90), (6, 110), (7, 105), (8, 130), (9, -1)] {
            time.observe(offset, timestamp);
        }
        assert_eq!(time.current_ms(), Some(130));
        assert_eq!([5, 6, 7, 8, 9, 99].map(|offset| time.before_ms(offset)), [100, 100, 110, 110, 130, 130].map(Some));
        time.committed(8);
        assert_eq!(time.before_ms(8), Some(110));
        assert_eq!(time.before_ms(9), Some(130));
    }

    #[test]
    fn records_that_come_again_are_seen_again() {
        let mut time = StreamTime::resume(None);
        for (offset, timestamp) in [(5, 90), (6, 110), (7, 130)] {
            time.observe(offset, timestamp);
        }
        time.forget_from(6);
        assert_eq!(time.current_ms(), Some(90));
        time.forget_from(5);
        assert_eq!(time.current_ms(), None);
    }

    #[test]
    fn a_commit_lets_go_of_what_it_counted_and_of_the_memory_of_a_burst() {
        let mut time = StreamTime::resume(None);
        for offset in 0..1_000_000 {
            time.observe(offset, offset);
        }
        assert_eq!((time.bytes_before(0), time.bytes_before(1_000_000)), (0, 16_000_000));
        time.committed(999_990);
        assert_eq!(time.bytes_before(1_000_000), 160);
        assert!(time.advances.capacity() <= 2 * KEPT_ADVANCES, "{}", time.advances.capacity());
    }
}
