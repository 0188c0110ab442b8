//! In which order the records of several inputs were taken.

use std::collections::VecDeque;

use crate::log::Offset;

use super::position::Position;

/// The runs of records that a task took, in order, from the first on that may be held yet.
///
/// ```text
///   taken   b0 b1 b2 │ a0 │ b3 b4 │ a1 a2 │            a holds nothing, b from 1
///   runs    (b, 0)   (a, 0) (b, 3)  (a, 1)
///   behind b1 came first of a: a0
/// ```
/// After a restart a task takes records again from the committed offsets on. To take them in the same order as before,
/// it must find those of other inputs that came behind a held one. A task of one input needs none of this.
#[derive(Debug, Default)]
pub(super) struct Interleaving {
    /// Where each begins; it ends where the next one of its input begins.
    runs: VecDeque<Position>,
}

impl Interleaving {
    /// Records of an input are taken, from this one on.
    pub(super) fn take(&mut self, first: Position) {
        if self.runs.back().is_none_or(|last| last.input != first.input) {
            self.runs.push_back(first);
        }
    }

    /// Records of an input, from this one on, were not taken after all.
    pub(super) fn take_back(&mut self, from: Position) {
        self.runs.retain(|run| run.input != from.input || run.offset < from.offset);
    }

    /// Of an input the first record that was taken behind `held`, where one was.
    pub(super) fn first_behind(&self, held: Position, input: usize) -> Option<Offset> {
        let of_held = self.runs.iter().rposition(|run| run.input == held.input && run.offset <= held.offset)?;
        self.runs.iter().skip(of_held).find(|run| run.input == input).map(|run| run.offset)
    }

    /// Forgets runs in front of which nothing is held: `committed` tells the committed offset of an input, `next` how
    /// far it was taken.
    pub(super) fn forget_committed(&mut self, committed: impl Fn(usize) -> Offset, next: impl Fn(usize) -> Offset) {
        while let Some(run) = self.runs.front() {
            let following = self.runs.iter().skip(1).find(|following| following.input == run.input);
            if following.map_or_else(|| next(run.input), |following| following.offset) > committed(run.input) {
                break;
            }
            self.runs.pop_front();
        }
    }

    /// Everything that was taken is committed.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: usize = 0;
    const B: usize = 1;

    fn drawn() -> Interleaving {
        let mut drawn = Interleaving::default();
        for (input, offset) in [(B, 0), (A, 0), (B, 3), (B, 4), (A, 1)] {
            drawn.take(Position::new(input, offset));
        }
        drawn
    }

    #[test]
    fn the_first_record_behind_a_held_one_is_found_for_each_input() {
        let drawn = drawn();
        assert_eq!(drawn.first_behind(Position::new(B, 1), A), Some(0));
        assert_eq!(drawn.first_behind(Position::new(B, 4), A), Some(1));
        assert_eq!(drawn.first_behind(Position::new(A, 0), B), Some(3));
        assert_eq!(drawn.first_behind(Position::new(A, 2), B), None);
    }

    #[test]
    fn what_was_not_taken_or_is_committed_is_forgotten() {
        let mut drawn = drawn();
        drawn.take_back(Position::new(A, 1));
        assert_eq!(drawn.first_behind(Position::new(B, 3), A), None);
        drawn.forget_committed(|input| if input == B { 3 } else { 0 }, |input| if input == B { 5 } else { 1 });
        assert_eq!(drawn.runs, [Position::new(A, 0), Position::new(B, 3)]);
    }

    #[test]
    fn an_input_that_brings_nothing_more_keeps_no_later_runs_back() {
        let mut order = Interleaving::default();
        order.take(Position::new(A, 0));
        for offset in 0..1_000 {
            order.take(Position::new(B, offset));
            order.take(Position::new(2, offset));
            // The last record of B is held all the time, and all of A is committed.
            let next = |input| if input == A { 1 } else { offset + 1 };
            order.forget_committed(|input| if input == A { 1 } else { offset }, next);
            assert!(order.runs.len() <= 4, "{}", order.runs.len());
            assert_eq!(order.first_behind(Position::new(B, offset), 2), Some(offset));
        }
    }
}
