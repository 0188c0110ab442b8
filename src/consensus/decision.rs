//! Decisions: what a block depends on that is not a function of the log.
//!
//! A decision is committed to the `decisions` store **before any validator signs** anything that depends on it. After a
//! crash or an aborted transaction the same committed decisions lead to the same header, so no validator ever signs two
//! headers for one turn. Once the block is sealed, its height's decisions are deleted in the same transaction.
//!
//! ```text
//! key     height u64 big-endian | kind u8 (1 cut, 2 round passed) | round u32 big-endian (0 for a cut)
//! value   format u8 (1) | canonical encoding:
//!           1 u8 | height u64 | cut u8 | through_offset i64
//!           2 u8 | height u64 | round u32 | why u8                     integers little-endian
//! ```
//!
//! Keys sort by height, so the decisions of one height are one stretch of the store.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::chain::{Cut, from_canonical, to_canonical};

const FORMAT: u8 = 1;

/// Bytes of the key of a decision.
pub const KEY_SIZE_BYTES: usize = 13;

/// Why a round passed without a proposal that could be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Passed {
    /// The drawn proposer made no proposal.
    Silence = 1,
}

/// A decision.
///
/// ```
/// use cairn::consensus::{Decision, decision::Passed};
///
/// let decision = Decision::RoundPassed { height: 7, round: 0, why: Passed::Silence };
/// assert_eq!(Decision::from_value(&decision.value()), Some(decision));
/// assert!(decision.key().starts_with(&Decision::key_prefix(7)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Decision {
    /// The open block ends after a record although no rule of the log ends it there.
    Cut {
        /// The block's height.
        height: u64,
        /// Why: [`Cut::Age`] or [`Cut::End`].
        cut: Cut,
        /// The offset, in the partition being sealed, of the block's last record.
        through_offset: i64,
    } = 1,
    /// A round passes; the next one draws again.
    RoundPassed {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
        /// Why.
        why: Passed,
    } = 2,
}

impl Decision {
    /// The height it is about.
    #[must_use]
    pub fn height(&self) -> u64 {
        match self {
            Decision::Cut { height, .. } | Decision::RoundPassed { height, .. } => *height,
        }
    }

    /// What the keys of all decisions about a height start with.
    #[must_use]
    pub fn key_prefix(height: u64) -> [u8; 8] {
        height.to_be_bytes()
    }

    /// The key in the store.
    #[must_use]
    pub fn key(&self) -> [u8; KEY_SIZE_BYTES] {
        let (kind, round) = match self {
            Decision::Cut { .. } => (1, 0),
            Decision::RoundPassed { round, .. } => (2, *round),
        };
        let mut key = [kind; KEY_SIZE_BYTES];
        key[..8].copy_from_slice(&Self::key_prefix(self.height()));
        key[9..].copy_from_slice(&round.to_be_bytes());
        key
    }

    /// The value in the store.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let mut value = vec![FORMAT];
        value.extend_from_slice(&to_canonical(self));
        value
    }

    /// Reads a value of the store. `None`: a format this program does not know, or bytes that are no decision.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Option<Decision> {
        let bytes = value.strip_prefix(&[FORMAT])?;
        from_canonical(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Decision> {
        let heights = [0, 1, 255, 256, u64::MAX];
        let rounds = [0, 1, 256, u32::MAX];
        let cuts = heights.map(|height| Decision::Cut { height, cut: Cut::Age, through_offset: 41 });
        let passed = heights
            .into_iter()
            .flat_map(|height| rounds.map(|round| Decision::RoundPassed { height, round, why: Passed::Silence }));
        cuts.into_iter().chain(passed).collect()
    }

    #[test]
    fn a_decision_survives_the_store_and_nothing_else_reads_as_one() {
        for decision in all() {
            let value = decision.value();
            assert_eq!(Decision::from_value(&value), Some(decision));
            assert_eq!(Decision::from_value(&value[..value.len() - 1]), None);
            assert_eq!(Decision::from_value(&[value.as_slice(), &[0]].concat()), None);
            assert_eq!(Decision::from_value(&[&[2], &value[1..]].concat()), None, "an unknown format");
        }
        assert_eq!(Decision::from_value(&[]), None);
    }

    #[test]
    fn keys_sort_by_height_and_are_unique() {
        let mut by_key = all();
        by_key.sort_by_key(Decision::key);
        assert!(by_key.windows(2).all(|two| two[0].height() <= two[1].height() && two[0].key() != two[1].key()));
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let cut = Decision::Cut { height: 0x0102, cut: Cut::End, through_offset: 3 };
        assert_eq!(cut.key(), [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0]);
        assert_eq!(cut.value(), [1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 5, 3, 0, 0, 0, 0, 0, 0, 0]);
        let passed = Decision::RoundPassed { height: 2, round: 0x0304, why: Passed::Silence };
        assert_eq!(passed.key(), [0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 3, 4]);
        assert_eq!(passed.value(), [1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 1]);
    }
}
