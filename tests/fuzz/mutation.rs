//! Bytes from bytes.

use rand::RngExt;
use rand::rngs::StdRng;

/// What stands at borders: of JSON and TOML, of integers, of UTF-8, of lengths.
const PIECES: &[&[u8]] = &[
    b"",
    b"0",
    b"-0",
    b"-1",
    b"1.0",
    b"1e2",
    b"9007199254740991",
    b"9007199254740992",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"00",
    b"null",
    b"true",
    b"\"\"",
    b"[]",
    b"{}",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\u0041",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b" ",
    b"\n",
    b"\x00",
    b"\x01",
    b"\x02",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"e\xcc\x81",
    b"\xef\xbb\xbf",
    b"\"kind\":\"work\"",
    b"\"version\":2",
    b"genesis",
    b"= ",
    b"[[accounts]]\n",
    b"'",
    b"\"\"\"",
    b"#",
    b"\n\n",
    b"\xe2\x80\x94 ",
    b"+",
    b"==",
    b"old 0\n",
];

/// One of the inputs, altered a few times.
pub(crate) fn mutated(valid: &[Vec<u8>], rng: &mut StdRng, bytes_max: usize) -> Vec<u8> {
    let mut bytes = valid[rng.random_range(0..valid.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        alter(&mut bytes, valid, rng);
    }
    bytes.truncate(bytes_max);
    bytes
}

fn alter(bytes: &mut Vec<u8>, valid: &[Vec<u8>], rng: &mut StdRng) {
    let at = rng.random_range(0..=bytes.len());
    let end = rng.random_range(at..=bytes.len().min(at + 64));
    let piece = PIECES[rng.random_range(0..PIECES.len())];
    match rng.random_range(0..10) {
        0 => flip(bytes, rng),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..end)),
        3 => drop(bytes.splice(at..at, piece.iter().copied())),
        4 => drop(bytes.splice(at..end, piece.iter().copied())),
        5 => {
            let copy = bytes[at..end].repeat(rng.random_range(1..4));
            bytes.splice(end..end, copy);
        }
        6 => splice(bytes, at, &valid[rng.random_range(0..valid.len())], rng),
        7 => nest(bytes, at, end, rng),
        8 => digit(bytes, rng),
        _ => swap_fields(bytes, rng),
    }
}

fn flip(bytes: &mut [u8], rng: &mut StdRng) {
    if !bytes.is_empty() {
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
    }
}

/// The beginning of the one, the end of the other.
fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], rng: &mut StdRng) {
    bytes.truncate(at);
    bytes.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
}

/// A stretch put into brackets, up to a few thousand deep.
fn nest(bytes: &mut Vec<u8>, at: usize, end: usize, rng: &mut StdRng) {
    let (open, close): (&[u8], &[u8]) =
        [(&b"["[..], &b"]"[..]), (b"{\"a\":", b"}"), (b"[{\"a\":", b"}]")][rng.random_range(0..3)];
    let depth = 1 << rng.random_range(0..12);
    bytes.splice(end..end, close.repeat(depth));
    bytes.splice(at..at, open.repeat(depth));
}

/// Another digit in the place of one: what was valid mostly still is.
fn digit(bytes: &mut [u8], rng: &mut StdRng) {
    let digits: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).map(|(at, _)| at).collect();
    if !digits.is_empty() {
        bytes[digits[rng.random_range(0..digits.len())]] = b'0' + rng.random_range(0..10);
    }
}

/// Two neighbours between commas, each in the place of the other.
fn swap_fields(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    let commas: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at).collect();
    if commas.len() >= 3 {
        let first = rng.random_range(0..commas.len() - 2);
        let (start, middle, end) = (commas[first], commas[first + 1], commas[first + 2]);
        let swapped = [&bytes[middle..end], &bytes[start..middle]].concat();
        bytes.splice(start..end, swapped);
    }
}
