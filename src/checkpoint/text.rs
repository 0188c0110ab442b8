//! What the lines of all these formats are made of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{Error, Result};

/// Base64 of RFC 4648, section 4, with its padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64 text, which must be the only one of these bytes.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A hash in base64.
pub(super) fn hash_from_base64(text: &str) -> Option<crate::chain::Hash> {
    from_base64(text)?.try_into().ok().map(crate::chain::Hash)
}

/// Names of keys and origins of logs have at most this many bytes: what C2SP can still sign in every format.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// A decimal number up to 2^63 - 1, which is as far as other readers count, without a sign and without leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse().ok().filter(|_| is_plain)?;
    i64::try_from(number).is_ok().then_some(number)
}

/// A text with the characters that a note may have: UTF-8, and of the control characters below U+0020 the newline only.
pub(super) fn plain_text(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::new("it is not UTF-8"))?;
    match text.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        Some(at) => Err(Error::new(format!("byte {at} is a control character other than a newline"))),
        None => Ok(text),
    }
}

/// Whether a text can be the name of a key: something, without space of any kind, control characters and plus signs.
pub(super) fn is_key_name(text: &str) -> bool {
    let is_forbidden = |character: char| character.is_whitespace() || character < ' ' || character == '+';
    !text.is_empty() && !text.contains(is_forbidden)
}
