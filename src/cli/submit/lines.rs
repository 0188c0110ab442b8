//! Input into chunks of whole lines, checked as they are read.

use std::fmt;

use super::super::error::{Error, Result};
use super::format::{self, Plain, Source, Unit};
use super::mark::{Fingerprint, Mark};
use super::signing::Signer;
use crate::chain::{Name, Signatures, Transaction, parse};

/// A chunk is closed when it has so many bytes, or when there is no more input at the moment.
const CHUNK_BYTES: usize = 256 << 10;

/// A line longer than this is not read to its end: no topic takes it.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// How lines become records.
#[derive(Debug)]
pub(super) enum Preparation {
    /// They are sent as they stand. On a chain whose policy is known, what it would reject for a lack of a signature is
    /// bad.
    AsWritten(Option<Signatures>),
    /// They are signed.
    Signed(Box<Signer>),
}

impl Preparation {
    /// What else can be done with lines that cannot be sent as they are.
    pub(super) fn or_force(&self) -> &'static str {
        match self {
            Self::AsWritten(_) => ", or send such lines as they are with --force",
            Self::Signed(_) => "",
        }
    }
}

/// Lines that stand together in the input, as they are to be sent. Line breaks are not part of them, empty lines are
/// left out.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<Place>,
    /// Those that cannot be sent, in order.
    pub(super) bad: Vec<Bad>,
}

/// Where a line lies in its chunk, and what is known of it.
struct Place {
    number: u64,
    start: usize,
    end: usize,
    sender: Option<Name>,
    fingerprint: Fingerprint,
    valid_until: Option<u64>,
}

/// A line to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'c> {
    /// Its number, from 1, empty lines counted.
    pub(super) number: u64,
    /// Who pays, if it is a transaction.
    pub(super) sender: Option<&'c [u8]>,
    /// The record's value.
    pub(super) value: &'c [u8],
    /// What the input said.
    pub(super) fingerprint: Fingerprint,
    /// The last active height of a line that is signed.
    pub(super) valid_until: Option<u64>,
}

impl Line<'_> {
    /// Which line it is, for the record's header.
    pub(super) fn mark(&self) -> Mark {
        Mark { line: self.number, fingerprint: self.fingerprint }
    }
}

/// A line that cannot be sent: it is no transaction, cannot be signed, or would be rejected for a lack of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Its number, from 1, empty lines counted.
    pub(super) line: u64,
    unit: Unit,
    reason: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.unit.as_str(), self.line, self.reason)
    }
}

impl Chunk {
    /// How many lines.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The lines, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Line<'_>> {
        self.lines.iter().map(|place| Line {
            number: place.number,
            sender: place.sender.as_ref().map(Name::as_bytes),
            value: self.bytes.get(place.start..place.end).unwrap_or_default(),
            fingerprint: place.fingerprint,
            valid_until: place.valid_until,
        })
    }

    /// Takes out the first bad line behind `arrived_line`, and all that follow. Lines up to there are not sent, however
    /// bad.
    pub(super) fn cut_before_bad(&mut self, arrived_line: u64) -> Option<Bad> {
        let bad = std::mem::take(&mut self.bad).into_iter().find(|bad| bad.line > arrived_line)?;
        self.lines.retain(|line| line.number < bad.line);
        Some(bad)
    }

    /// A line that is sent as it stands: the part of the input from `start` on.
    fn add(&mut self, number: u64, start: usize, line: &[u8], policy: Option<Signatures>, unit: Unit) {
        let parsed = parse(Some(line)).map_err(|reject| format!("{reject}{}", unit.hint(line)));
        if let Some(lack) = parsed.as_ref().ok().zip(policy).and_then(|(parsed, policy)| lack(policy, parsed)) {
            self.bad.push(Bad { line: number, unit, reason: lack.to_owned() });
        }
        let sender = parsed.map(|transaction| transaction.from);
        let sender = sender.map_err(|reason| self.bad.push(Bad { line: number, unit, reason })).ok();
        let (end, fingerprint) = (start + line.len(), Fingerprint::of(line));
        self.lines.push(Place { number, start, end, sender, fingerprint, valid_until: None });
    }

    /// A line that is signed: one of its own.
    fn add_signed(&mut self, number: u64, line: &[u8], signer: &Signer, unit: Unit) {
        let (start, fingerprint) = (self.bytes.len(), Fingerprint::of(line));
        let (sender, valid_until) = match signer.sign(number, line) {
            Ok(signed) => {
                self.bytes.extend_from_slice(&signed.value);
                (Some(signed.sender), signed.valid_until)
            }
            Err(reason) => {
                self.bad.push(Bad { line: number, unit, reason });
                (None, None)
            }
        };
        self.lines.push(Place { number, start, end: self.bytes.len(), sender, fingerprint, valid_until });
    }
}

/// Why a chain with this policy would reject the transaction, whatever else is in it.
fn lack(policy: Signatures, transaction: &Transaction) -> Option<&'static str> {
    let is_signed = transaction.authorization.is_some();
    let has_owner = transaction.from.is_system() || transaction.from.public_key().is_some();
    match policy {
        Signatures::Required if !is_signed => Some(
            "is not signed, and the chain takes signed payments only (signatures = \"required\"): give --sign-with KEY_FILE",
        ),
        Signatures::WhenKeyed if has_owner && !is_signed => {
            Some("is not signed, and this sender's payments must be: give --sign-with KEY_FILE")
        }
        Signatures::Off if has_owner => Some(
            "can never be applied: the chain looks at no signature (signatures = \"off\"), so no account with a key can send",
        ),
        _ => None,
    }
}

/// Reads lines.
pub(super) struct Lines<'i> {
    input: Input<'i>,
    preparation: &'i Preparation,
    unit: Unit,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    line_count: u64,
    ended: bool,
}

/// What lines are read from.
enum Input<'i> {
    /// Nothing was read yet.
    Unopened(Source<'i>),
    /// Lines of JSON.
    Plain(Source<'i>),
}

impl<'i> Lines<'i> {
    /// The lines of an input, whatever its format.
    pub(super) fn new(input: Source<'i>, preparation: &'i Preparation) -> Self {
        let input = Input::Unopened(input);
        Self { input, preparation, unit: Unit::default(), rest: Vec::new(), line_count: 0, ended: false }
    }

    /// Finds out what the input is, where that is to be done yet.
    fn open(&mut self) -> Result<()> {
        let empty = || Input::Plain(Box::new(std::io::empty()));
        self.input = match std::mem::replace(&mut self.input, empty()) {
            Input::Unopened(input) => {
                let Plain { lines, unit } = format::open(input)?;
                self.unit = unit;
                Input::Plain(lines)
            }
            opened => opened,
        };
        Ok(())
    }

    /// The lines that are there: waits for the first, then takes what comes at once. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        self.open()?;
        let mut bytes = std::mem::take(&mut self.rest);
        while !self.ended {
            let old_length = bytes.len();
            bytes.resize(old_length + CHUNK_BYTES, 0);
            let (Input::Plain(input) | Input::Unopened(input)) = &mut self.input;
            let read = input.read(bytes.get_mut(old_length..).unwrap_or_default());
            let read = match read {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(format::unread(error)),
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
                match self.preparation {
                    Preparation::Signed(signer) => chunk.add_signed(self.line_count, line, signer, self.unit),
                    Preparation::AsWritten(policy) => chunk.add(self.line_count, start, line, *policy, self.unit),
                }
            }
            start += length + 1;
        }
        if let Preparation::AsWritten(_) = self.preparation {
            chunk.bytes = bytes;
        }
        chunk
    }

    fn refuse_endless_line(&self, rest: &[u8]) -> Result<()> {
        if rest.len() <= LINE_BYTES_MAX {
            return Ok(());
        }
        Err(Error::usage(format!(
            "what follows {} {} has more than {LINE_BYTES_MAX} bytes: is this a file of transactions, one per line?",
            self.unit.as_str(),
            self.line_count
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const AS_WRITTEN: Preparation = Preparation::AsWritten(None);
    const GOOD: &str = r#"{"from":"alice","to":"bob","amount":3}"#;

    fn all(input: &[u8]) -> (Vec<(u64, String)>, Vec<u64>) {
        let (mut lines, mut found, mut bad) = (Lines::new(Box::new(input), &AS_WRITTEN), Vec::new(), Vec::new());
        while let Some(chunk) = lines.next().unwrap() {
            found.extend(chunk.iter().map(|line| (line.number, String::from_utf8_lossy(line.value).into_owned())));
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
        let marked = format!("\u{feff}{GOOD}\r\n{GOOD}");
        assert_eq!(all(marked.as_bytes()), (vec![(1, GOOD.to_owned()), (2, GOOD.to_owned())], vec![]));
    }

    #[test]
    fn lines_are_the_same_however_the_input_arrives() {
        let text = format!("{GOOD}\n\n{GOOD}\nx\n{GOOD}");
        for step in 1..text.len() {
            let (mut lines, mut numbers) =
                (Lines::new(Box::new(Slowly(text.as_bytes(), step)), &AS_WRITTEN), Vec::new());
            while let Some(chunk) = lines.next().unwrap() {
                assert!(chunk.len() > 0);
                numbers.extend(chunk.iter().map(|line| (line.number, line.sender.is_some(), line.value.len())));
            }
            let good = GOOD.len();
            assert_eq!(numbers, [(1, true, good), (3, true, good), (4, false, 1), (5, true, good)], "step {step}");
        }
    }

    #[test]
    fn what_follows_a_bad_line_is_cut_off() {
        let text = format!("{GOOD}\nbad\n{GOOD}\n");
        let mut chunk = Lines::new(Box::new(text.as_bytes()), &AS_WRITTEN).next().unwrap().unwrap();
        assert_eq!(chunk.iter().count(), 3);
        let bad = chunk.cut_before_bad(0).unwrap();
        assert!(bad.to_string().starts_with("line 2: not_json"), "{bad}");
        assert_eq!(chunk.iter().map(|line| (line.number, line.sender)).collect::<Vec<_>>(), [(1, Some(&b"alice"[..]))]);
        assert_eq!(chunk.cut_before_bad(0), None);
        let mut chunk = Lines::new(Box::new(text.as_bytes()), &AS_WRITTEN).next().unwrap().unwrap();
        assert_eq!((chunk.cut_before_bad(2), chunk.iter().count()), (None, 3), "it arrived before");
    }

    #[test]
    fn what_a_chain_would_reject_for_a_lack_of_a_signature_is_bad() {
        let keyed = format!(r#"{{"from":"ed25519:{}","to":"bob","amount":3}}"#, "0".repeat(64));
        let signed = format!(
            r#"{{"from":"alice","to":"bob","amount":3,"public_key":"{}","signature":"{}"}}"#,
            "0".repeat(64),
            "0".repeat(128)
        );
        let earned = r#"{"from":"$validator-1","to":"bob","amount":3}"#;
        let text = [GOOD, &keyed, &signed, earned, ""].join("\n");
        let bad = |policy| {
            let preparation = Preparation::AsWritten(policy);
            let chunk = Lines::new(Box::new(text.as_bytes()), &preparation).next().unwrap().unwrap();
            chunk.bad.iter().map(|bad| bad.line).collect::<Vec<_>>()
        };
        assert_eq!(bad(None), [] as [u64; 0]);
        assert_eq!(bad(Some(Signatures::Required)), [1, 2, 4]);
        assert_eq!(bad(Some(Signatures::WhenKeyed)), [2, 4]);
        assert_eq!(bad(Some(Signatures::Off)), [2, 4]);
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_gathered() {
        let endless = vec![b'x'; 8 << 20];
        let error = Lines::new(Box::new(endless.as_slice()), &AS_WRITTEN).next().err().unwrap();
        assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
    }
}
