//! JSON by way of serde.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, DecodeError, EncodeError};

/// Any serde type, as JSON on one line.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T> Json<T> {
    /// The codec.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Json<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Codec for Json<T> {
    type Item<'a> = T;

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        serde_json::from_slice(bytes).map_err(|error| DecodeError::new(format!("not the expected JSON: {error}")))
    }

    fn encode(&self, item: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(out, item).map_err(|error| EncodeError::new(format!("it cannot be JSON: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_json_cannot_say_is_an_error_and_not_null() {
        let with_a_list_as_key = BTreeMap::from([(vec![1], 2)]);
        assert!(Json::new().encode(&with_a_list_as_key, &mut Vec::new()).is_err());
        let mut bytes = Vec::new();
        Json::new().encode(&vec![1, 2], &mut bytes).unwrap();
        assert_eq!(bytes, b"[1,2]");
    }
}
