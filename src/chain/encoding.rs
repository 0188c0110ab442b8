//! The canonical encoding: borsh, one encoding per value.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Error, Result};

/// The canonical bytes of a value. Byte layouts are drawn in `docs/encoding.md`.
#[must_use]
pub fn to_canonical<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    write_canonical(value, &mut bytes);
    bytes
}

/// Appends the canonical bytes of a value: for loops that keep one buffer.
pub fn write_canonical<T: BorshSerialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    // Writing to memory fails only for a collection of more than 2^32 - 1 items, which no bound of the chain lets
    // come to be; what was written then is no encoding of anything, and so decodes to nothing.
    if value.serialize(bytes).is_err() {
        bytes.clear();
    }
}

/// The value that has exactly these canonical bytes. Refuses bytes left over, a value out of its bounds, and any
/// second way to write a value.
pub fn from_canonical<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> Result<T> {
    let value = T::try_from_slice(bytes).map_err(|error| Error::Canonical { detail: error.to_string() })?;
    if to_canonical(&value) == bytes {
        Ok(value)
    } else {
        Err(Error::Canonical { detail: "the bytes are not the ones this value encodes to".to_owned() })
    }
}

/// A refusal from within a decoder.
pub(super) fn invalid(detail: impl std::fmt::Display) -> borsh::io::Error {
    borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, detail.to_string())
}
