//! Codecs of plain types.

use super::{Codec, DecodeError, EncodeError};

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes;

impl Codec for Bytes {
    type Item<'a> = &'a [u8];

    fn decode<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        Ok(bytes)
    }

    fn encode(&self, item: &&[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(item);
        Ok(())
    }
}

/// Text in UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl Codec for Utf8 {
    type Item<'a> = &'a str;

    fn decode<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(bytes).map_err(|error| DecodeError::new(format!("not UTF-8: {error}")))
    }

    fn encode(&self, item: &&str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(item.as_bytes());
        Ok(())
    }
}

/// A signed 64-bit integer, 8 bytes big endian. As a key it sorts by its bits: negative numbers come last.
#[derive(Clone, Copy, Debug, Default)]
pub struct I64;

impl Codec for I64 {
    type Item<'a> = i64;

    fn decode(&self, bytes: &[u8]) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(eight(bytes)?))
    }

    fn encode(&self, item: &i64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&item.to_be_bytes());
        Ok(())
    }
}

/// An unsigned 64-bit integer, 8 bytes big endian; sorts by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct U64;

impl Codec for U64 {
    type Item<'a> = u64;

    fn decode(&self, bytes: &[u8]) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(eight(bytes)?))
    }

    fn encode(&self, item: &u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&item.to_be_bytes());
        Ok(())
    }
}

fn eight(bytes: &[u8]) -> Result<[u8; 8], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::new(format!("{} bytes where 8 were expected", bytes.len())))
}
