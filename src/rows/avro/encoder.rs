//! From a row to Avro's binary.

use std::fmt::Display;

use serde::ser::{Error, Impossible, Serialize, SerializeStruct, Serializer};

/// A value that rows do not have, so that Avro has no type for it here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row cannot be written as Avro: {0}")]
pub struct Unencodable(String);

impl Error for Unencodable {
    fn custom<T: Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

/// Appends a row to `out`, in the order of its fields. After an error it may be there in part.
///
/// ```text
/// integer     the zigzag of 64 bits, 7 bits a byte, the lowest first
/// text        its length in bytes, as an integer, and its UTF-8
/// Option      None: 0x00. Some: 0x02, the second of its union, and the value
/// ```
pub fn write(row: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    row.serialize(Encoder(out))
}

struct Encoder<'o>(&'o mut Vec<u8>);

type Never = Impossible<(), Unencodable>;

fn unknown<T>(what: &str) -> Result<T, Unencodable> {
    Err(Unencodable(format!("{what} is none of its types")))
}

impl<'o> Serializer for Encoder<'o> {
    type Ok = ();
    type Error = Unencodable;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Fields<'o>;
    type SerializeStructVariant = Never;

    fn serialize_i64(self, value: i64) -> Result<(), Unencodable> {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unencodable> {
        match i64::try_from(value) {
            Ok(value) => self.serialize_i64(value),
            Err(_) => unknown("an integer above 2^63 - 1"),
        }
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unencodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_str(self, text: &str) -> Result<(), Unencodable> {
        Encoder(self.0).serialize_u64(text.len() as u64)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unencodable> {
        self.serialize_i64(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unencodable> {
        Encoder(self.0).serialize_i64(1)?;
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Unencodable> {
        unknown("a variant")
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unencodable> {
        value.serialize(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'o>, Unencodable> {
        Ok(Fields(self.0))
    }

    fn serialize_bool(self, _: bool) -> Result<(), Unencodable> {
        unknown("a boolean")
    }

    fn serialize_f32(self, _: f32) -> Result<(), Unencodable> {
        unknown("a fraction")
    }

    fn serialize_f64(self, _: f64) -> Result<(), Unencodable> {
        unknown("a fraction")
    }

    fn serialize_char(self, _: char) -> Result<(), Unencodable> {
        unknown("a character")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unencodable> {
        unknown("a row of bytes")
    }

    fn serialize_unit(self) -> Result<(), Unencodable> {
        unknown("a unit")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unencodable> {
        unknown("a unit")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unencodable> {
        unknown("a variant with a value")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never, Unencodable> {
        unknown("a list")
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, Unencodable> {
        unknown("a tuple")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, Unencodable> {
        unknown("a tuple")
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, Unencodable> {
        unknown("a variant with values")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, Unencodable> {
        unknown("a map")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Unencodable> {
        unknown("a variant with values")
    }
}

/// The fields of a row, which follow each other.
struct Fields<'o>(&'o mut Vec<u8>);

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unencodable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Unencodable> {
        value.serialize(Encoder(self.0))
    }

    /// Behind a field that is not there, readers would take the next one for it.
    fn skip_field(&mut self, name: &'static str) -> Result<(), Unencodable> {
        unknown(&format!("a row without its field {name}"))
    }

    fn end(self) -> Result<(), Unencodable> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    fn bytes(value: &impl Serialize) -> Result<Vec<u8>, Unencodable> {
        let mut out = Vec::new();
        write(value, &mut out).map(|()| out)
    }

    #[test]
    fn integers_and_texts_are_as_the_specification_of_avro_shows_them() {
        for (value, expected) in [(0_i64, "00"), (-1, "01"), (1, "02"), (-64, "7f"), (64, "8001"), (8192, "808001")] {
            assert_eq!(hex::encode(bytes(&value).unwrap()), expected, "{value}");
        }
        assert_eq!(hex::encode(bytes(&i64::MAX).unwrap()), "feffffffffffffffff01");
        assert_eq!(hex::encode(bytes(&i64::MIN).unwrap()), "ffffffffffffffffff01");
        assert_eq!(hex::encode(bytes(&"foo").unwrap()), "06666f6f");
        assert_eq!(hex::encode(bytes(&Option::<&str>::None).unwrap()), "00");
        assert_eq!(hex::encode(bytes(&Some("a")).unwrap()), "020261");
    }

    #[test]
    fn what_avro_has_no_type_for_here_is_an_error_and_not_other_bytes() {
        #[derive(Serialize)]
        struct Skips {
            #[serde(skip_serializing_if = "Option::is_none")]
            memo: Option<u8>,
        }
        assert!(bytes(&u64::MAX).unwrap_err().to_string().contains("above 2^63"));
        assert!(bytes(&Skips { memo: None }).unwrap_err().to_string().contains("field memo"));
        assert!(bytes(&[1_u8, 2]).is_err() && bytes(&true).is_err() && bytes(&0.5).is_err() && bytes(&()).is_err());
    }
}
