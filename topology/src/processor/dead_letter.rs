//! Dead letters: input that could not be processed, kept with its reason.
//!
//! The record in the dead-letter topic has the original's key, value, headers and timestamp, and in addition these
//! headers (values are text):
//!
//! ```text
//! dead-letter.topic        where it came from
//! dead-letter.partition
//! dead-letter.offset
//! dead-letter.reason       one line
//! dead-letter.size-bytes   only where the record is larger than the topic takes: how long the value was ...
//! dead-letter.sha256       ... and the SHA-256 of the whole value, hex
//! ```
//! Of such a record the first 64 KiB of key and value are kept, and its own headers if they are not longer than that; less
//! where the topic takes less.

use sha2::{Digest, Sha256};

use crate::log::{self, Header, Headers, Offset, TopicPartition};

use super::outputs::{Outputs, Target};

/// Header: the topic it came from.
pub const HEADER_TOPIC: &str = "dead-letter.topic";
/// Header: the partition it came from.
pub const HEADER_PARTITION: &str = "dead-letter.partition";
/// Header: its offset there.
pub const HEADER_OFFSET: &str = "dead-letter.offset";
/// Header: why it is here.
pub const HEADER_REASON: &str = "dead-letter.reason";
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
    /// Its offset in the input partition.
    pub offset: Offset,
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

        let (partition, offset) = (from.partition.to_string(), self.offset.to_string());
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
            text(HEADER_REASON, &reason),
        ]);
        if !whole {
            headers.extend([text(HEADER_SIZE_BYTES, &size), text(HEADER_SHA256, &sha256)]);
        }

        outputs.push(target, None, self.timestamp_ms, self.key.map(keep), self.value.map(keep), &headers);
    }
}

/// A dead letter that is kept.
#[derive(Debug)]
pub(super) struct OwnedDeadLetter {
    pub(super) offset: Offset,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    reason: String,
}

impl OwnedDeadLetter {
    pub(super) fn new(record: &log::Record<'_>, reason: String) -> Self {
        let headers = record.headers.to_vec();
        Self {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
            reason,
        }
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
            offset: self.offset,
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
    Header { name, value: Some(value.as_bytes()) }
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
    fn a_record_that_is_too_large_is_cut_so_that_its_topic_takes_it() {
        let long = vec![b'x'; 500_000];
        let headers = [Header { name: "own", value: Some(&long[..]) }];
        let reason = "ü".repeat(10_000);
        let from = TopicPartition::new("t".repeat(236), i32::MAX);
        for max_bytes in [8 << 10, 100 << 10, 1 << 20] {
            for (key, value) in [(None, None), (Some(&long[..]), None), (Some(&long[..]), Some(&long[..]))] {
                let letter =
                    DeadLetter { offset: 7, timestamp_ms: 1, key, value, headers: headers[..].into(), reason: &reason };
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
