//! JSON by way of serde.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, DecodeError, EncodeError};

/// A value of any serde type, whose bytes are JSON on one line.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use topology::codec::{Codec, Json};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     item: String,
///     count: u32,
/// }
///
/// let order = Json::<Order>::decode(br#"{"item":"tea","count":2}"#).unwrap();
/// assert_eq!((order.item.as_str(), order.count), ("tea", 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Codec for Json<T> {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let value = serde_json::from_slice(bytes);
        value.map(Json).map_err(|error| DecodeError::new(format!("not the expected JSON: {error}")))
    }

    fn encode(item: &Self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(out, &item.0).map_err(|error| EncodeError::new(format!("it cannot be JSON: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_json_cannot_say_is_an_error_and_not_null() {
        let with_a_list_as_key = BTreeMap::from([(vec![1], 2)]);
        assert!(Json::encode(&Json(with_a_list_as_key), &mut Vec::new()).is_err());
        let mut bytes = Vec::new();
        Json::encode(&Json(vec![1, 2]), &mut bytes).unwrap();
        assert_eq!(bytes, b"[1,2]");
    }
}
