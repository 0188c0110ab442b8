//! JSON by way of serde.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, DecodeError};

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

    fn encode(&self, item: &T, out: &mut Vec<u8>) {
        let length = out.len();
        // Only a type whose Serialize itself fails ends here; its record becomes JSON's null rather than half a value.
        if serde_json::to_writer(&mut *out, item).is_err() {
            out.truncate(length);
            out.extend_from_slice(b"null");
        }
    }
}
