//! The scalars of JSON, pushed into a buffer: each with the text that stands before it.

use crate::chain::hash::Hash;
use crate::chain::hex_array;

/// Where a rendering goes: a buffer, or a count of its bytes.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what it is given.
pub(super) struct Size(pub(super) usize);

impl Sink for Size {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

pub(super) fn list<S: Sink, T>(out: &mut S, items: &[T], write: impl Fn(&mut S, &T)) {
    out.put(b"[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.put(b",");
        }
        write(out, item);
    }
    out.put(b"]");
}

pub(super) fn option<S: Sink, T>(out: &mut S, item: Option<&T>, write: impl Fn(&mut S, &T)) {
    match item {
        Some(item) => write(out, item),
        None => out.put(b"null"),
    }
}

pub(super) fn hash(out: &mut impl Sink, before: &[u8], hash: &Hash) {
    bytes(out, before, &hash.0);
}

pub(super) fn bytes(out: &mut impl Sink, before: &[u8], bytes: &[u8]) {
    out.put(before);
    hex(out, bytes);
}

pub(super) fn hex(out: &mut impl Sink, bytes: &[u8]) {
    out.put(b"\"");
    for chunk in bytes.chunks(32) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(chunk) {
            pair.copy_from_slice(&hex_array::digits(*byte));
        }
        out.put(&digits[..chunk.len() * 2]);
    }
    out.put(b"\"");
}

pub(super) fn signed(out: &mut impl Sink, before: &[u8], number: i64) {
    if number < 0 {
        out.put(before);
        unsigned(out, b"-", number.unsigned_abs());
    } else {
        unsigned(out, before, number.unsigned_abs());
    }
}

pub(super) fn unsigned(out: &mut impl Sink, before: &[u8], mut number: u64) {
    out.put(before);
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put(&digits[start..]);
}

/// A text that needs no escapes: codes, and ids of validators.
pub(super) fn plain(out: &mut impl Sink, before: &[u8], text: &str) {
    out.put(before);
    out.put(b"\"");
    out.put(text.as_bytes());
    out.put(b"\"");
}

/// A text, with `"`, `\` and U+0000 to U+001F escaped and nothing else.
pub(super) fn text(out: &mut impl Sink, before: &[u8], text: &str) {
    out.put(before);
    out.put(b"\"");
    escaped(out, text.as_bytes());
    out.put(b"\"");
}

/// What stands between the quotes of a text.
pub(super) fn escaped(out: &mut impl Sink, mut rest: &[u8]) {
    let needs_escape = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    while let Some(at) = rest.iter().position(needs_escape) {
        out.put(&rest[..at]);
        escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.put(rest);
}

fn escape(out: &mut impl Sink, byte: u8) {
    match byte {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        b'\n' => out.put(b"\\n"),
        b'\r' => out.put(b"\\r"),
        b'\t' => out.put(b"\\t"),
        0x08 => out.put(b"\\b"),
        0x0c => out.put(b"\\f"),
        control => {
            out.put(b"\\u00");
            out.put(&hex_array::digits(control));
        }
    }
}
