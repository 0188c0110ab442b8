//! Lists of a file, read so that they take little more memory than the file has bytes, whatever stands in it.
//!
//! A list with nothing in it takes three bytes of a file and many more in memory, and one that grows has room for more
//! than is in it. So lists have a most, none of those that may be many is empty, and each is cut to what is in it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::claim::StatePath;
use super::ids::Chunk;
use crate::chain::{Hash, hex_array};

/// A list of so many items at most.
pub(super) struct AtMost<const MAX: usize, T>(pub(super) Vec<T>);

impl<'de, const MAX: usize, T: Deserialize<'de>> Deserialize<'de> for AtMost<MAX, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<const MAX: usize, T>(PhantomData<T>);

        impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for Items<MAX, T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let mut found = Vec::new();
                while let Some(item) = items.next_element()? {
                    if found.len() == MAX {
                        return Err(A::Error::custom(format_args!("a list has more than {MAX} items")));
                    }
                    found.push(item);
                }
                found.shrink_to_fit();
                Ok(found)
            }
        }

        deserializer.deserialize_seq(Items::<MAX, T>(PhantomData)).map(Self)
    }
}

/// The lists of ids that the state remembers: each of at least one chunk.
pub(super) struct ListsOfChunks<const SIBLINGS_MAX: usize>(pub(super) Vec<Vec<Chunk>>);

impl<'de, const SIBLINGS_MAX: usize> Deserialize<'de> for ListsOfChunks<SIBLINGS_MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lists = AtMost::<{ usize::MAX }, Chunks<SIBLINGS_MAX>>::deserialize(deserializer)?;
        // The same bytes, taken out of their shell in place.
        Ok(Self(lists.0.into_iter().map(|list| list.0).collect()))
    }
}

struct Chunks<const SIBLINGS_MAX: usize>(Vec<Chunk>);

impl<'de, const SIBLINGS_MAX: usize> Deserialize<'de> for Chunks<SIBLINGS_MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let chunks = AtMost::<{ usize::MAX }, ShownChunk<SIBLINGS_MAX>>::deserialize(deserializer)?;
        if chunks.0.is_empty() {
            return Err(D::Error::custom("a list of ids has no chunk, not even one that is not there"));
        }
        Ok(Self(chunks.0.into_iter().map(|chunk| chunk.0).collect()))
    }
}

struct ShownChunk<const SIBLINGS_MAX: usize>(Chunk);

impl<'de, const SIBLINGS_MAX: usize> Deserialize<'de> for ShownChunk<SIBLINGS_MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Fields<const SIBLINGS_MAX: usize> {
            record: Option<Bytes>,
            siblings: AtMost<SIBLINGS_MAX, Hash>,
            other: Option<Other>,
        }
        let Fields::<SIBLINGS_MAX> { record, siblings, other } = Deserialize::deserialize(deserializer)?;
        let path = StatePath { siblings: siblings.0, other: other.map(Other::boxed) };
        Ok(Self(Chunk { record: record.map(|record| record.0), path }))
    }
}

/// Another leaf.
#[derive(serde::Deserialize)]
pub(super) struct Other {
    path: Hash,
    value: Hash,
}

impl Other {
    pub(super) fn boxed(self) -> Box<(Hash, Hash)> {
        Box::new((self.path, self.value))
    }
}

/// Bytes in lower-case hex.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes as lower-case hex digits, two for each")
            }

            fn visit_str<E: Error>(self, digits: &str) -> Result<Bytes, E> {
                hex_array::decode_all(digits)
                    .map(Bytes)
                    .ok_or_else(|| E::custom("bytes are written as lower-case hex digits, two for each"))
            }
        }

        deserializer.deserialize_str(Digits)
    }
}
