//! Whether what comes of a partition goes on where it was sealed.
//!
//! ```text
//!           ┌── sealed, or in the open block ──┐
//!   offsets ····························· next ····· from ········ offset ····>
//!                                           └── gap ──┘└─ no record ─┘
//!   offset < next             a repetition: passed over
//!   from <= next <= offset    it goes on
//!   next < from               no record says what lies between: nothing, or what was never admitted
//! ```
//! A repetition comes of `admit` beginning again further back, which costs work and nothing else. A missing record was
//! lost on the way, or `admit` began too far ahead.

use std::ops::Range;

/// Where each partition goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sealing) struct Continuity {
    /// By partition: every record below is in a block, or in the open one.
    next: Vec<i64>,
}

/// What a record is to its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sealing) enum Standing {
    /// The next one.
    Next,
    /// It was taken before.
    Repetition,
    /// The next one, if the partition holds no record at these offsets.
    Behind(Range<i64>),
    /// The topic has no such partition.
    Stranger,
}

impl Continuity {
    /// Of so many partitions, of which these are in blocks up to and with an offset.
    pub(in crate::sealing) fn new(partition_count: i32, covered: impl Iterator<Item = (i32, i64)>) -> Self {
        let mut continuity = Self { next: vec![0; usize::try_from(partition_count).unwrap_or(0)] };
        covered.for_each(|(partition, offset)| continuity.take(partition, offset));
        continuity
    }

    /// Judges a record that says that its partition holds none between `from` and it.
    pub(in crate::sealing) fn judge(&self, partition: i32, from: i64, offset: i64) -> Standing {
        let Some(next) = usize::try_from(partition).ok().and_then(|place| self.next.get(place).copied()) else {
            return Standing::Stranger;
        };
        if offset < next {
            Standing::Repetition
        } else if from <= next {
            Standing::Next
        } else {
            Standing::Behind(next..from.min(offset))
        }
    }

    /// A record is in the open block.
    pub(in crate::sealing) fn take(&mut self, partition: i32, offset: i64) {
        if let Some(next) = usize::try_from(partition).ok().and_then(|place| self.next.get_mut(place)) {
            *next = offset.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `admit` does with a partition that has records at these offsets: it begins at `begin` and ends behind
    /// `count` records.
    fn admit(records: &[i64], begin: i64, count: usize) -> Vec<(i64, i64)> {
        let mut from = begin;
        let ahead = records.iter().filter(|offset| **offset >= begin).take(count);
        ahead.map(|offset| (std::mem::replace(&mut from, offset + 1), *offset)).collect()
    }

    #[test]
    fn each_record_is_one_of_the_four() {
        let continuity = Continuity::new(2, [(1, 4)].into_iter());
        for (partition, from, offset, standing) in [
            (1, 5, 5, Standing::Next),
            (1, 0, 5, Standing::Next),
            (1, 5, 9, Standing::Next),
            (1, 4, 4, Standing::Repetition),
            (1, 0, 0, Standing::Repetition),
            (1, 6, 9, Standing::Behind(5..6)),
            (0, 0, 3, Standing::Next),
            (0, 1, 3, Standing::Behind(0..1)),
            (2, 0, 0, Standing::Stranger),
            (-1, 0, 0, Standing::Stranger),
        ] {
            assert_eq!(continuity.judge(partition, from, offset), standing, "{partition} {from} {offset}");
        }
    }

    proptest! {
        #[test]
        fn wherever_admit_begins_again_each_record_is_taken_once_and_none_is_left_out_unnoticed(
            gaps in prop::collection::vec(0..4_i64, 1..60),
            lives in prop::collection::vec((0..80_i64, 0..20_usize), 1..12),
        ) {
            let mut offset = -1;
            let records: Vec<i64> = gaps.iter().map(|gap| { offset += gap + 1; offset }).collect();
            let mut continuity = Continuity::new(1, std::iter::empty());
            let mut taken = Vec::new();
            'lives: for (begin, count) in lives {
                for (from, offset) in admit(&records, begin, count) {
                    match continuity.judge(0, from, offset) {
                        Standing::Next => {}
                        Standing::Repetition => continue,
                        Standing::Behind(gap) if records.iter().any(|offset| gap.contains(offset)) => break 'lives,
                        Standing::Behind(_) => {}
                        Standing::Stranger => unreachable!(),
                    }
                    continuity.take(0, offset);
                    taken.push(offset);
                }
            }
            prop_assert_eq!(&taken[..], &records[..taken.len()]);
        }
    }
}
