//! Bytes of plain types: those that Java's serializers write.

use super::{Codec, DecodeError, EncodeError};

/// Bytes as they are.
impl Codec for [u8] {
    fn decode(bytes: &[u8]) -> Result<&[u8], DecodeError> {
        Ok(bytes)
    }

    fn encode(item: &&[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(item);
        Ok(())
    }
}

/// Bytes as they are, copied.
impl Codec for Vec<u8> {
    fn decode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(bytes.to_vec())
    }

    fn encode(item: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(item);
        Ok(())
    }
}

/// Text in UTF-8.
impl Codec for str {
    fn decode(bytes: &[u8]) -> Result<&str, DecodeError> {
        std::str::from_utf8(bytes).map_err(|error| DecodeError::new(format!("not UTF-8: {error}")))
    }

    fn encode(item: &&str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(item.as_bytes());
        Ok(())
    }
}

/// Text in UTF-8, copied.
impl Codec for String {
    fn decode(bytes: &[u8]) -> Result<String, DecodeError> {
        str::decode(bytes).map(str::to_owned)
    }

    fn encode(item: &String, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        str::encode(&item.as_str(), out)
    }
}

/// Nothing: no bytes at all.
impl Codec for () {
    fn decode(bytes: &[u8]) -> Result<(), DecodeError> {
        fixed(bytes).map(|[]: [u8; 0]| ())
    }

    fn encode((): &(), _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Numbers, big endian. As keys they sort by their bits: of signed ones the negative come last.
macro_rules! number {
    ($($number:ty),*) => {$(
        impl Codec for $number {
            fn decode(bytes: &[u8]) -> Result<$number, DecodeError> {
                fixed(bytes).map(<$number>::from_be_bytes)
            }

            fn encode(item: &$number, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&item.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

number!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64);

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::new(format!("{} bytes where {N} were expected", bytes.len())))
}
