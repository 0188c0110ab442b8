//! How far the input is in blocks, kept with the state.
//!
//! The group's committed offset says the same, as long as there is one: Kafka forgets the offsets of a group that had no members
//! for a week, and an operator can delete them. Then input is delivered again from its beginning, and none of it may be sealed
//! a second time.
//!
//! ```text
//! table tip:  key   "covered" | partition i32 big-endian
//!             value format u8 (2) | last offset in a block, i64 big-endian | that record's timestamp, i64 big-endian, ms
//!                   | SHA-256 of its value, 32 bytes
//!                   format 1 has no timestamp
//! ```
//! Timestamp and hash tell a topic that is read again from one that was deleted and made anew, whose offsets mean other records.
//! So does an end of the input at or below the offset.

use topology::Error;
use topology::codec::Bytes;
use topology::processor::Record;

use crate::chain::{Entry, Hash, Origin};
use crate::ledger::state::{Table, View};

use super::view::Tables;

const FORMAT: u8 = 2;
const FORMAT_WITHOUT_TIMESTAMP: u8 = 1;

/// The last record of a partition that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covered {
    offset: i64,
    /// `None`: an earlier version wrote it.
    timestamp_ms: Option<i64>,
    original: Hash,
}

impl Covered {
    pub(super) fn of(entry: &Entry) -> Self {
        let Origin { offset, timestamp_ms, .. } = entry.origin;
        Self { offset, timestamp_ms: Some(timestamp_ms), original: entry.original }
    }

    pub(super) fn read(tables: &Tables, partition: i32) -> topology::Result<Option<Self>> {
        let mut value = Vec::new();
        if !tables.get(Table::Tip, &key(partition), &mut value)? {
            return Ok(None);
        }
        Self::decode(&value).map(Some).ok_or_else(|| {
            Error::stop("the state says in a format that this version cannot read how far the input is sealed: run the version that wrote it")
        })
    }

    pub(super) fn write(&self, tables: &Tables, partition: i32) -> topology::Result<()> {
        Ok(tables.put(Table::Tip, &key(partition), &self.encode())?)
    }

    fn encode(&self) -> Vec<u8> {
        let mut value = vec![if self.timestamp_ms.is_some() { FORMAT } else { FORMAT_WITHOUT_TIMESTAMP }];
        value.extend_from_slice(&self.offset.to_be_bytes());
        value.extend(self.timestamp_ms.into_iter().flat_map(i64::to_be_bytes));
        value.extend_from_slice(self.original.as_bytes());
        value
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (format, rest) = value.split_first()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (timestamp_ms, hash) = match *format {
            FORMAT_WITHOUT_TIMESTAMP => (None, rest),
            FORMAT => rest.split_first_chunk::<8>().map(|(time, hash)| (Some(i64::from_be_bytes(*time)), hash))?,
            _ => return None,
        };
        Some(Self { offset: i64::from_be_bytes(*offset), timestamp_ms, original: Hash(hash.try_into().ok()?) })
    }

    /// Errors where the input ends before what is in blocks does: the log never takes back what was committed to it.
    pub(super) fn check_end(&self, input_end: i64) -> topology::Result<()> {
        if input_end > self.offset { Ok(()) } else { Err(other_topic(self)) }
    }

    /// Whether it is this record.
    fn is(&self, record: &Record<'_, Bytes, Bytes>) -> bool {
        record.offset == self.offset
            && self.timestamp_ms.is_none_or(|timestamp_ms| timestamp_ms == record.timestamp_ms)
            && Hash::of_nullable(record.value) == self.original
    }
}

fn key(partition: i32) -> Vec<u8> {
    [b"covered".as_slice(), &partition.to_be_bytes()].concat()
}

/// Passing over input that is in blocks already.
///
/// ```text
///   Not ── a record at or below the covered offset ──> Began ── the covered record itself ──> Done
///                                                        └── another record in its place, or none ──> stop
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Passing {
    #[default]
    Not,
    Began,
    Done,
}

impl Passing {
    /// Whether a record is in a block already. Errors where the topic is not the one that the chain was made from.
    pub(super) fn passes(
        &mut self,
        covered: Option<&Covered>,
        record: &Record<'_, Bytes, Bytes>,
    ) -> topology::Result<bool> {
        let Some(covered) = covered else { return Ok(false) };
        if record.offset > covered.offset {
            return if *self == Passing::Began { Err(other_topic(covered)) } else { Ok(false) };
        }
        if *self == Passing::Not {
            tracing::warn!(
                from = record.offset,
                through = covered.offset,
                "the group's offsets were lost: passing over input that is in blocks already"
            );
            *self = Passing::Began;
        }
        if record.offset == covered.offset {
            if !covered.is(record) {
                return Err(other_topic(covered));
            }
            *self = Passing::Done;
        }
        Ok(true)
    }
}

fn other_topic(covered: &Covered) -> Error {
    Error::stop(format!(
        "the chain holds the transactions topic up to offset {}, but another record stands there now, or none: the topic was \
         deleted and made anew. Give the topic that belongs to this chain, or begin a new chain for the new topic",
        covered.offset
    ))
}

#[cfg(test)]
mod tests {
    use topology::log::Headers;

    use super::*;

    #[test]
    fn both_formats_are_read_and_nothing_else_is() {
        let original = Hash([7; 32]);
        for timestamp_ms in [None, Some(0), Some(-1), Some(i64::MAX)] {
            let covered = Covered { offset: 41, timestamp_ms, original };
            let value = covered.encode();
            assert_eq!(Covered::decode(&value), Some(covered));
            assert_eq!(Covered::decode(&value[..value.len() - 1]), None);
            assert_eq!(Covered::decode(&[&value[..], &[0]].concat()), None);
            assert_eq!(Covered::decode(&[&[3], &value[1..]].concat()), None, "an unknown format");
        }
        let first = [&[1u8][..], &41i64.to_be_bytes(), &[7; 32]].concat();
        assert_eq!(Covered::decode(&first), Some(Covered { offset: 41, timestamp_ms: None, original }));
        let second = [&[2u8][..], &41i64.to_be_bytes(), &9i64.to_be_bytes(), &[7; 32]].concat();
        assert_eq!(Covered::decode(&second), Some(Covered { offset: 41, timestamp_ms: Some(9), original }));
    }

    #[test]
    fn another_timestamp_is_another_record_where_a_timestamp_is_known() {
        fn record(timestamp_ms: i64, value: &[u8]) -> Record<'_, Bytes, Bytes> {
            Record { offset: 3, timestamp_ms, key: None, value: Some(value), headers: Headers::NONE }
        }
        let covered = |timestamp_ms| Covered { offset: 3, timestamp_ms, original: Hash::of(b"pay") };
        assert!(covered(Some(5)).is(&record(5, b"pay")));
        assert!(!covered(Some(5)).is(&record(6, b"pay")));
        assert!(!covered(Some(5)).is(&record(5, b"bay")));
        assert!(covered(None).is(&record(6, b"pay")), "an earlier version knew none");
        assert!(!covered(None).is(&record(6, b"bay")));
    }

    #[test]
    fn an_input_that_ends_at_or_before_what_is_sealed_is_another() {
        let covered = Covered { offset: 3, timestamp_ms: Some(5), original: Hash::ZERO };
        assert!(covered.check_end(4).is_ok());
        for end in [0, 3] {
            assert!(covered.check_end(end).unwrap_err().to_string().contains("made anew"));
        }
    }
}
