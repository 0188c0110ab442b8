//! Fixed-size bytes as lower-case hex, for `#[serde(with = "hex_array")]`.

use std::fmt;

use serde::{Deserializer, Serializer, de};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The bytes of exactly `2 * N` lower-case hex digits. Upper case is refused: a value has one rendering.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    decode_into(text.as_bytes(), &mut bytes, false).then_some(bytes)
}

/// The bytes of lower-case hex digits, two for each.
#[must_use]
pub fn decode_all(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    decode_into(text.as_bytes(), &mut bytes, false).then_some(bytes)
}

/// As [`decode`], but takes upper case too: for what people type.
#[must_use]
pub fn decode_any_case<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    decode_into(text.as_bytes(), &mut bytes, true).then_some(bytes)
}

/// Fills `bytes` from hex digits; false if the text has another length or another character.
pub(super) fn decode_into(text: &[u8], bytes: &mut [u8], upper_case: bool) -> bool {
    if text.len() != bytes.len() * 2 {
        return false;
    }
    // Digits of hashes are random, so a branch for each would be guessed wrongly half of the time.
    let values = if upper_case { &ANY_CASE } else { &LOWER_CASE };
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| values[usize::from(digit)]);
        all |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    all & NO_DIGIT == 0
}

/// Of a character that is no digit; no digit's value has these bits.
const NO_DIGIT: u8 = 0xf0;
const LOWER_CASE: [u8; 256] = values(false);
const ANY_CASE: [u8; 256] = values(true);

/// The value of each character as a digit.
const fn values(upper_case: bool) -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        if upper_case {
            values[DIGITS[value].to_ascii_uppercase() as usize] = value as u8;
        }
        value += 1;
    }
    values
}

/// The two lower-case hex digits of a byte.
#[must_use]
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// The bytes as lower-case hex.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

/// Writes the bytes as a string of hex digits.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes))
}

/// Reads the bytes from a string of exactly `2 * N` lower-case hex digits.
pub fn deserialize<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
    struct Visitor<const N: usize>;

    impl<const N: usize> de::Visitor<'_> for Visitor<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} lower-case hex digits", N * 2)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
            decode(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_str(Visitor)
}
