//! Codecs: how keys and values look as bytes, with decoded items that borrow from them.
//!
//! This module depends on nothing else of the crate.

mod json;
mod primitive;

pub use json::Json;
pub use primitive::{Bytes, I64, U64, Utf8};

/// Turns items into bytes and back. Decoded items may borrow from the bytes, so reading copies nothing.
///
/// Law: decoding what `encode` wrote gives an equal item; keys of a store must encode to bytes whose order is the
/// order that a range scan shall have.
///
/// ```
/// use topology::codec::{Codec, U64};
///
/// let mut bytes = Vec::new();
/// U64.encode(&7, &mut bytes).unwrap();
/// assert_eq!(U64.decode(&bytes).unwrap(), 7);
/// assert!(U64.decode(b"short").is_err());
/// ```
pub trait Codec: Clone + Send + Sync + 'static {
    /// What bytes decode to.
    type Item<'a>;

    /// Decodes, or says in one line why these bytes are not an item.
    fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Self::Item<'a>, DecodeError>;

    /// Appends the item's bytes, or says in one line why the item has none; `out` may hold a part of them then, and the
    /// caller throws it away.
    fn encode(&self, item: &Self::Item<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// Bytes that are not an item, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    /// One line, for the dead letter's header.
    pub reason: String,
}

impl DecodeError {
    /// A reason in one line.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// An item that has no bytes, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EncodeError {
    /// One line.
    pub reason: String,
}

impl EncodeError {
    /// A reason in one line.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
