//! How far the input is in blocks, kept with the state.
//!
//! The group's committed offset says the same, as long as there is one: Kafka forgets the offsets of a group that had no members
//! for a week, and an operator can delete them. Then input is delivered again from its beginning, and none of it may be sealed
//! a second time.
//!
//! ```text
//! table tip:  key   "covered" | partition i32 big-endian
//!             value format u8 (1) | last offset in a block, i64 big-endian | SHA-256 of that record's value, 32 bytes
//! ```
//! The hash tells a topic that is read again from one that was deleted and made anew, whose offsets mean other records.

use topology::Error;
use topology::codec::Bytes;
use topology::processor::Record;

use crate::chain::{Entry, Hash};
use crate::ledger::state::{Table, View};

use super::view::Tables;

const FORMAT: u8 = 1;

/// The last record of a partition that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covered {
    offset: i64,
    original: Hash,
}

impl Covered {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { offset: entry.origin.offset, original: entry.original }
    }

    pub(super) fn read(tables: &Tables, partition: i32) -> topology::Result<Option<Self>> {
        let mut value = Vec::new();
        if !tables.get(Table::Tip, &key(partition), &mut value)? {
            return Ok(None);
        }
        let read = || {
            let (format, rest) = value.split_first()?;
            let (offset, hash) = rest.split_first_chunk::<8>()?;
            let known = *format == FORMAT;
            known.then_some(Self { offset: i64::from_be_bytes(*offset), original: Hash(hash.try_into().ok()?) })
        };
        read().map(Some).ok_or_else(|| {
            Error::stop("the state says in a format that this version cannot read how far the input is sealed: run the version that wrote it")
        })
    }

    pub(super) fn write(&self, tables: &Tables, partition: i32) -> topology::Result<()> {
        let mut value = vec![FORMAT];
        value.extend_from_slice(&self.offset.to_be_bytes());
        value.extend_from_slice(self.original.as_bytes());
        Ok(tables.put(Table::Tip, &key(partition), &value)?)
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
            if Hash::of_nullable(record.value) != covered.original {
                return Err(other_topic(covered));
            }
            *self = Passing::Done;
        }
        Ok(true)
    }
}

fn other_topic(covered: &Covered) -> Error {
    Error::stop(format!(
        "the chain holds the transactions topic up to offset {}, but another record stands there now: the topic was deleted \
         and made anew. Give the topic that belongs to this chain, or begin a new chain for the new topic",
        covered.offset
    ))
}
