//! What flows along an edge, and how it looks as bytes where there must be bytes.
//!
//! ```text
//! Data     any Rust type            edges between processors
//! Codec    a Data that has bytes    sources, sinks, stores: str, [u8], String, Vec<u8>, numbers, (), Json<T>
//! ```
//! A type stands for itself, and its bytes are a property of the type: `source::<str, Json<Order>>("orders")` says all
//! there is to say. This module depends on nothing else of the crate.

mod json;
mod primitive;
#[cfg(test)]
mod tests;

pub use json::Json;

/// Something that flows along an edge. Every Rust type that borrows nothing is one, and stands for itself. So are `str`
/// and `[u8]`, whose items are borrowed from the client's buffers: reading them copies nothing.
///
/// A type of yours that borrows is named by one that has no size and no values ([`Unsized`]):
///
/// ```
/// use topology::codec::{Codec, Data, DecodeError, EncodeError, Unsized};
///
/// /// A word and how often it was seen, as it lies in the record.
/// pub struct Counted<'a> {
///     pub word: &'a str,
///     pub count: u8,
/// }
///
/// /// Stands for [`Counted`] on edges, in sources, sinks and stores.
/// pub struct Word(Unsized);
///
/// impl Data for Word {
///     type Item<'a> = Counted<'a>;
/// }
///
/// impl Codec for Word {
///     fn decode(bytes: &[u8]) -> Result<Counted<'_>, DecodeError> {
///         let (&count, word) = bytes.split_first().ok_or_else(|| DecodeError::new("no bytes"))?;
///         Ok(Counted { word: str::decode(word)?, count })
///     }
///
///     fn encode(item: &Counted<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
///         out.push(item.count);
///         str::encode(&item.word, out)
///     }
/// }
///
/// assert_eq!(Word::decode(b"\x03tea").unwrap().word, "tea");
/// ```
pub trait Data: 'static {
    /// What a record holds.
    type Item<'a>;
}

impl<T: 'static> Data for T {
    type Item<'a> = T;
}

impl Data for str {
    type Item<'a> = &'a str;
}

impl Data for [u8] {
    type Item<'a> = &'a [u8];
}

/// Makes a type unsized, so that it can say itself what its items are: see [`Data`].
pub struct Unsized {
    _no_size: [()],
}

/// Data that has bytes. Decoded items may borrow from them.
///
/// Law: decoding what `encode` wrote gives an equal item; keys of a store must encode to bytes whose order is the
/// order that a range scan shall have. Numbers are big endian: as keys, negative ones come behind all others.
///
/// ```
/// use topology::codec::Codec;
///
/// let mut bytes = Vec::new();
/// u64::encode(&7, &mut bytes).unwrap();
/// assert_eq!(u64::decode(&bytes).unwrap(), 7);
/// assert!(u64::decode(b"short").is_err());
/// ```
#[diagnostic::on_unimplemented(
    note = "a type of serde goes through `codec::Json`; what is borrowed stands by its unsized type (`str`, `[u8]`), or owned"
)]
pub trait Codec: Data {
    /// Decodes, or says in one line why these bytes are not an item.
    fn decode(bytes: &[u8]) -> Result<Self::Item<'_>, DecodeError>;

    /// Appends the item's bytes, or says in one line why the item has none; `out` may hold a part of them then, and the
    /// caller throws it away.
    fn encode(item: &Self::Item<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError>;
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
