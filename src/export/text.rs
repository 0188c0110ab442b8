//! Rows as text: CSV, and JSON lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::table::{Cell, Row, Table};

/// Bytes that are handed to the system at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Comma-separated values, quoted as RFC 4180 has it; lines end with LF. Nothing between two commas is null, an empty
/// text is `""`.
pub(super) struct Csv(BufWriter<File>);

impl Csv {
    pub(super) fn new(file: File, table: Table) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        for (index, column) in table.columns().iter().enumerate() {
            write!(out, "{}{}", if index > 0 { "," } else { "" }, column.name)?;
        }
        out.write_all(b"\n")?;
        Ok(Self(out))
    }

    pub(super) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        for (index, cell) in row.cells().into_iter().enumerate() {
            if index > 0 {
                self.0.write_all(b",")?;
            }
            match cell {
                Cell::Null => {}
                Cell::Integer(integer) => write!(self.0, "{integer}")?,
                Cell::Unsigned(integer) => write!(self.0, "{integer}")?,
                Cell::Hash(hash) => self.0.write_all(&hex_digits(hash.as_bytes()))?,
                Cell::Text(text) => write_quoted(text, &mut self.0)?,
            }
        }
        self.0.write_all(b"\n")
    }

    pub(super) fn finish(self) -> io::Result<File> {
        Ok(self.0.into_inner()?)
    }
}

/// Quotes what would otherwise be read as something else.
fn write_quoted(text: &str, out: &mut impl Write) -> io::Result<()> {
    let is_plain = |byte: u8| !matches!(byte, b',' | b'"' | b'\n' | b'\r');
    // A space at either end is part of the text; some readers drop it unless it is quoted.
    if !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with(' ') && !text.ends_with(' ') {
        return out.write_all(text.as_bytes());
    }
    out.write_all(b"\"")?;
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.write_all(b"\"\"")?;
        }
        out.write_all(part.as_bytes())?;
    }
    out.write_all(b"\"")
}

/// An object of JSON a line: the row as it is in the topics of views.
pub(super) struct JsonLines(BufWriter<File>);

impl JsonLines {
    pub(super) fn new(file: File) -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, file))
    }

    pub(super) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }

    pub(super) fn finish(self) -> io::Result<File> {
        Ok(self.0.into_inner()?)
    }
}

/// The digits of a hash.
pub(super) fn hex_digits(hash: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_where_a_comma_a_quote_a_line_end_or_nothing_at_all_would_be_misread() {
        let quoted = |text| {
            let mut out = Vec::new();
            write_quoted(text, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for (text, expected) in [
            ("alice", "alice"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("\"", "\"\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" padded ", "\" padded \""),
            ("=1+1", "=1+1"),
            ("J\u{fc}rgen", "J\u{fc}rgen"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn the_digits_of_a_hash_are_those_it_is_shown_with() {
        let hash = crate::chain::Hash::of(b"x");
        assert_eq!(std::str::from_utf8(&hex_digits(hash.as_bytes())).unwrap(), hash.to_string());
    }
}
