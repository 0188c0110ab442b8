//! A list of JSON: its entries, one on each line.

use std::io::{self, Read};

use super::{Made, invalid};

/// The entries of a list, each on a line of its own. What an entry is, is not looked at but for its ends: brackets and
/// strings. So nothing is gathered, and what is no JSON is found by the same parser as on lines.
pub(super) struct List<R> {
    input: R,
    state: State,
    /// How many entries are complete.
    count: u64,
    made: Made,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The list's bracket is to come.
    Before,
    /// In an entry, or before it.
    Within(Entry),
    /// Behind the list.
    After,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// Whether anything of it was met.
    is_begun: bool,
    /// How many brackets are open in it.
    depth: u64,
    in_string: bool,
    /// In a string: behind a backslash.
    is_escaped: bool,
    /// Whether space was met that was not written yet.
    has_space: bool,
}

impl<R> List<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, state: State::Before, count: 0, made: Made::default() }
    }

    fn feed(&mut self, byte: u8) -> io::Result<()> {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.state = match self.state {
            State::Before if byte == b'[' => State::Within(Entry::default()),
            State::Before | State::After if is_space => self.state,
            State::Before | State::After => {
                return Err(invalid(format!("something else follows the list of {} entries in the input", self.count)));
            }
            State::Within(entry) if entry.in_string => State::Within(self.in_string(entry, byte)),
            State::Within(entry) if is_space => State::Within(Entry { has_space: entry.is_begun, ..entry }),
            State::Within(entry) => self.outside_strings(entry, byte)?,
        };
        Ok(())
    }

    fn in_string(&mut self, entry: Entry, byte: u8) -> Entry {
        // A line break is no part of a string: as a carriage return it stays one, and does not end the line.
        self.made.bytes.push(if byte == b'\n' { b'\r' } else { byte });
        let is_escaped = byte == b'\\' && !entry.is_escaped;
        Entry { in_string: byte != b'"' || entry.is_escaped, is_escaped, ..entry }
    }

    fn outside_strings(&mut self, entry: Entry, byte: u8) -> io::Result<State> {
        if entry.depth == 0 && matches!(byte, b',' | b']') {
            return self.end(entry, byte == b']');
        }
        if entry.has_space {
            self.made.bytes.push(b' ');
        }
        self.made.bytes.push(byte);
        let depth = match byte {
            b'[' | b'{' => entry.depth.saturating_add(1),
            b']' | b'}' => entry.depth.saturating_sub(1),
            _ => entry.depth,
        };
        Ok(State::Within(Entry { is_begun: true, depth, in_string: byte == b'"', is_escaped: false, has_space: false }))
    }

    /// At the end of an entry, and maybe of the list.
    fn end(&mut self, entry: Entry, is_last: bool) -> io::Result<State> {
        if entry.is_begun {
            self.count = self.count.saturating_add(1);
            self.made.bytes.push(b'\n');
        } else if !is_last || self.count > 0 {
            return Err(invalid(format!(
                "the list in the input has a comma too many: behind entry {} another has to follow",
                self.count
            )));
        }
        Ok(if is_last { State::After } else { State::Within(Entry::default()) })
    }
}

impl<R: Read> Read for List<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = [0; 16 << 10];
        while self.made.bytes.is_empty() && !buffer.is_empty() {
            let read = self.input.read(&mut bytes)?;
            if read == 0 {
                return match self.state {
                    State::After => Ok(0),
                    _ => Err(invalid(format!(
                        "the list in the input does not end behind {} entries: is it there as a whole?",
                        self.count
                    ))),
                };
            }
            bytes.iter().take(read).try_for_each(|byte| self.feed(*byte))?;
        }
        Ok(self.made.take(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> io::Result<String> {
        let mut lines = String::new();
        List::new(text.as_bytes()).read_to_string(&mut lines).map(|_| lines)
    }

    #[test]
    fn each_entry_is_a_line_however_the_list_is_written() {
        let lines = "{\"a\":1}\n{\"b\":[2,{}]}\n";
        for text in ["[{\"a\":1},{\"b\":[2,{}]}]", " [\r\n{\"a\":1}\n,\n{\"b\":[2,{}]}\n]\n\n"] {
            assert_eq!(entries(text).unwrap(), lines);
        }
        assert_eq!(entries("[{\n  \"a\": 1\n}]").unwrap(), "{ \"a\": 1 }\n");
        assert_eq!(entries("[]").unwrap(), "");
        // Brackets, commas and quotes in strings are text.
        let text = r#"{"a":"],}\"\\","b":"[{"}"#;
        assert_eq!(entries(&format!("[{text},1 2]")).unwrap(), format!("{text}\n1 2\n"));
    }

    #[test]
    fn what_is_no_list_is_refused_and_never_made_one() {
        for (text, says) in [
            ("[{},]", "comma too many"),
            ("[,{}]", "comma too many"),
            ("[{}", "does not end behind 0 entries"),
            ("[{},\"]", "does not end behind 1 entries"),
            ("[{}] [{}]", "something else follows the list of 1"),
        ] {
            let error = entries(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert_eq!(entries("[\"a\nb\"]").unwrap(), "\"a\rb\"\n", "a line break in a string is still none");
        assert_eq!(entries("[}]").unwrap(), "}\n");
    }
}
