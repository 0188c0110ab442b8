//! Where the records of a topic are not those that are expected, in words: keys and values as what they are, where
//! their types are known, and as bytes elsewhere.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::codec::Codec;
use crate::error::{Error, Result};

/// The values of each key.
pub(super) type ByKey<B> = BTreeMap<B, Vec<B>>;

/// How keys and values are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    key: fn(&[u8]) -> String,
    value: fn(&[u8]) -> String,
}

impl Shown {
    /// Of whatever type they are.
    pub(super) fn bytes() -> Self {
        Self { key: escaped, value: escaped }
    }

    /// As items of these types.
    pub(super) fn of<K: Codec + ?Sized, V: Codec + ?Sized>() -> Self
    where
        for<'b> K::Item<'b>: Debug,
        for<'b> V::Item<'b>: Debug,
    {
        Self { key: decoded::<K>, value: decoded::<V> }
    }

    /// Whether both are the same. The error names the first key of which they are not.
    pub(super) fn compare<E: AsRef<[u8]>>(self, topic: &str, expected: &ByKey<E>, found: &ByKey<&[u8]>) -> Result<()> {
        let expected: ByKey<&[u8]> =
            expected.iter().map(|(key, values)| (key.as_ref(), values.iter().map(AsRef::as_ref).collect())).collect();
        let Some(key) = expected.keys().chain(found.keys()).find(|key| expected.get(*key) != found.get(*key)) else {
            return Ok(());
        };
        let (of_expected, of_found) = (expected.get(key), found.get(key));
        let what = self.differ(key, of_expected.map_or(&[], Vec::as_slice), of_found.map_or(&[], Vec::as_slice));
        Err(Error::stop(format!("topic '{topic}': {what}")))
    }

    /// In what the values of a key differ.
    fn differ(self, key: &[u8], expected: &[&[u8]], found: &[&[u8]]) -> String {
        let key = (self.key)(key);
        let count = match found.len() {
            1 => "there is 1 record".to_owned(),
            count => format!("there are {count} records"),
        };
        let counts = format!("of {key} {count}, {} expected", expected.len());
        let first = expected.iter().zip(found).position(|(expected, found)| expected != found);
        let common = expected.len().min(found.len());
        let at = first.unwrap_or(common);
        match (found.get(at), expected.get(at)) {
            (Some(found_value), Some(expected_value)) => {
                let (is, should) = ((self.value)(found_value), (self.value)(expected_value));
                let other = format!("record {at} of {key} is {is}, {should} expected");
                if expected.len() == found.len() { other } else { format!("{other}; {counts}") }
            }
            (None, Some(missing)) => format!("{counts}: record {at} is missing, {}", (self.value)(missing)),
            (Some(more), None) => format!("{counts}: record {at} is one too many, {}", (self.value)(more)),
            (None, None) => counts,
        }
    }
}

fn escaped(bytes: &[u8]) -> String {
    format!("'{}'", bytes.escape_ascii())
}

fn decoded<T: Codec + ?Sized>(bytes: &[u8]) -> String
where
    for<'b> T::Item<'b>: Debug,
{
    match T::decode(bytes) {
        Ok(item) => format!("{item:?}"),
        // None at all are those of a record without a key, or without a value.
        Err(_) if bytes.is_empty() => "null, or no bytes".to_owned(),
        Err(error) => format!("{}, of another type ({error})", escaped(bytes)),
    }
}
