//! The transactions topic, as the sealer asks about it.

use crate::chain::{Hash, TIMESTAMP_MS_MAX};
use crate::ledger::state::Covered;

/// The transactions topic, read from outside of the task.
pub trait Origin: Send + Sync {
    /// The first committed record of a partition at or behind `from` and before `to`; `None`: it has none there.
    fn first_record(&self, partition: i32, from: i64, to: i64) -> topology::Result<Option<i64>>;

    /// What tells the topic of this name, in which partitions are merged, from others that had its name.
    fn order_id(&self, topic: &str) -> topology::Result<[u8; 16]>;

    /// How many records were admitted and are not sealed yet, as far as is known. Answers at once.
    fn waiting(&self) -> u64;

    /// What stands at these places now, each a partition and an offset, in the order given.
    fn look_up(&self, places: &[(i32, i64)]) -> topology::Result<Vec<Found>>;
}

/// What stands at a place of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// What stood there was deleted by retention.
    Deleted,
    /// No record, or the partition ends before.
    Nothing,
    /// A record.
    Record {
        /// Its timestamp, in milliseconds since 1970 UTC.
        timestamp_ms: i64,
        /// SHA-256 of its value; zeros for a null value.
        original: Hash,
    },
}

impl Found {
    /// Whether it can be the record that is in a block.
    pub(in crate::sealing) fn may_be(&self, covered: &Covered) -> bool {
        match self {
            Self::Deleted => true,
            Self::Nothing => false,
            Self::Record { timestamp_ms, original } => {
                (*timestamp_ms).clamp(-TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX) == covered.timestamp_ms
                    && *original == covered.original
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_one_in_a_block_if_time_and_value_are() {
        let covered = Covered { offset: 3, timestamp_ms: TIMESTAMP_MS_MAX, original: Hash::of(b"pay") };
        let record = |timestamp_ms, value| Found::Record { timestamp_ms, original: Hash::of(value) };
        assert!(record(TIMESTAMP_MS_MAX, b"pay").may_be(&covered) && record(i64::MAX, b"pay").may_be(&covered));
        assert!(!record(5, b"pay").may_be(&covered) && !record(i64::MAX, b"bay").may_be(&covered));
        assert!(Found::Deleted.may_be(&covered) && !Found::Nothing.may_be(&covered));
    }
}
