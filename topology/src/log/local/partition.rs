//! What the broker knows of a partition beside its records.

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
    /// Aborted transactions that have batches here, by last offset.
    pub(crate) aborted: Arc<Vec<Aborted>>,
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
        if self.aborted.first().is_none_or(|aborted| aborted.last >= offset) {
            return Vec::new();
        }
        let (gone, kept) = self.aborted.iter().partition(|aborted| aborted.last < offset);
        self.aborted = Arc::new(kept);
        gone
    }
}

/// Whether a batch of this producer that begins at `base` was aborted.
pub(crate) fn is_aborted(aborted: &[Aborted], producer_id: i64, base: Offset) -> bool {
    let from = aborted.partition_point(|aborted| aborted.last < base);
    aborted
        .get(from..)
        .unwrap_or_default()
        .iter()
        .any(|aborted| aborted.producer_id == producer_id && aborted.first <= base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_aborted_only_within_the_stretch_of_its_own_producer() {
        let aborted = [
            Aborted { producer_id: 1, first: 0, last: 4 },
            Aborted { producer_id: 2, first: 2, last: 6 },
            Aborted { producer_id: 1, first: 8, last: 9 },
        ];
        assert!(is_aborted(&aborted, 1, 0));
        assert!(is_aborted(&aborted, 2, 5));
        assert!(is_aborted(&aborted, 1, 8));
        assert!(!is_aborted(&aborted, 1, 5));
        assert!(!is_aborted(&aborted, 2, 0));
        assert!(!is_aborted(&aborted, 3, 3));
        assert!(!is_aborted(&aborted, 1, 10));
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
