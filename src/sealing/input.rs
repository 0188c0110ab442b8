//! Where the input goes on: behind the last record that is in a block, whatever the group's committed offset says.
//!
//! Kafka forgets the offsets of a group that had no members for a week, and an operator can move or delete them, or
//! bring those of another cluster. The state (and the last block) says how far the input is sealed; the state root
//! commits to it.
//!
//! ```text
//!   covered record c        input begins at c, which must be there as it was, and is passed over
//!   c deleted by retention  input begins at the first record there is
//!   nothing is sealed yet   input begins at the first record there is
//! ```
//! The covered record's timestamp and hash tell a topic that is read again from one that was deleted and made anew,
//! whose offsets mean other records. So does an end of the input at or below its offset.

use topology::Error;
use topology::processor::{Context, Position, Record};

use crate::chain::{Block, Entry, Hash, TIMESTAMP_MS_MAX};
use crate::ledger::state::Covered;

/// The transactions topic, the only input there is.
pub(super) const TRANSACTIONS: usize = 0;

/// A place in the transactions topic.
pub(super) fn at(offset: i64) -> Position {
    Position::new(TRANSACTIONS, offset)
}

/// Where the input goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputStart {
    /// The record that must come first: it is in a block already. `None` once it came, or where none must.
    expected: Option<Covered>,
    /// Where the group's offset would have begun. `None` once it was told that this was not where input begins.
    group_offset: Option<i64>,
}

impl InputStart {
    /// Sets where the task's input begins. `covered` is the last record of the partition that is in a block.
    pub(super) fn set(covered: Option<&Covered>, context: &mut Context<'_, [u8], [u8]>) -> topology::Result<Self> {
        let first = context.first_position(TRANSACTIONS);
        let group_offset = context.next_position(TRANSACTIONS).offset;
        let Some(covered) = covered else {
            context.begin_at(first)?;
            return Ok(Self { expected: None, group_offset: Some(group_offset) });
        };
        if context.end_position(TRANSACTIONS).offset <= covered.offset {
            return Err(other_topic(covered));
        }
        let is_deleted = first.offset > covered.offset;
        context.begin_at(if is_deleted { at(covered.offset).next() } else { at(covered.offset) })?;
        if group_offset <= covered.offset {
            let (group, sealed) = (group_offset, covered.offset);
            tracing::warn!(
                group,
                sealed,
                "the group's offsets were lost or moved back, or there were none yet: input goes on behind the last block"
            );
        }
        Ok(Self { expected: (!is_deleted).then_some(*covered), group_offset: Some(group_offset) })
    }

    /// Whether a record is in a block already. Errors where the topic is not the one that the chain was made from.
    pub(super) fn passes(&mut self, record: &Record<'_, [u8], [u8]>) -> topology::Result<bool> {
        if let Some(covered) = self.expected.take() {
            return if is(&covered, record) { Ok(true) } else { Err(other_topic(&covered)) };
        }
        if let Some(group) = self.group_offset.take()
            && record.offset < group
        {
            let from = record.offset;
            tracing::warn!(
                group,
                from,
                "the group's offsets were moved ahead of what is in blocks: nothing is skipped"
            );
        }
        Ok(false)
    }
}

/// The last record that a block holds.
pub(super) fn last_of(block: &Block) -> Option<Covered> {
    block.entries.last().map(covered)
}

fn covered(entry: &Entry) -> Covered {
    Covered { offset: entry.origin.offset, timestamp_ms: entry.origin.timestamp_ms, original: entry.original }
}

fn is(covered: &Covered, record: &Record<'_, [u8], [u8]>) -> bool {
    record.offset == covered.offset
        && record.timestamp_ms.clamp(-TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX) == covered.timestamp_ms
        && Hash::of_nullable(record.value) == covered.original
}

fn other_topic(covered: &Covered) -> Error {
    Error::stop(format!(
        "the chain holds the transactions topic up to offset {}, but another record stands there now, or none: the topic was \
         deleted and made anew, or it is another cluster's. Give the topic that belongs to this chain, or begin a new chain for \
         the new topic",
        covered.offset
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, timestamp_ms: i64, value: &[u8]) -> Record<'_, [u8], [u8]> {
        Record::new(at(offset), timestamp_ms, None, Some(value))
    }

    #[test]
    fn the_covered_record_must_come_first_and_as_it_was() {
        let covered = Covered { offset: 3, timestamp_ms: 5, original: Hash::of(b"pay") };
        let start = InputStart { expected: Some(covered), group_offset: Some(4) };
        assert!({ start }.passes(&record(3, 5, b"pay")).unwrap());
        for other in [record(3, 6, b"pay"), record(3, 5, b"bay"), record(4, 5, b"pay"), record(2, 5, b"pay")] {
            let refusal = { start }.passes(&other).unwrap_err().to_string();
            assert!(refusal.contains("made anew"), "{refusal}");
        }
    }

    #[test]
    fn behind_the_covered_record_nothing_is_passed_over() {
        let covered = Covered { offset: 3, timestamp_ms: 5, original: Hash::of(b"pay") };
        let mut start = InputStart { expected: Some(covered), group_offset: Some(9) };
        assert!(start.passes(&record(3, 5, b"pay")).unwrap());
        assert!(!start.passes(&record(4, 5, b"pay")).unwrap());
    }
}
