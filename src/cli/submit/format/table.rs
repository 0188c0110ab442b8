//! A table, as spreadsheets export it: rows of cells, of which the first names the columns.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::Value;

use super::super::lines::LINE_BYTES_MAX;
use super::{LineFeeds, Made, invalid};

/// What may stand between cells.
pub(super) const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Columns whose cells are numbers.
const NUMBERS: [&str; 7] = ["amount", "fee", "nonce", "valid_until", "timeout_ms", "version", "asset"];

/// What stands between the cells of a table that begins with these bytes. `None`: its first line does not name the
/// columns that every transaction needs but for the sender, so it is no table.
pub(super) fn delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty())?;
    let line = std::str::from_utf8(line).ok()?;
    DELIMITERS.into_iter().find(|delimiter| {
        let names: Vec<String> = line.split(char::from(*delimiter)).map(column).collect();
        let has = |any: &[&str]| names.iter().any(|name| any.contains(&name.as_str()));
        has(&["to", "recipient"]) && has(&["amount"])
    })
}

/// The field that a column is for.
fn column(heading: &str) -> String {
    heading.trim().trim_matches('"').trim().to_lowercase().replace(' ', "_")
}

/// The rows of a table as objects of JSON, each on the line on which its row begins.
pub(super) struct Table<R> {
    rows: Reader<Bounded<LineFeeds<R>>>,
    columns: Option<Vec<String>>,
    row: ByteRecord,
    /// How many lines were made.
    line_count: u64,
    made: Made,
}

impl<R: Read> Table<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        let rows = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            // Rows of another length are refused here, where it is known on which line they begin.
            .flexible(true)
            .from_reader(Bounded { input: LineFeeds::new(input), left: LINE_BYTES_MAX });
        Self { rows, columns: None, row: ByteRecord::new(), line_count: 0, made: Made::default() }
    }

    /// Makes the next line; `false` at the end.
    fn make(&mut self) -> io::Result<bool> {
        self.rows.get_mut().left = LINE_BYTES_MAX;
        if !self.rows.read_byte_record(&mut self.row).map_err(why)? {
            return Ok(false);
        }
        let Some(columns) = &self.columns else {
            self.columns = Some(columns(&self.row)?);
            return Ok(true);
        };
        // The reader stands at the beginning of the next line; a row takes a line, and one more for each line break in
        // a cell.
        let breaks = self.row.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
        let line = self.rows.position().line().saturating_sub(breaks.saturating_add(1));
        if self.row.len() != columns.len() {
            return Err(invalid(format!(
                "line {line}: the table's first line names {} columns, and this row has {} cells; put quotes around a cell that \
                 holds what stands between cells",
                columns.len(),
                self.row.len()
            )));
        }
        // With each row, so that no number of empty ones gathers.
        while self.line_count.saturating_add(1) < line {
            self.made.bytes.push(b'\n');
            self.line_count += 1;
        }
        let cells = || columns.iter().zip(self.row.iter().map(<[u8]>::trim_ascii)).filter(|(_, cell)| !cell.is_empty());
        if cells().next().is_none() {
            return Ok(true);
        }
        self.line_count = line;
        for (index, (column, cell)) in cells().enumerate() {
            self.made.bytes.push(if index == 0 { b'{' } else { b',' });
            self.made.bytes.extend_from_slice(Value::from(column.as_str()).to_string().as_bytes());
            self.made.bytes.push(b':');
            add_cell(&mut self.made.bytes, column, cell);
        }
        self.made.bytes.extend_from_slice(b"}\n");
        Ok(true)
    }
}

impl<R: Read> Read for Table<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.made.bytes.is_empty() && !buffer.is_empty() {
            if !self.make()? {
                return Ok(0);
            }
        }
        Ok(self.made.take(buffer))
    }
}

/// The columns of a heading. Each has a name, and no other has the same: a cell would be lost.
fn columns(row: &ByteRecord) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for cell in row {
        let name = column(&String::from_utf8_lossy(cell));
        if name.is_empty() || names.contains(&name) {
            let what =
                if name.is_empty() { "one of them has no name".to_owned() } else { format!("'{name}' is there twice") };
            return Err(invalid(format!("the first line of the input names the columns of a table, and {what}")));
        }
        names.push(name);
    }
    Ok(names)
}

/// A cell as a value: what is a number of JSON stays one where the column has numbers; all else is text. Bytes that are
/// no UTF-8 stay, for the parser to refuse them where they stand.
fn add_cell(out: &mut Vec<u8>, column: &str, cell: &[u8]) {
    if NUMBERS.contains(&column) && is_number(cell) {
        out.extend_from_slice(cell);
        return;
    }
    out.push(b'"');
    for chunk in cell.utf8_chunks() {
        let quoted = Value::from(chunk.valid()).to_string();
        out.extend_from_slice(quoted.as_bytes().get(1..quoted.len() - 1).unwrap_or_default());
        out.extend_from_slice(chunk.invalid());
    }
    out.push(b'"');
}

fn is_number(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| {
        cell.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
            && serde_json::from_str::<serde_json::Number>(cell).is_ok()
    })
}

fn why(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => invalid(format!("the table in the input cannot be read: {other:?}")),
    }
}

/// Hands out so many bytes and no more, until more are allowed: a quote that is not closed would gather all that
/// follows.
struct Bounded<R> {
    input: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(invalid(format!(
                "a row of the table in the input has more than {LINE_BYTES_MAX} bytes: is a quote not closed?"
            )));
        }
        let length = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..length])?;
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    fn rows(text: &[u8]) -> io::Result<String> {
        let plain = open(Box::new(text)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plain.unit, super::super::Unit::Row);
        let (mut bytes, mut lines) = (Vec::new(), plain.lines);
        lines.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn rows_are_objects_on_the_lines_where_they_begin() {
        let expected = "\n{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n";
        for text in [
            "from,to,amount\nalice,bob,3\n",
            "From;To;Amount\r\nalice;bob;3",
            "from\tto\tamount\ralice\tbob\t3\r",
            "\u{feff}\"From\", \"To\" ,Amount\n alice , bob , 3 \n,,\n",
        ] {
            assert_eq!(rows(text.as_bytes()).unwrap(), expected, "{text:?}");
        }
        let memo = "sender,recipient,amount,memo,Valid until\n\na,b,1,\"one\ntwo, \"\"three\"\"\",7\n\nc,d,2,,\n";
        let expected = "\n\n{\"sender\":\"a\",\"recipient\":\"b\",\"amount\":1,\"memo\":\"one\\ntwo, \\\"three\\\"\",\"valid_until\":7}\n\
                        \n\n{\"sender\":\"c\",\"recipient\":\"d\",\"amount\":2}\n";
        assert_eq!(rows(memo.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_number_stays_text_for_the_parser_to_refuse() {
        for (cell, value) in
            [("1.5", "1.5"), ("007", "\"007\""), ("1 000", "\"1 000\""), ("-3", "-3"), ("3 EUR", "\"3 EUR\"")]
        {
            let text = format!("from;to;amount\n7;8;{cell}\n");
            let expected = format!("\n{{\"from\":\"7\",\"to\":\"8\",\"amount\":{value}}}\n");
            assert_eq!(rows(text.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_utf_8_stays_where_it_stands_and_makes_no_other_line() {
        assert!(rows(b"from,to,amount\nJ\xfcrgen,b,1\n").unwrap().contains("J\u{fffd}rgen"));
        // Within quotes, with what would end the text, and the line.
        let cell = b"\xfc\"\"}\n{\"\"from\"\":\"\"victim\"\",\"\"to\"\":\"\"me\"\",\"\"amount\"\":9}\n\\";
        let table = [&b"memo,from,to,amount\n\""[..], cell, b"\",a,b,1\n"].concat();
        let lines = rows(&table).unwrap();
        let expected = "\n{\"memo\":\"\u{fffd}\\\"}\\n{\\\"from\\\":\\\"victim\\\",\\\"to\\\":\\\"me\\\",\\\"amount\\\":9}\\n\\\\\",\
                        \"from\":\"a\",\"to\":\"b\",\"amount\":1}\n";
        assert_eq!(lines, expected);
    }

    #[test]
    fn rows_that_say_nothing_are_not_gathered_however_many_follow_each_other() {
        let count = 1 << 20;
        let text = format!("from,to,amount\n{}a,b,1\n", ",,\n".repeat(count));
        let mut table = Table::new(text.as_bytes(), b',');
        let (mut lines, mut made_bytes_max) = (0, 0);
        while table.make().unwrap() {
            made_bytes_max = made_bytes_max.max(table.made.bytes.len());
            lines += table.made.bytes.iter().filter(|byte| **byte == b'\n').count();
            table.made = Made::default();
        }
        assert_eq!(lines, count + 2, "the header, those that say nothing, and one that does");
        assert!(made_bytes_max < 100, "{made_bytes_max} bytes at once");
    }

    #[test]
    fn a_table_that_does_not_say_what_is_what_is_refused() {
        for (text, says) in [
            (
                "from,to,amount\n\na,\"b\nc\",1\n\n\na,b\n",
                "line 7: the table's first line names 3 columns, and this row has 2 cells",
            ),
            ("from,to,amount\na,b,1,2\n", "line 2: the table's first line names 3 columns, and this row has 4 cells"),
            ("from,to,amount,to\n", "'to' is there twice"),
            ("from,to,amount,\n", "no name"),
        ] {
            let error = rows(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let open_quote = format!("from,to,amount\n\"a,b,1\n{}", "c,d,2\n".repeat(1 << 20));
        assert!(rows(open_quote.as_bytes()).unwrap_err().to_string().contains("quote not closed"));
        for other in ["alice,bob,3\n", "{\"to\":1,\"amount\":2}", "to amount\n"] {
            assert_eq!(delimiter(other.as_bytes()), None, "{other}");
        }
    }
}
