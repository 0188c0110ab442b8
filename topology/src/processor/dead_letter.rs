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
//! dead-letter.size-bytes   only where the value was cut to its first 64 KiB: how long it was ...
//! dead-letter.sha256       ... and the SHA-256 of the whole value, hex
//! ```

use sha2::{Digest, Sha256};

use crate::log::{Header, Headers, Offset, TopicPartition};

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

/// What remains of a value that is too long.
const CUT_BYTES: usize = 64 * 1024;
/// Room for the record's frame and the headers that are added.
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

impl DeadLetter<'_> {
    pub(super) fn write(&self, outputs: &mut Outputs, target: Target, from: &TopicPartition, max_bytes: usize) {
        let size_of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let mut headers = self.headers.to_vec();
        let headers_bytes: usize = headers.iter().map(|header| header.name.len() + size_of(header.value) + 16).sum();
        let whole =
            size_of(self.key) + size_of(self.value) + headers_bytes + self.reason.len() + FRAME_BYTES <= max_bytes;
        let keep = |bytes: Option<&[u8]>| -> Option<usize> {
            bytes.map(|bytes| if whole { bytes.len() } else { bytes.len().min(CUT_BYTES) })
        };

        let (partition, offset) = (from.partition.to_string(), self.offset.to_string());
        let size = size_of(self.value).to_string();
        let sha256 = if whole { String::new() } else { hex(&Sha256::digest(self.value.unwrap_or_default())) };
        // Where the headers alone could overflow the limit, the record's own ones are dropped, not ours.
        if !whole && headers_bytes > CUT_BYTES {
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

        let copy = |bytes: Option<&[u8]>, arena: &mut Vec<u8>| match (bytes, keep(bytes)) {
            (Some(bytes), Some(length)) => {
                arena.extend_from_slice(&bytes[..length]);
                true
            }
            _ => false,
        };
        outputs.push(
            target,
            None,
            self.timestamp_ms,
            |arena| copy(self.key, arena),
            |arena| copy(self.value, arena),
            &headers,
        );
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
