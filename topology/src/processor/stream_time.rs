//! Stream time: the highest event time seen so far, and what it was at earlier offsets.

use std::collections::VecDeque;

use crate::log::Offset;

/// Stream time of a task. It remembers its advances since the last commit, because a commit of an offset before held
/// records must carry the stream time as of that offset.
#[derive(Debug, Default)]
pub struct StreamTime {
    current_ms: Option<i64>,
    /// Stream time before the first of `advances`.
    base_ms: Option<i64>,
    /// (offset of the record that advanced it, the new time), both rising.
    advances: VecDeque<(Offset, i64)>,
}

impl StreamTime {
    /// Continues from what a committed offset carried.
    pub fn resume(at_ms: Option<i64>) -> Self {
        Self { current_ms: at_ms, base_ms: at_ms, advances: VecDeque::new() }
    }

    /// Takes a record's timestamp in; a negative one is none.
    pub fn observe(&mut self, offset: Offset, timestamp_ms: i64) {
        if timestamp_ms >= 0 && self.current_ms.is_none_or(|current| timestamp_ms > current) {
            self.current_ms = Some(timestamp_ms);
            self.advances.push_back((offset, timestamp_ms));
        }
    }

    /// The highest timestamp seen.
    pub fn current_ms(&self) -> Option<i64> {
        self.current_ms
    }

    /// What it was when all records below `offset` had been seen.
    pub fn before_ms(&self, offset: Offset) -> Option<i64> {
        let seen = self.advances.partition_point(|(at, _)| *at < offset);
        match seen {
            0 => self.base_ms,
            n => self.advances.get(n - 1).map(|(_, time)| *time),
        }
    }

    /// `offset` was committed: nobody will ask for anything before it.
    pub fn committed(&mut self, offset: Offset) {
        self.base_ms = self.before_ms(offset);
        while self.advances.front().is_some_and(|(at, _)| *at < offset) {
            self.advances.pop_front();
        }
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
}
