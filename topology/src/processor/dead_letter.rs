//! Dead letters: input that could not be processed, kept with its reason.
//!
//! The record in the dead-letter topic has the original's key, value and headers, and in addition these headers (values
//! are text). Its timestamp is when it was put there: the original's may be one that the topic would not take.
//!
//! ```text
//! dead-letter.topic        where it came from
//! dead-letter.partition
//! dead-letter.offset
//! dead-letter.timestamp-ms its timestamp there, or what its source's own function made of it; ms since 1970; -1: none
//! dead-letter.reason       one line
//! dead-letter.target       only where it is what a sink was to write: the topic that would not take it; key, value and
//!                          timestamp are of that record then, and place and partition of the input record that caused it
//! dead-letter.size-bytes   only where the record is larger than the topic takes: how long the value was ...
//! dead-letter.sha256       ... and the SHA-256 of the whole value, hex
//! ```
//! Of such a record the first 64 KiB of key and value are kept, and its own headers if they are not longer than that;
//! less where the topic takes less.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::log::{self, Header, Headers, Offset, ProducerRecord, TopicPartition};

use super::outputs::{Outputs, Target};
use super::position::Position;

/// Header: the topic it came from.
pub const HEADER_TOPIC: &str = "dead-letter.topic";
/// Header: the partition it came from.
pub const HEADER_PARTITION: &str = "dead-letter.partition";
/// Header: its offset there.
pub const HEADER_OFFSET: &str = "dead-letter.offset";
/// Header: its timestamp there, ms since 1970, or the time that the function of its source told of it; -1 where it has
/// none.
pub const HEADER_TIMESTAMP_MS: &str = "dead-letter.timestamp-ms";
/// Header: why it is here.
pub const HEADER_REASON: &str = "dead-letter.reason";
/// Header: the topic that would not take it, where it is a sink's record and not the input's. The other headers say
/// which input record caused it.
pub const HEADER_TARGET: &str = "dead-letter.target";
/// Header: the whole value's length, where it was cut.
pub const HEADER_SIZE_BYTES: &str = "dead-letter.size-bytes";
/// Header: the whole value's SHA-256 in hex, where it was cut.
pub const HEADER_SHA256: &str = "dead-letter.sha256";

/// What remains of a key or a value that is too long.
const CUT_BYTES: usize = 64 * 1024;
/// Room for the record's frame and the headers that are added, the reason among them.
const FRAME_BYTES: usize = 4 * 1024;

/// A record that cannot be processed, as it came, and why.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// Where it is in the input.
    pub position: Position,
    /// Its timestamp, ms since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
    /// Why, in one line.
    pub reason: &'a str,
}

impl<'b> DeadLetter<'b> {
    pub(super) fn write(&self, outputs: &mut Outputs, target: Target, from: &TopicPartition, max_bytes: usize) {
        let size_of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let mut headers = self.headers.to_vec();
        let headers_bytes: usize = headers.iter().map(|header| header.name.len() + size_of(header.value) + 16).sum();
        let whole = size_of(self.key) + size_of(self.value) + headers_bytes + FRAME_BYTES <= max_bytes;
        // Key, value and headers must fit together.
        let cut = if whole { usize::MAX } else { CUT_BYTES.min(max_bytes.saturating_sub(FRAME_BYTES) / 3) };
        let keep = |bytes: &'b [u8]| &bytes[..bytes.len().min(cut)];

        let (partition, offset) = (from.partition.to_string(), self.position.offset.to_string());
        let timestamp_ms = self.timestamp_ms.to_string();
        let size = size_of(self.value).to_string();
        let sha256 = if whole { String::new() } else { hex(&Sha256::digest(self.value.unwrap_or_default())) };
        // Where the headers alone could overflow the limit, the record's own ones are dropped, not ours.
        if headers_bytes > cut {
            headers.clear();
        }
        let reason: String = self.reason.chars().take(FRAME_BYTES / 8).collect();
        headers.extend([
            text(HEADER_TOPIC, &from.topic),
            text(HEADER_PARTITION, &partition),
            text(HEADER_OFFSET, &offset),
            text(HEADER_TIMESTAMP_MS, &timestamp_ms),
            text(HEADER_REASON, &reason),
        ]);
        if !whole {
            headers.extend([text(HEADER_SIZE_BYTES, &size), text(HEADER_SHA256, &sha256)]);
        }

        let (key, value) = (self.key.map(keep), self.value.map(keep));
        // The topic has one partition.
        outputs.push(target, Some(0), ProducerRecord::NOW, key, value, &headers);
    }
}

/// Dead letters of one input that are kept, in the order of their offsets. What those before an offset take in memory
/// is known without counting them: it is asked for after each few records, and there may be a million.
#[derive(Debug, Default)]
pub(super) struct KeptLetters {
    /// Each with the bytes of all that were kept up to and with it.
    letters: VecDeque<(OwnedDeadLetter, u64)>,
    /// Bytes of all that were let go.
    gone_bytes: u64,
}

impl KeptLetters {
    pub(super) fn push(&mut self, letter: OwnedDeadLetter) {
        let before_bytes = self.letters.back().map_or(self.gone_bytes, |(_, bytes)| *bytes);
        let bytes = before_bytes + letter.size_bytes() as u64;
        self.letters.push_back((letter, bytes));
    }

    /// Forgets those from `offset` on.
    pub(super) fn forget_from(&mut self, offset: Offset) {
        self.letters.truncate(self.count_before(offset));
    }

    /// Takes out those before `offset`.
    pub(super) fn take_before(&mut self, offset: Offset) -> impl Iterator<Item = OwnedDeadLetter> {
        let count = self.count_before(offset);
        self.gone_bytes += self.bytes_before(offset);
        self.letters.drain(..count).map(|(letter, _)| letter)
    }

    /// What those before `offset` take in memory, about.
    pub(super) fn bytes_before(&self, offset: Offset) -> u64 {
        let last = self.count_before(offset).checked_sub(1).and_then(|last| self.letters.get(last));
        last.map_or(0, |(_, bytes)| bytes - self.gone_bytes)
    }

    fn count_before(&self, offset: Offset) -> usize {
        self.letters.partition_point(|(letter, _)| letter.position.offset < offset)
    }
}

/// A dead letter that is kept.
#[derive(Debug)]
pub(super) struct OwnedDeadLetter {
    position: Position,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    reason: String,
}

impl OwnedDeadLetter {
    pub(super) fn new(position: Position, record: &log::Record<'_>, reason: String) -> Self {
        let headers = record.headers.to_vec();
        Self {
            position,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
            reason,
        }
    }

    /// Why.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// What it takes in memory, about.
    pub(super) fn size_bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
        size_of::<Self>() + length(&self.key) + length(&self.value) + headers + self.reason.len()
    }

    pub(super) fn write(&self, outputs: &mut Outputs, target: Target, from: &TopicPartition, max_bytes: usize) {
        let headers: Vec<Header<'_>> =
            self.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let letter = DeadLetter {
            position: self.position,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers[..].into(),
            reason: &self.reason,
        };
        letter.write(outputs, target, from, max_bytes);
    }
}

fn text<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name: name.as_bytes(), value: Some(value.as_bytes()) }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flood_of_letters_takes_is_known_without_counting_them() {
        let mut kept = KeptLetters::default();
        let record = |offset| log::Record { offset, timestamp_ms: 0, key: None, value: None, headers: Headers::NONE };
        let size = OwnedDeadLetter::new(Position::new(0, 0), &record(0), String::new()).size_bytes() as u64;
        // Asked at each of a million, as the engine asks: counted one by one it would be 500,000,000,000 steps.
        for offset in 0..1_000_000_i64 {
            kept.push(OwnedDeadLetter::new(Position::new(0, offset), &record(offset), String::new()));
            assert_eq!(kept.bytes_before(offset), offset as u64 * size);
        }
        kept.forget_from(900_000);
        assert_eq!(kept.take_before(400_000).count(), 400_000);
        assert_eq!(kept.bytes_before(1_000_000), 500_000 * size);
        kept.push(OwnedDeadLetter::new(Position::new(0, 900_000), &record(900_000), String::new()));
        assert_eq!(kept.bytes_before(1_000_000), 500_001 * size);
        assert_eq!(kept.take_before(1_000_000).map(|letter| letter.position.offset).last(), Some(900_000));
        assert_eq!(kept.bytes_before(1_000_000), 0);
    }

    #[test]
    fn headers_of_any_bytes_are_kept_byte_for_byte() {
        let headers = [
            Header { name: b"\xfe\xff", value: Some(b"1") },
            Header { name: b"\xff", value: None },
            Header { name: b"", value: Some(b"\xff") },
        ];
        let record = log::Record { offset: 7, timestamp_ms: 1, key: None, value: None, headers: headers[..].into() };
        let mut outputs = Outputs::new(vec!["letters".into()]);
        let letter = OwnedDeadLetter::new(Position::new(0, 7), &record, "no reason".to_owned());
        letter.write(&mut outputs, Target(0), &TopicPartition::new("t", 0), 1 << 20);
        let keep = |records: &[crate::log::ProducerRecord<'_>]| {
            assert_eq!(records[0].headers[..3], headers);
            Ok(())
        };
        outputs.drain(keep).unwrap();
    }

    #[test]
    fn a_record_that_is_too_large_is_cut_so_that_its_topic_takes_it() {
        let long = vec![b'x'; 500_000];
        let headers = [Header { name: b"own", value: Some(&long[..]) }];
        let reason = "ü".repeat(10_000);
        let from = TopicPartition::new("t".repeat(236), i32::MAX);
        for max_bytes in [8 << 10, 100 << 10, 1 << 20] {
            for (key, value) in [(None, None), (Some(&long[..]), None), (Some(&long[..]), Some(&long[..]))] {
                let letter = DeadLetter {
                    position: Position::new(0, 7),
                    timestamp_ms: 1,
                    key,
                    value,
                    headers: headers[..].into(),
                    reason: &reason,
                };
                let mut outputs = Outputs::new(vec!["letters".into()]);
                letter.write(&mut outputs, Target(0), &from, max_bytes);
                // What a record costs beside its bytes: less than 70 for itself and 10 for each header.
                assert!(outputs.size_bytes() + 170 <= max_bytes, "{} of {max_bytes}", outputs.size_bytes());
                let mut kept = (0, 0);
                let keep = |records: &[crate::log::ProducerRecord<'_>]| {
                    kept = (records[0].key.map_or(0, <[u8]>::len), records[0].value.map_or(0, <[u8]>::len));
                    Ok(())
                };
                outputs.drain(keep).unwrap();
                let least = |bytes: Option<&[u8]>| bytes.map_or(0, |_| CUT_BYTES.min(max_bytes / 6));
                assert!(kept.0 >= least(key) && kept.1 >= least(value), "{kept:?} of {max_bytes}");
            }
        }
    }
}
