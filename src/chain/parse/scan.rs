//! A scanner for one JSON object (RFC 8259) that finds the fields of a transaction and checks all the rest.
//!
//! Which values are transactions is part of the chain's rules, so it is decided here to the byte, and not by a
//! library whose corner cases (depth, surrogates, bytes inside ignored fields) may change with its version. It does
//! not recurse, does not allocate, and looks at each byte once.

use super::{Reject, RejectCode};

/// How deep arrays and objects may lie in each other; the transaction's own object counts as one.
pub const DEPTH_MAX: u32 = 64;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// What stands between the quotes.
    Text(Raw<'a>),
    /// A number as written.
    Number(&'a str),
    Null,
    /// `true` or `false`.
    Boolean,
    /// An array or an object.
    Nested,
}

/// What stands between the quotes of a string, escapes not yet resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    pub(super) text: &'a str,
    pub(super) escaped: bool,
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
}

type Result<T> = std::result::Result<T, Reject>;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), position: 0 }
    }

    /// Reads the whole text as one object and hands each of its fields to `field`.
    pub(super) fn object(&mut self, mut field: impl FnMut(Raw<'a>, Token<'a>)) -> Result<()> {
        self.space();
        if self.peek() != Some(b'{') {
            self.value(0)?;
            self.end()?;
            return Err(Reject { code: RejectCode::NotAnObject, detail: "JSON, but not an object".to_owned() });
        }
        self.position += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.position += 1;
        } else {
            loop {
                let name = self.name()?;
                field(name, self.value(1)?);
                self.space();
                match self.next() {
                    Some(b',') => self.space(),
                    Some(b'}') => break,
                    found => return Err(self.unexpected(found, "expected , or }")),
                }
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.space();
        match self.next() {
            None => Ok(()),
            found => Err(self.unexpected(found, "expected nothing more")),
        }
    }

    /// A field's name and the colon after it, up to where its value begins.
    fn name(&mut self) -> Result<Raw<'a>> {
        match self.next() {
            Some(b'"') => {}
            found => return Err(self.unexpected(found, "expected a field's name")),
        }
        let name = self.string()?;
        self.space();
        match self.next() {
            Some(b':') => {}
            found => return Err(self.unexpected(found, "expected :")),
        }
        self.space();
        Ok(name)
    }

    /// One value of any kind, of which everything is checked; it lies in `depth` arrays and objects.
    fn value(&mut self, depth: u32) -> Result<Token<'a>> {
        match self.peek() {
            Some(b'{' | b'[') => self.nested(depth).map(|()| Token::Nested),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Token<'a>> {
        match self.peek() {
            Some(b'"') => {
                self.position += 1;
                self.string().map(Token::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'n') => self.literal("null", Token::Null),
            Some(b't') => self.literal("true", Token::Boolean),
            Some(b'f') => self.literal("false", Token::Boolean),
            _ => {
                let found = self.next();
                Err(self.unexpected(found, "expected a value"))
            }
        }
    }

    /// An array or an object. `open` holds one bit per level still open, the innermost lowest: 1 for an object.
    fn nested(&mut self, depth: u32) -> Result<()> {
        let (mut open, mut level) = (0_u64, 0_u32);
        loop {
            // Here a value begins.
            if let Some(bracket @ (b'{' | b'[')) = self.peek() {
                level += 1;
                if depth + level > DEPTH_MAX {
                    let detail = format!("more than {DEPTH_MAX} levels at byte {}", self.position);
                    return Err(Reject { code: RejectCode::NestedTooDeep, detail });
                }
                let object = bracket == b'{';
                open = (open << 1) | u64::from(object);
                self.position += 1;
                self.space();
                if self.peek() != Some(if object { b'}' } else { b']' }) {
                    if object {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // Here a value has ended, or an empty bracket is about to close.
            loop {
                if level == 0 {
                    return Ok(());
                }
                self.space();
                let object = open & 1 == 1;
                match self.next() {
                    Some(b',') => {
                        self.space();
                        if object {
                            self.name()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    found => return Err(self.unexpected(found, "expected , or the closing bracket")),
                }
                open >>= 1;
                level -= 1;
            }
        }
    }

    /// The rest of a string, after its opening quote.
    fn string(&mut self) -> Result<Raw<'a>> {
        let start = self.position;
        let mut escaped = false;
        loop {
            match self.next() {
                Some(b'"') => {
                    return Ok(Raw { text: &self.text[start..self.position - 1], escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..) => {}
                found => {
                    return Err(self.unexpected(found, "a string ends with a quote and holds no control character"));
                }
            }
        }
    }

    /// The rest of an escape, after its backslash.
    fn escape(&mut self) -> Result<()> {
        match self.next() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(()),
            Some(b'u') => {}
            found => return Err(self.unexpected(found, "no such escape")),
        }
        match self.hex4()? {
            0xD800..=0xDBFF => {
                let follows = self.next() == Some(b'\\') && self.next() == Some(b'u');
                if follows && matches!(self.hex4()?, 0xDC00..=0xDFFF) {
                    return Ok(());
                }
            }
            0xDC00..=0xDFFF => {}
            _ => return Ok(()),
        }
        let detail = format!("half of a surrogate pair before byte {}", self.position);
        Err(Reject { code: RejectCode::LoneSurrogate, detail })
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let found = self.next();
            match found.and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return Err(self.unexpected(found, "expected four hex digits")),
            }
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<&'a str> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.position])
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
        if self.position > start {
            return Ok(());
        }
        let found = self.next();
        Err(self.unexpected(found, "expected a digit"))
    }

    fn literal(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>> {
        if self.bytes[self.position..].starts_with(word.as_bytes()) {
            self.position += word.len();
            return Ok(token);
        }
        let found = self.next();
        Err(self.unexpected(found, "expected a value"))
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.position += usize::from(byte.is_some());
        byte
    }

    /// A refusal of the byte just taken.
    #[cold]
    fn unexpected(&self, found: Option<u8>, expected: &str) -> Reject {
        let detail = match found {
            Some(_) => format!("{expected}, before byte {}", self.position),
            None => format!("{expected}, but the text ends at byte {}", self.position),
        };
        Reject { code: RejectCode::NotJson, detail }
    }
}

impl<'a> Raw<'a> {
    /// The string with its escapes resolved. The scanner has checked them.
    pub(super) fn resolve(self) -> std::borrow::Cow<'a, str> {
        if !self.escaped {
            return self.text.into();
        }
        let mut text = String::with_capacity(self.text.len());
        let mut rest = self.text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            text.push_str(plain);
            let (character, size) = resolve_one(escape);
            text.push(character);
            rest = escape.get(size..).unwrap_or_default();
        }
        text.push_str(rest);
        text.into()
    }
}

/// The character that an escape (without its backslash) stands for, and the number of bytes of the escape.
fn resolve_one(escape: &str) -> (char, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    match escape.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => match unit(1) {
            high @ 0xD800..=0xDBFF => {
                let scalar = 0x10000 + ((high - 0xD800) << 10 | (unit(7) & 0x3FF));
                (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 11)
            }
            unit => (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 5),
        },
        Some(other) => (char::from(*other), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}
