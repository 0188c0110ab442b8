//! The records of a changelog.
//!
//! ```text
//!               key                              value
//! put           | 0x01 | the key's bytes |       | 0x02 | event time, i64, big end | the value's bytes |
//! delete        | 0x01 | the key's bytes |       none: a tombstone, which compaction removes in the end
//! incarnation   | 0x00 | "incarnation" | beginner, 16 bytes, or nothing |
//!                                               | 0x02 | incarnation, 16 bytes | fingerprint, 32 bytes |
//! covered       | 0x00 | "covered"       |       | 0x02 | see [`Covered`] |
//! ```
//! The incarnation is the first record of every changelog. Its key is written once, so compaction keeps it first: where
//! several may begin a changelog, each of them writes one with a beginner of its own. What is covered is written by
//! each transaction that writes the store, ahead of its entries; compaction keeps the last one.

use super::covered::Covered;
use crate::log::{Offset, Record, TopicPartition};
use crate::store::changelog::{Fingerprint, Incarnation, Timed};
use crate::store::error::{Error, Kind, Result};

const SYSTEM: u8 = 0;
const ENTRY: u8 = 1;
const FORMAT: u8 = 2;
/// The key of the incarnation record, or what it begins with.
pub const INCARNATION_KEY: &[u8] = b"\0incarnation";
/// The key of the record that tells which input the state is made from.
pub const COVERED_KEY: &[u8] = b"\0covered";

/// A changelog record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The key has this value from here on.
    Put {
        /// The key.
        key: &'a [u8],
        /// Its value behind the event time, as [`Timed`] has it.
        value: &'a [u8],
    },
    /// The key has no value from here on.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// Which changelog this is.
    Incarnation(Origin),
    /// Which input the state is made from, with the entries of its transaction.
    Covered(Covered),
}

/// Which changelog it is, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Of the topic.
    pub incarnation: Incarnation,
    /// Of the application that made it.
    pub fingerprint: Fingerprint,
}

/// How a changelog begins that is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// What tells it from any other changelog.
    pub incarnation: Incarnation,
    /// Set where others may begin it beside this one, with the same incarnation: random, so that each record of theirs
    /// stays.
    pub beginner: Option<[u8; 16]>,
}

impl From<Incarnation> for Beginning {
    /// No other member can begin it.
    fn from(incarnation: Incarnation) -> Self {
        Self { incarnation, beginner: None }
    }
}

impl Beginning {
    /// Puts the key of its record into `out`.
    pub fn encode_key(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(INCARNATION_KEY);
        self.beginner.iter().for_each(|beginner| out.extend_from_slice(beginner));
    }
}

fn is_incarnation_key(key: &[u8]) -> bool {
    key.strip_prefix(INCARNATION_KEY).is_some_and(|beginner| matches!(beginner.len(), 0 | 16))
}

/// Puts the record's key for a store's key into `out`.
pub fn encode_key(key: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(ENTRY);
    out.extend_from_slice(key);
}

/// Puts the record's value for a store's value, which begins with its event time, into `out`.
pub fn encode_value(value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(FORMAT);
    out.extend_from_slice(value);
}

/// Puts the value of the record with [`COVERED_KEY`] into `out`.
pub fn encode_covered(covered: &Covered, out: &mut Vec<u8>) {
    out.clear();
    out.push(FORMAT);
    covered.encode(out);
}

impl Origin {
    /// How many bytes the value of an incarnation record has.
    pub const SIZE_BYTES: usize = 49;

    /// The value of the incarnation record.
    pub fn encode(&self) -> [u8; Self::SIZE_BYTES] {
        let mut bytes = [FORMAT; Self::SIZE_BYTES];
        bytes[1..17].copy_from_slice(&self.incarnation);
        bytes[17..49].copy_from_slice(&self.fingerprint);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (incarnation, rest) = bytes.split_first_chunk::<16>()?;
        Some(Self { incarnation: *incarnation, fingerprint: rest.try_into().ok()? })
    }
}

/// Reads a record of the changelog `partition`, or says which one is not what a changelog holds.
#[inline]
pub fn decode<'a>(partition: &TopicPartition, record: &Record<'a>) -> Result<Entry<'a>> {
    match (record.key.and_then(<[u8]>::split_first), record.value.map(<[u8]>::split_first)) {
        (Some((&ENTRY, key)), None) => Ok(Entry::Delete { key }),
        (Some((&ENTRY, key)), Some(Some((&FORMAT, value)))) if value.len() >= Timed::HEAD_BYTES => {
            Ok(Entry::Put { key, value })
        }
        (Some((&SYSTEM, _)), Some(Some((&FORMAT, value)))) if record.key.is_some_and(is_incarnation_key) => {
            Origin::decode(value).map(Entry::Incarnation).ok_or_else(|| malformed(partition, record.offset))
        }
        (Some((&SYSTEM, _)), Some(Some((&FORMAT, value)))) if record.key == Some(COVERED_KEY) => {
            Covered::decode(value).map(Entry::Covered).ok_or_else(|| malformed(partition, record.offset))
        }
        (Some((&ENTRY, _)), Some(Some((&format, _)))) if format != FORMAT => {
            Err(unknown_format(partition, record.offset, format))
        }
        (Some((&SYSTEM, _)), Some(Some((&format, _)))) if format != FORMAT => {
            Err(unknown_format(partition, record.offset, format))
        }
        _ => Err(malformed(partition, record.offset)),
    }
}

#[cold]
fn unknown_format(partition: &TopicPartition, offset: Offset, format: u8) -> Error {
    Error::new(
        Kind::UnknownFormat,
        format!(
            "changelog {partition} offset {offset} is in format {format}, this version knows {FORMAT}: run the version \
             that wrote it"
        ),
    )
}

#[cold]
fn malformed(partition: &TopicPartition, offset: Offset) -> Error {
    Error::new(
        Kind::Corruption,
        format!(
            "changelog {partition} offset {offset} is not a changelog record: something else wrote to this topic; find \
             it, then reset the application or choose another application id"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Headers;
    use proptest::prelude::*;

    fn read<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Result<Entry<'a>> {
        let partition = TopicPartition::new("app-counts-changelog", 2);
        decode(&partition, &Record { offset: 77, timestamp_ms: 0, key, value, headers: Headers::NONE })
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_were(key: Vec<u8>, time_ms: i64, value: Vec<u8>) {
            let value = [&Timed::head(time_ms)[..], &value].concat();
            let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
            encode_key(&key, &mut key_bytes);
            encode_value(&value, &mut value_bytes);
            prop_assert_eq!(read(Some(&key_bytes), Some(&value_bytes)), Ok(Entry::Put { key: &key, value: &value }));
            prop_assert_eq!(read(Some(&key_bytes), None), Ok(Entry::Delete { key: &key }));
        }

        #[test]
        fn no_bytes_make_decoding_panic(key: Option<Vec<u8>>, value: Option<Vec<u8>>) {
            let _ = read(key.as_deref(), value.as_deref());
        }

        #[test]
        fn bytes_near_an_incarnation_make_no_panic(value in prop::option::of(prop::collection::vec(0u8..3, 0..60))) {
            let read = read(Some(INCARNATION_KEY), value.as_deref());
            prop_assert_eq!(read.is_ok(), value.is_some_and(|value| value.len() == 49 && value[0] == FORMAT));
        }
    }

    #[test]
    fn the_incarnation_comes_back_as_it_was() {
        let origin = Origin { incarnation: [3; 16], fingerprint: [4; 32] };
        let mut key = Vec::new();
        for beginner in [None, Some([7; 16])] {
            Beginning { incarnation: origin.incarnation, beginner }.encode_key(&mut key);
            assert_eq!(read(Some(&key), Some(&origin.encode())), Ok(Entry::Incarnation(origin)));
        }
        key.pop();
        assert_eq!(read(Some(&key), Some(&origin.encode())).unwrap_err().kind(), Kind::Corruption);
    }

    #[test]
    fn what_is_covered_comes_back_as_it_was() {
        let covered = Covered { sequence: 7, inputs: vec![(TopicPartition::new("in", 1), 42)] };
        let mut value = Vec::new();
        encode_covered(&covered, &mut value);
        assert_eq!(read(Some(COVERED_KEY), Some(&value)), Ok(Entry::Covered(covered)));
    }

    #[test]
    fn an_unknown_format_is_refused_and_topic_and_offset_are_named() {
        let error = read(Some(b"\x01key"), Some(b"\x03value")).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownFormat);
        assert!(error.to_string().contains("app-counts-changelog-2 offset 77 is in format 3"), "{error}");
    }

    #[test]
    fn what_no_changelog_holds_is_refused() {
        for (key, value) in [
            (None, Some(&b"\x0212345678"[..])),
            (Some(&b""[..]), Some(&b"\x0212345678"[..])),
            (Some(&b"\x05key"[..]), Some(&b"\x0212345678"[..])),
            (Some(&b"\x01key"[..]), Some(&b""[..])),
            (Some(&b"\x01key"[..]), Some(&b"\x021234567"[..])),
            (Some(&b"\x00other"[..]), Some(&b"\x0212345678"[..])),
            (Some(INCARNATION_KEY), None),
            (Some(COVERED_KEY), None),
            (Some(COVERED_KEY), Some(&b"\x02\0\0"[..])),
        ] {
            assert_eq!(read(key, value).unwrap_err().kind(), Kind::Corruption, "{key:?} {value:?}");
        }
    }
}
