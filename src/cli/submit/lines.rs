//! Input into chunks of whole lines, checked as they are read.

use std::fmt;
use std::io::Read;

use super::super::error::{Error, Result};
use super::signing::Signer;
use crate::chain::{Name, parse};

/// A chunk is closed when it has so many bytes, or when there is no more input at the moment.
const CHUNK_BYTES: usize = 256 << 10;

/// A line longer than this is not read to its end: no topic takes it.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Lines that stand together in the input, as they are to be sent. Line breaks are not part of them, empty lines are left out.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// Bytes of input it takes up, line breaks not counted.
    pub(super) input_size_bytes: u64,
    /// Those that are no transactions, in order.
    pub(super) bad: Vec<Bad>,
}

struct Line {
    number: u64,
    start: usize,
    end: usize,
    sender: Option<Name>,
}

/// A line that is no transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Its number, from 1, empty lines counted.
    pub(super) line: u64,
    reason: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason.escape_debug())
    }
}

impl Chunk {
    /// How many lines.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Number, sender if the line is a transaction, and the line.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Option<&[u8]>, &[u8])> {
        self.lines.iter().map(|line| {
            let bytes = self.bytes.get(line.start..line.end).unwrap_or_default();
            (line.number, line.sender.as_ref().map(Name::as_bytes), bytes)
        })
    }

    /// Takes out the first bad line and all that follow.
    pub(super) fn cut_before_bad(&mut self) -> Option<Bad> {
        let bad = self.bad.first()?.clone();
        self.lines.retain(|line| line.number < bad.line);
        self.bad.clear();
        Some(bad)
    }

    /// A line that is sent as it stands: the part of the input from `start` on.
    fn add(&mut self, number: u64, start: usize, line: &[u8]) {
        let sender = parse(Some(line)).map(|transaction| transaction.from).map_err(|reject| reject.to_string());
        self.push(number, start..start + line.len(), sender);
    }

    /// A line that is signed: one of its own.
    fn add_signed(&mut self, number: u64, line: &[u8], signer: &Signer) {
        let start = self.bytes.len();
        let sender = signer.sign(number, line).map(|signed| {
            self.bytes.extend_from_slice(&signed.value);
            signed.sender
        });
        self.push(number, start..self.bytes.len(), sender);
    }

    fn push(&mut self, number: u64, place: std::ops::Range<usize>, sender: Result<Name, String>) {
        let sender = sender.map_err(|reason| self.bad.push(Bad { line: number, reason })).ok();
        self.lines.push(Line { number, start: place.start, end: place.end, sender });
    }
}

/// Reads lines.
pub(super) struct Lines<'s, R> {
    input: R,
    signer: Option<&'s Signer>,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    line_count: u64,
    ended: bool,
}

impl<'s, R: Read> Lines<'s, R> {
    /// The lines of an input; with a signer they are signed.
    pub(super) fn new(input: R, signer: Option<&'s Signer>) -> Self {
        Self { input, signer, rest: Vec::new(), line_count: 0, ended: false }
    }

    /// The lines that are there: waits for the first, then takes what comes at once. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        while !self.ended {
            let old_length = bytes.len();
            bytes.resize(old_length + CHUNK_BYTES, 0);
            let read = self.input.read(bytes.get_mut(old_length..).unwrap_or_default());
            let read = match read {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(Error::failed(format!("cannot read the input: {error}")).caused_by(error)),
                Ok(0) => {
                    self.ended = true;
                    0
                }
                Ok(read) => read,
            };
            bytes.truncate(old_length + read);
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if end == 0 && !self.ended {
                self.refuse_endless_line(&bytes)?;
                continue;
            }
            let end = if self.ended { bytes.len() } else { end };
            self.rest = bytes.split_off(end);
            self.refuse_endless_line(&self.rest)?;
            let chunk = self.split(bytes);
            if chunk.len() > 0 || self.ended {
                return Ok(Some(chunk).filter(|chunk| chunk.len() > 0));
            }
            bytes = std::mem::take(&mut self.rest);
        }
        Ok(None)
    }

    fn split(&mut self, bytes: Vec<u8>) -> Chunk {
        let mut chunk = Chunk::default();
        let mut start = 0;
        while start < bytes.len() {
            let rest = bytes.get(start..).unwrap_or_default();
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.line_count = self.line_count.saturating_add(1);
            if !line.iter().all(u8::is_ascii_whitespace) {
                chunk.input_size_bytes += line.len() as u64;
                match self.signer {
                    Some(signer) => chunk.add_signed(self.line_count, line, signer),
                    None => chunk.add(self.line_count, start, line),
                }
            }
            start += length + 1;
        }
        if self.signer.is_none() {
            chunk.bytes = bytes;
        }
        chunk
    }

    fn refuse_endless_line(&self, rest: &[u8]) -> Result<()> {
        if rest.len() <= LINE_BYTES_MAX {
            return Ok(());
        }
        Err(Error::usage(format!(
            "a line behind line {} has more than {LINE_BYTES_MAX} bytes: is this a file of transactions, one per line?",
            self.line_count
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"from":"alice","to":"bob","amount":3}"#;

    fn all(input: &[u8]) -> (Vec<(u64, String)>, Vec<u64>) {
        let (mut lines, mut found, mut bad) = (Lines::new(input, None), Vec::new(), Vec::new());
        while let Some(chunk) = lines.next().unwrap() {
            found.extend(chunk.iter().map(|(number, _, line)| (number, String::from_utf8_lossy(line).into_owned())));
            bad.extend(chunk.bad.iter().map(|bad| bad.line));
        }
        (found, bad)
    }

    /// Hands out a few bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn lines_keep_their_numbers_whatever_stands_between_them() {
        let text = format!("{GOOD}\r\n\n  \nno json\n{GOOD}");
        let (lines, bad) = all(text.as_bytes());
        assert_eq!(lines, [(1, GOOD.to_owned()), (4, "no json".to_owned()), (5, GOOD.to_owned())]);
        assert_eq!(bad, [4]);
        assert_eq!(all(b"").0, []);
        assert_eq!(all(b"\n\n\n").0, []);
    }

    #[test]
    fn lines_are_the_same_however_the_input_arrives() {
        let text = format!("{GOOD}\n\n{GOOD}\nx\n{GOOD}");
        for step in 1..text.len() {
            let (mut lines, mut numbers) = (Lines::new(Slowly(text.as_bytes(), step), None), Vec::new());
            while let Some(chunk) = lines.next().unwrap() {
                assert!(chunk.len() > 0);
                numbers.extend(chunk.iter().map(|(number, sender, line)| (number, sender.is_some(), line.len())));
            }
            let good = GOOD.len();
            assert_eq!(numbers, [(1, true, good), (3, true, good), (4, false, 1), (5, true, good)], "step {step}");
        }
    }

    #[test]
    fn what_follows_a_bad_line_is_cut_off() {
        let text = format!("{GOOD}\nbad\n{GOOD}\n");
        let mut chunk = Lines::new(text.as_bytes(), None).next().unwrap().unwrap();
        let bad = chunk.cut_before_bad().unwrap();
        assert!(bad.to_string().starts_with("line 2: not_json"), "{bad}");
        assert_eq!(
            chunk.iter().map(|(number, sender, _)| (number, sender)).collect::<Vec<_>>(),
            [(1, Some(&b"alice"[..]))]
        );
        assert_eq!(chunk.cut_before_bad(), None);
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_gathered() {
        let endless = vec![b'x'; 8 << 20];
        let error = Lines::new(endless.as_slice(), None).next().err().unwrap();
        assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
    }
}
