//! Which records of a run the processors have come to: stream time at a record is the same however the input was cut
//! into runs, though some processors take a run as a whole and others take it record by record.

use std::collections::VecDeque;

use crate::log::Offset;

use super::position::Position;

/// Offsets and timestamps of the records of a run that no processor has come to yet. A run is of one input.
#[derive(Debug, Default)]
pub(super) struct Upcoming {
    input: usize,
    records: VecDeque<(Offset, i64)>,
}

impl Upcoming {
    /// A run of an input begins.
    pub(super) fn expect(&mut self, input: usize, run: impl Iterator<Item = (Offset, i64)>) {
        self.input = input;
        self.records.clear();
        self.records.extend(run);
    }

    /// The next one up to and with `position`.
    #[inline]
    pub(super) fn take_through(&mut self, position: Position) -> Option<(Offset, i64)> {
        let is_reached = |(at, _): &(Offset, i64)| position.input == self.input && *at <= position.offset;
        if self.records.front().is_some_and(is_reached) { self.records.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_come_to_once_and_in_order() {
        let mut upcoming = Upcoming::default();
        upcoming.expect(1, [(5, 50), (6, 60), (9, 90)].into_iter());
        let mut through = |input, offset| {
            std::iter::from_fn(|| upcoming.take_through(Position::new(input, offset))).collect::<Vec<_>>()
        };
        assert_eq!(through(1, -1), []);
        assert_eq!(through(0, 6), [], "another input");
        assert_eq!(through(1, 6), [(5, 50), (6, 60)]);
        assert_eq!(through(1, 6), []);
        assert_eq!(through(1, i64::MAX), [(9, 90)]);
    }
}
