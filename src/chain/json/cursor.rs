//! A line, read from its beginning: each call takes the one thing that may come next, as `scalars` writes it, behind
//! the text that stands before it, and nothing else.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use super::scalars;
use crate::chain::hash::Hash;
use crate::chain::hex_array;

/// A result of reading.
pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Where a line is not the rendering of anything, and why.
#[derive(Debug)]
pub(super) struct Fault {
    /// The offset in the line, in bytes.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) wrong: Wrong,
}

/// What is wrong with a line.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The rendering has something else there: this. Nothing where the line should have ended.
    Differs(Cow<'static, str>),
    /// There is a value of the right kind, but it says what cannot be.
    Value(String),
}

/// What is still to be read of a line.
pub(super) struct Cursor<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Cursor<'l> {
    pub(super) fn new(line: &'l str) -> Self {
        Self { line, at: 0 }
    }

    /// How much was read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'l [u8] {
        self.line.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Everything up to what ends the line.
    pub(super) fn up_to(&mut self, ending: &'static str) -> Result<&'l str> {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(before) = rest.strip_suffix(ending) else { return Err(self.differs_at(self.line.len(), ending)) };
        self.at += before.len();
        Ok(before)
    }

    /// The line must have been read to its end.
    pub(super) fn end(&self) -> Result<()> {
        if self.at == self.line.len() { Ok(()) } else { Err(self.differs_at(self.at, "")) }
    }

    /// Takes this text, if it comes next.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let comes = self.rest().starts_with(text.as_bytes());
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Takes this text, which must come next.
    pub(super) fn text(&mut self, text: &'static str) -> Result<()> {
        if self.takes(text) { Ok(()) } else { Err(self.differs(text)) }
    }

    /// Something of the right kind that says what cannot be. It began at `at`.
    #[cold]
    pub(super) fn wrong(at: usize, detail: impl Display) -> Fault {
        Fault { at, wrong: Wrong::Value(detail.to_string()) }
    }

    #[cold]
    fn differs_at(&self, at: usize, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault { at, wrong: Wrong::Differs(text.into()) }
    }

    /// The fault of a place where this text must come.
    #[cold]
    pub(super) fn differs(&self, text: &'static str) -> Fault {
        let same = self.rest().iter().zip(text.as_bytes()).take_while(|(found, wanted)| found == wanted).count();
        self.differs_at(self.at + same, text.get(same..).unwrap_or(text))
    }

    /// A number without a sign.
    pub(super) fn unsigned(&mut self, before: &'static str) -> Result<u64> {
        self.text(before)?;
        self.digits()
    }

    fn digits(&mut self) -> Result<u64> {
        let digits = self.rest();
        let mut number = 0_u64;
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = digits.get(count) {
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(u64::from(digit - b'0')))
                .ok_or_else(|| Self::wrong(self.at, "a number beyond 64 bits"))?;
            count += 1;
        }
        match digits {
            [b'0', ..] if count > 1 => Err(self.differs_at(self.at, "a number without a zero before it")),
            _ if count == 0 => Err(Self::wrong(self.at, "no whole number")),
            _ => {
                self.at += count;
                Ok(number)
            }
        }
    }

    /// A number without a sign, of a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self, before: &'static str) -> Result<T> {
        self.text(before)?;
        let at = self.at;
        let number = self.digits()?;
        T::try_from(number).map_err(|_| Self::wrong(at, format_args!("{number} is too large")))
    }

    /// A number with or without a sign.
    pub(super) fn signed(&mut self, before: &'static str) -> Result<i64> {
        self.text(before)?;
        let at = self.at;
        let is_negative = self.takes("-");
        let number = self.digits()?;
        let signed = if is_negative { 0_i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() };
        match signed {
            Some(0) if is_negative => Err(self.differs_at(at, "0")),
            Some(signed) => Ok(signed),
            None => Err(Self::wrong(at, "a number beyond 64 bits")),
        }
    }

    /// A string of hex digits, of exactly this many bytes.
    pub(super) fn bytes<const N: usize>(&mut self, before: &'static str) -> Result<[u8; N]> {
        self.text(before)?;
        let mut bytes = [0; N];
        let at = self.at;
        match self.rest().get(..2 * N + 2) {
            Some([b'"', digits @ .., b'"']) if hex_array::decode_into(digits, &mut bytes, false) => {
                self.at += 2 * N + 2;
                Ok(bytes)
            }
            _ => Err(Self::wrong(at, format_args!("not a string of {} lower-case hex digits", 2 * N))),
        }
    }

    pub(super) fn hash(&mut self, before: &'static str) -> Result<Hash> {
        self.bytes(before).map(Hash)
    }

    /// A string of hex digits, of any even number.
    pub(super) fn hex(&mut self, before: &'static str) -> Result<Vec<u8>> {
        self.text(before)?;
        let at = self.at;
        let bytes = hex_array::decode_all(&self.string()?);
        bytes.ok_or_else(|| Self::wrong(at, "not a string of lower-case hex digits, two for each byte"))
    }

    /// A string.
    pub(super) fn string(&mut self) -> Result<Cow<'l, str>> {
        if !self.rest().starts_with(b"\"") {
            return Err(Self::wrong(self.at, "no string"));
        }
        let start = self.at + 1;
        match self.special(start) {
            Some((end, b'"')) => {
                self.at = end + 1;
                Ok(Cow::Borrowed(self.line.get(start..end).unwrap_or_default()))
            }
            _ => self.string_with_escapes(start).map(Cow::Owned),
        }
    }

    /// The first byte from `from` on that ends a string or must be escaped in one, and where it stands.
    fn special(&self, from: usize) -> Option<(usize, u8)> {
        let rest = self.line.as_bytes().get(from..)?;
        let length = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')?;
        Some((from + length, rest[length]))
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<String> {
        let (mut text, mut from) = (String::new(), start);
        loop {
            let Some((at, special)) = self.special(from) else {
                return Err(Self::wrong(start - 1, "a string without an end"));
            };
            text.push_str(self.line.get(from..at).unwrap_or_default());
            match special {
                b'"' => {
                    self.at = at + 1;
                    return Ok(text);
                }
                b'\\' => {
                    let (character, length) = self.escape(at)?;
                    text.push(character);
                    from = at + length;
                }
                _ => return Err(Self::wrong(at, "a control character in a string")),
            }
        }
    }

    /// The character of an escape, and how many bytes it takes.
    fn escape(&self, at: usize) -> Result<(char, usize)> {
        let escape = self.line.as_bytes().get(at..).unwrap_or_default();
        let plain = |character| Some((character, 2));
        let read = match escape.get(1) {
            Some(b'"') => plain('"'),
            Some(b'\\') => plain('\\'),
            Some(b'/') => plain('/'),
            Some(b'n') => plain('\n'),
            Some(b'r') => plain('\r'),
            Some(b't') => plain('\t'),
            Some(b'b') => plain('\u{8}'),
            Some(b'f') => plain('\u{c}'),
            Some(b'u') => hex_array::decode_any_case(self.line.get(at + 2..at + 6).unwrap_or_default())
                .and_then(|code| char::from_u32(u16::from_be_bytes(code).into()))
                .map(|character| (character, 6)),
            _ => None,
        };
        let (character, length) = read.ok_or_else(|| Self::wrong(at, "no escape of a character"))?;
        let mut rendering = Vec::new();
        scalars::escaped(&mut rendering, character.encode_utf8(&mut [0; 4]).as_bytes());
        if escape.get(..length) == Some(&*rendering) {
            return Ok((character, length));
        }
        Err(self.differs_at(at, String::from_utf8_lossy(&rendering).into_owned()))
    }

    /// What stands in brackets, with commas between.
    pub(super) fn list<T>(
        &mut self,
        before: &'static str,
        mut items: Vec<T>,
        read: impl Fn(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.text(before)?;
        self.text("[")?;
        if self.takes("]") {
            return Ok(items);
        }
        loop {
            items.push(read(self)?);
            if !self.takes(",") {
                break;
            }
        }
        self.text("]").map(|()| items)
    }

    /// `null`, or a value.
    pub(super) fn option<T>(
        &mut self,
        before: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        self.text(before)?;
        if self.takes("null") { Ok(None) } else { read(self).map(Some) }
    }

    /// A string that a type takes for one of its values.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, before: &'static str) -> Result<T> {
        self.text(before)?;
        let at = self.at;
        self.string()?.parse().map_err(|error| Self::wrong(at, error))
    }
}
