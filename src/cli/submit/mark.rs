//! The header by which a record says which line of which submission it is.
//!
//! ```text
//! cairn-submission: <name>:<number of the line, decimal>:<fingerprint of the line, 16 hex digits>
//! ```
//! The fingerprint is of the line as it stands in the input, so a line that is signed again later, for another time,
//! still has it. A header is worth no more than who may write to the topic: it tells apart what was sent, it proves
//! nothing.

use sha2::{Digest, Sha256};
use topology::log::Record;

/// The header's name.
pub(super) const HEADER: &str = "cairn-submission";

/// The first eight bytes of a line's SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// Of a line of the input, without its line break.
    pub(super) fn of(line: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(line).into();
        Self(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// Which line of a submission a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// Its number, from 1, empty lines counted.
    pub(super) line: u64,
    /// What it said.
    pub(super) fingerprint: Fingerprint,
}

/// A header of the submission that does not say which line the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Illegible;

impl Mark {
    /// The value of the header.
    pub(super) fn encode(self, name: &str) -> String {
        format!("{name}:{}:{:016x}", self.line, self.fingerprint.0)
    }

    /// The mark of a record, if it is of the submission `name`.
    pub(super) fn of(record: &Record<'_>, name: &str) -> Option<Result<Self, Illegible>> {
        let headers = record.headers.to_vec();
        let value = headers.iter().find(|header| header.name == HEADER.as_bytes())?.value?;
        let rest = value.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        Some(Self::decode(rest).ok_or(Illegible))
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let (line, digits) = std::str::from_utf8(text).ok()?.split_once(':')?;
        let is_plain = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fingerprint = Fingerprint(u64::from_str_radix(digits, 16).ok().filter(|_| is_plain)?);
        Some(Self { line: line.parse().ok()?, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_anything_else_is_none() {
        let mark = Mark { line: 7, fingerprint: Fingerprint::of(b"line") };
        let text = mark.encode("may");
        assert_eq!(Mark::decode(text.strip_prefix("may:").unwrap().as_bytes()), Some(mark));
        let wrong = [
            "",
            "7",
            "7:",
            "7:12",
            "x:0123456789abcdef",
            "7:0123456789ABCDEF",
            "7:0123456789abcdef:",
            "7:+123456789abcdef",
        ];
        for wrong in wrong {
            assert_eq!(Mark::decode(wrong.as_bytes()), None, "{wrong}");
        }
        assert_ne!(Fingerprint::of(b"line"), Fingerprint::of(b"line "));
    }
}
