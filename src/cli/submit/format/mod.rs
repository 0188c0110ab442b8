//! Inputs as people have them, into lines of JSON.
//!
//! ```text
//! bytes ─> packed? unpack ─> mark of UTF-8? pass over ─┬─ [ ..        list: one line for each entry
//!                                                      ├─ header      table: one line for each row, where the row begins
//!                                                      ├─ \r alone    line feeds in their place
//!                                                      └─ all else    as it is
//! ```
//! What cannot be read says what it is, and how lines are made of it. Only the beginning is looked at, and read ahead:
//! a pipe on which lines arrive one by one is not waited for longer than its first line takes.

mod list;
mod packed;
mod table;

use std::io::{self, Read};

use super::super::error::{Error, Result};
use super::lines::LINE_BYTES_MAX;
use list::List;
use table::Table;

/// What is read from.
pub(super) type Source<'i> = Box<dyn Read + Send + 'i>;

/// Byte order mark of UTF-8. Programs on Windows write it at the head of a file; it says nothing, and is no part of a
/// line.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Inputs that are not read, by what they begin with, and how lines of JSON are made of them.
const OTHERS: [(&[u8], &str); 9] = [
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\x1f\x8b", TWICE),
    (b"\x28\xb5\x2f\xfd", TWICE),
    (b"PK\x03\x04", "is a zip archive, or a spreadsheet: unpack it, or export the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a document of an old office program: export the sheet as CSV in UTF-8"),
    (b"BZh", "is packed with bzip2: unpack it, for example with bzip2 -dc FILE | cairn submit"),
    (b"\xfd7zXZ", "is packed with xz: unpack it, for example with xz -dc FILE | cairn submit"),
    (b"PAR1", "is a Parquet file: export it as lines of JSON, or as CSV"),
];

const UTF_16: &str = "is UTF-16: write it as UTF-8, for example with iconv -f UTF-16 -t UTF-8 FILE | cairn submit";
const TWICE: &str = "is packed twice: unpack it once, for example with zcat FILE or zstdcat FILE, and | cairn submit";

/// How many bytes tell what is packed, or of another kind.
const MAGIC_BYTES_MAX: usize = 5;

/// What the numbers of lines count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    /// Lines of the input.
    #[default]
    Line,
    /// Lines of the input, in which the rows of a table begin.
    Row,
    /// Entries of a list.
    Entry,
}

impl Unit {
    /// What people call it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Line | Self::Row => "line",
            Self::Entry => "entry",
        }
    }

    /// What to do about a line that is no transaction, where its shape tells.
    pub(super) fn hint(self, line: &[u8]) -> &'static str {
        let line = line.trim_ascii();
        if std::str::from_utf8(line).is_err() {
            return "; the input has to be UTF-8: make it so, for example with iconv -f WINDOWS-1252 -t UTF-8 FILE | cairn submit";
        }
        match self {
            Self::Row => "; in a table, numbers are digits alone, and a cell that says nothing is empty",
            Self::Entry => "",
            Self::Line if line.starts_with(b"[") => {
                "; write one transaction per line, for example with jq -c '.[]' FILE | cairn submit"
            }
            Self::Line if line.starts_with(b"{") && !line.ends_with(b"}") => {
                "; a transaction stands on one line, for example with jq -c . FILE | cairn submit"
            }
            Self::Line if !line.starts_with(b"{") && line.iter().any(|byte| table::DELIMITERS.contains(byte)) => {
                "; if this is a table, its first line has to name the columns, such as from,to,amount"
            }
            Self::Line => "",
        }
    }
}

/// An input as lines of JSON.
pub(super) struct Plain<'i> {
    /// The lines.
    pub(super) lines: Source<'i>,
    /// What their numbers count.
    pub(super) unit: Unit,
}

/// Finds out what an input is. Refuses what cannot be read.
pub(super) fn open(input: Source<'_>) -> Result<Plain<'_>> {
    let (magic, input) = peek(input, |bytes| bytes.len() >= MAGIC_BYTES_MAX)?;
    let input = packed::unpack(&magic, input);
    let (head, input) = peek(input, is_enough)?;
    let other = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what);
    if let Some(what) = other.or_else(|| has_wide_characters(&head).then_some(UTF_16)) {
        return Err(Error::usage(format!("the input {what}")));
    }
    let mark = if head.starts_with(MARK) { MARK.len() } else { 0 };
    let text = head.get(mark..).unwrap_or_default();
    let input = skip(input, mark)?;
    if text.trim_ascii_start().starts_with(b"[") {
        return Ok(Plain { lines: Box::new(List::new(input)), unit: Unit::Entry });
    }
    if let Some(delimiter) = table::delimiter(text) {
        return Ok(Plain { lines: Box::new(Table::new(input, delimiter)), unit: Unit::Row });
    }
    let is_old = text.split(|byte| *byte == b'\n').next().is_some_and(ends_in_returns);
    Ok(Plain { lines: if is_old { Box::new(LineFeeds::new(input)) } else { input }, unit: Unit::Line })
}

/// Whether these are characters of two bytes, without a mark: one of each pair is 0 where the text is plain.
fn has_wide_characters(bytes: &[u8]) -> bool {
    matches!(bytes, [0, low, 0, ..] | [low, 0, _, 0, ..] if *low != 0)
}

/// Whether the bytes tell what an input is: they hold its first line, or it is a list.
fn is_enough(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start();
    let has_return = text.windows(2).any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'));
    let is_list = text.starts_with(b"[") && text.len() > 1;
    is_list || text.contains(&b'\n') || has_return || bytes.len() > LINE_BYTES_MAX
}

/// Whether a line is several, as the first systems of Macintosh wrote them, and some spreadsheets still do.
fn ends_in_returns(line: &[u8]) -> bool {
    line.windows(2).any(|pair| pair == b"\r{")
}

/// Reads until `is_enough`, or to the end. Gives what was read, and the input as if nothing had been.
fn peek(mut input: Source<'_>, is_enough: impl Fn(&[u8]) -> bool) -> Result<(Vec<u8>, Source<'_>)> {
    const STEP: usize = 64 << 10;
    let mut head = Vec::new();
    while !is_enough(&head) {
        let length = head.len();
        head.resize(length + STEP, 0);
        let read = input.read(head.get_mut(length..).unwrap_or_default());
        head.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unread(error)),
        }
    }
    let again = io::Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(again)))
}

fn skip(mut input: Source<'_>, count: usize) -> Result<Source<'_>> {
    let skipped = input.read_exact(&mut [0; MARK.len()][..count]);
    skipped.map_err(unread)?;
    Ok(input)
}

/// Of an input that says why it cannot be read, it is the fault; of all else, of what it is read from.
pub(super) fn unread(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => Error::usage(error.to_string()),
        _ => Error::failed(format!("cannot read the input: {error}")).caused_by(error),
    }
}

/// An input that cannot be read, and why, in words that begin a message.
fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// An input whose lines all end in one line feed, however they ended.
struct LineFeeds<R> {
    input: R,
    /// Whether a carriage return was the last byte: a line feed behind it ends the same line.
    is_behind_return: bool,
    /// Whether the last line was ended.
    is_ended: bool,
}

impl<R> LineFeeds<R> {
    fn new(input: R) -> Self {
        Self { input, is_behind_return: false, is_ended: true }
    }

    /// Mends bytes where they stand; how many remain.
    fn mend(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            if byte != b'\n' || !self.is_behind_return {
                bytes[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            self.is_behind_return = byte == b'\r';
            self.is_ended = matches!(byte, b'\r' | b'\n');
        }
        kept
    }
}

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.input.read(buffer)?;
            let kept = self.mend(&mut buffer[..read]);
            if kept > 0 || buffer.is_empty() {
                return Ok(kept);
            }
            if read == 0 {
                if !std::mem::replace(&mut self.is_ended, true) {
                    buffer[0] = b'\n';
                    return Ok(1);
                }
                return Ok(0);
            }
        }
    }
}

/// Bytes made of an input, as they are asked for.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    taken: usize,
}

impl Made {
    /// Hands out what is there: 0 where nothing is.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = r#"{"from":"alice","to":"bob","amount":3}"#;

    fn lines(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        open(Box::new(bytes))?.lines.read_to_string(&mut text).map_err(unread)?;
        Ok(text)
    }

    fn refusal(bytes: &[u8]) -> String {
        lines(bytes).unwrap_err().to_string()
    }

    /// Hands out a byte at a time.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn lines_stay_as_they_are_without_the_mark_and_with_line_feeds_for_lone_returns() {
        for same in ["", "{", "\n\n", "a\r", ALICE, "{}\r\n{}\r\n", "{}\n{}\r{}"] {
            assert_eq!(lines(same.as_bytes()).unwrap(), same);
            assert_eq!(lines(format!("\u{feff}{same}").as_bytes()).unwrap(), same);
        }
        assert_eq!(lines(b"{}\r{}\r").unwrap(), "{}\n{}\n");
    }

    #[test]
    fn what_is_not_read_is_named_with_what_to_do() {
        let utf_16: Vec<u8> = format!("\u{feff}{ALICE}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, what) in [
            (&utf_16[..], "iconv -f UTF-16"),
            (b"{\0\"\0", "UTF-16"),
            (b"\0[\0{\0\"", "UTF-16"),
            // A table.
            (b"f\0r\0o\0m\0,\0", "UTF-16"),
            (b"PK\x03\x04\x14", "CSV in UTF-8"),
            (b"BZh91", "bzip2 -dc"),
            (b"\xfd7zXZ\0", "xz -dc"),
        ] {
            assert!(refusal(bytes).contains(what), "{what}");
        }
    }

    #[test]
    fn however_slowly_an_input_arrives_it_is_the_same() {
        let table = "from,to,amount\nalice,bob,3\n";
        for text in [
            format!("{ALICE}\n{ALICE}"),
            format!("\u{feff}[{ALICE},\n{ALICE}]"),
            table.to_owned(),
            "\r{}\r{}".to_owned(),
        ] {
            let mut slow = String::new();
            open(Box::new(Slowly(text.as_bytes()))).unwrap().lines.read_to_string(&mut slow).unwrap();
            assert_eq!(slow, lines(text.as_bytes()).unwrap());
        }
    }

    #[test]
    fn a_line_that_is_none_gets_a_hint_by_its_shape() {
        for (line, hint) in [("[1]", "jq -c '.[]'"), ("{", "jq -c ."), ("alice;bob;3", "name the columns"), ("{}", "")]
        {
            assert!(Unit::Line.hint(line.as_bytes()).contains(hint), "{line}");
        }
        assert_eq!(Unit::Line.hint(b"hello"), "");
        for unit in [Unit::Line, Unit::Row, Unit::Entry] {
            assert!(unit.hint(b"{\"from\":\"J\xfcrgen\"}").contains("iconv -f WINDOWS-1252"));
        }
    }
}
