//! What the broker knows of a partition beside its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::Offset;

/// ```text
///  low          stable                 end
///   |  readable    |  open, or behind    |
///   |  committed   |  something open     |
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Partition {
    /// First offset there may be.
    pub(crate) low: Offset,
    /// One past the last: the high watermark.
    pub(crate) end: Offset,
    /// Open transactions with records here: producer id and first offset.
    pub(crate) open: Vec<(i64, Offset)>,
    /// Aborted transactions that have batches here.
    pub(crate) aborted: Arc<AbortedStretches>,
    /// Everything below was compacted.
    pub(crate) cleaned_to: Offset,
    /// Bytes of batches below `cleaned_to`.
    pub(crate) clean_bytes: u64,
    /// Bytes of batches from there on.
    pub(crate) dirty_bytes: u64,
    /// Before this moment, ms since 1970, too little has come of age (`min.compaction.lag.ms`) to be worth a look. Not
    /// stored: after a restart it is found out again.
    pub(crate) young_until_ms: i64,
}

/// An aborted transaction's stretch of a partition: batches of this producer within it are no one's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    /// Offset of its first record.
    pub(crate) first: Offset,
    /// Offset of its marker.
    pub(crate) last: Offset,
}

impl Partition {
    /// The last stable offset: nothing below it is undecided.
    pub(crate) fn stable(&self) -> Offset {
        self.open.iter().map(|(_, first)| *first).min().unwrap_or(self.end).max(self.low)
    }

    /// Forgets aborted transactions that end below this offset.
    pub(crate) fn forget_aborted_below(&mut self, offset: Offset) -> Vec<Aborted> {
        let gone: Vec<Aborted> = self.aborted.iter().filter(|aborted| aborted.last < offset).collect();
        if !gone.is_empty() {
            let aborted = Arc::make_mut(&mut self.aborted);
            gone.iter().for_each(|stretch| aborted.remove(stretch));
        }
        gone
    }
}

/// Aborted transactions' stretches of a partition. Those of one producer do not overlap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AbortedStretches {
    /// Producer id and last offset, to the first one.
    first_by_last: BTreeMap<(i64, Offset), Offset>,
}

impl AbortedStretches {
    /// Whether a batch of this producer that begins at `base` was aborted.
    pub(crate) fn contain(&self, producer_id: i64, base: Offset) -> bool {
        let mut ends_behind = self.first_by_last.range((producer_id, base)..=(producer_id, Offset::MAX));
        ends_behind.next().is_some_and(|(_, first)| *first <= base)
    }

    pub(crate) fn add(&mut self, Aborted { producer_id, first, last }: Aborted) {
        self.first_by_last.insert((producer_id, last), first);
    }

    fn remove(&mut self, Aborted { producer_id, last, .. }: &Aborted) {
        self.first_by_last.remove(&(*producer_id, *last));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Aborted> {
        self.first_by_last.iter().map(|((producer_id, last), first)| Aborted {
            producer_id: *producer_id,
            first: *first,
            last: *last,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_aborted_only_within_the_stretch_of_its_own_producer() {
        let mut aborted = AbortedStretches::default();
        aborted.add(Aborted { producer_id: 1, first: 0, last: 4 });
        aborted.add(Aborted { producer_id: 2, first: 2, last: 6 });
        aborted.add(Aborted { producer_id: 1, first: 8, last: 9 });
        assert!([(1, 0), (1, 4), (2, 5), (1, 8)].into_iter().all(|(producer, base)| aborted.contain(producer, base)));
        let others = [(1, 5), (2, 0), (3, 3), (1, 10), (0, 1)];
        assert!(others.into_iter().all(|(producer, base)| !aborted.contain(producer, base)));
        let mut partition = Partition { aborted: Arc::new(aborted), ..Partition::default() };
        let gone = partition.forget_aborted_below(9);
        assert_eq!(gone.iter().map(|gone| gone.last).collect::<Vec<_>>(), [4, 6]);
        assert!(partition.aborted.contain(1, 8) && !partition.aborted.contain(1, 0));
    }

    #[test]
    fn the_stable_offset_is_the_first_undecided_one() {
        let mut partition = Partition { low: 2, end: 9, ..Partition::default() };
        assert_eq!(partition.stable(), 9);
        partition.open = vec![(1, 7), (2, 5)];
        assert_eq!(partition.stable(), 5);
        partition.low = 6;
        assert_eq!(partition.stable(), 6);
    }
}
