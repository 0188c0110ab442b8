//! How many records a partition may have admitted.
//!
//! The topic between `admit` and `seal` is one queue. A partition with a large backlog, of which `admit` can read more
//! than `seal` seals, would fill it, and a record of another partition would wait behind all of that. So what waits in
//! it is bounded, and each partition is given its share of the room there is, again and again:
//!
//! ```text
//!   room = ahead - waiting          share = room / partitions, at least ahead / 16 where there is room
//! ```
//! How many wait is known a moment late, so each partition may be a share ahead of what is counted.

/// What `admit` may still hand on before it looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    ahead: u64,
    partition_count: u64,
    left: u64,
}

impl Allowance {
    /// Nothing yet. `ahead`: how many records of all partitions may wait for `seal`.
    pub(super) fn new(ahead: u64, partition_count: i32) -> Self {
        Self { ahead, partition_count: u64::from(partition_count.unsigned_abs()).max(1), left: 0 }
    }

    /// So many records wait for `seal`. Returns whether there is room.
    pub(super) fn renew(&mut self, waiting: u64) -> bool {
        let room = self.ahead.saturating_sub(waiting);
        let least = if room > 0 { self.ahead.div_ceil(16) } else { 0 };
        self.left = (room / self.partition_count).max(least);
        self.left > 0
    }

    /// How many of `wanted` records may be handed on.
    pub(super) fn take(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= taken as u64;
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_waits_is_bounded_however_fast_partitions_are_and_none_goes_without(
            ahead in 1..10_000_u64, partition_count in 1..40_i32, sealed in prop::collection::vec(0..5_000_u64, 1..50),
        ) {
            let mut waiting = 0_u64;
            for sealed in sealed {
                let mut shares = Vec::new();
                for _ in 0..partition_count {
                    let mut allowance = Allowance::new(ahead, partition_count);
                    let has_room = allowance.renew(waiting);
                    prop_assert_eq!(has_room, waiting < ahead);
                    shares.push(allowance.take(usize::MAX) as u64);
                    prop_assert_eq!(allowance.take(usize::MAX), 0, "until it looks again");
                }
                prop_assert!(shares.iter().all(|share| *share == shares[0]), "each has the same");
                waiting += shares.iter().sum::<u64>();
                let least = ahead.div_ceil(16) * partition_count.unsigned_abs() as u64;
                prop_assert!(waiting <= ahead + least, "{} of {}", waiting, ahead);
                waiting -= sealed.min(waiting);
            }
        }
    }

    #[test]
    fn a_share_is_of_the_room_there_is() {
        let mut allowance = Allowance::new(1_600, 4);
        assert_eq!(allowance.take(7), 0, "it has not looked yet");
        for (waiting, share) in [(0, 400_usize), (800, 200), (1_500, 100), (1_599, 100), (1_600, 0), (u64::MAX, 0)] {
            assert_eq!(allowance.renew(waiting), share > 0);
            assert_eq!(
                (allowance.take(10), allowance.take(1_000)),
                (10.min(share), share.saturating_sub(10)),
                "{waiting}"
            );
        }
    }
}
