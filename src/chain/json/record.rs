//! Records of the blockchain topic: what each one is.
//!
//! ```text
//! key is no height         ─► Foreign              another program's record: readers pass over it
//! key is a height
//!   ├ made by a newer program ─► Error::Newer      seen before anything strict is asked of the value
//!   ├ that height's block     ─► Block
//!   ├ the same without a body ─► Pruned
//!   └ anything else           ─► Error::Overwritten
//! ```

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use super::cursor::Cursor;
use super::{locate, read};
use crate::chain::block::Block;
use crate::chain::hash::Hash;
use crate::chain::header::{Author, Header};
use crate::chain::seal::Seal;
use crate::chain::{Error, Result};

/// What a record of the blockchain topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A block.
    Block(Box<Block>),
    /// A block whose body was taken away.
    Pruned(Box<Pruned>),
    /// None of the chain's records: its key is no height.
    Foreign,
}

/// A block without its transactions and operations. Its hash, its seal and what proves its place in the history still
/// hold; it cannot be executed again. Block 0 is never pruned: everything follows from the genesis in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The header.
    pub header: Header,
    /// The header's hash.
    pub hash: Hash,
    /// Who vouches for the block.
    pub seal: Seal,
}

impl Read {
    /// The block; `None` for a foreign record, [`Error::Pruned`] for a block without its body.
    pub fn block(self) -> Result<Option<Block>> {
        match self {
            Self::Block(block) => Ok(Some(*block)),
            Self::Pruned(pruned) => Err(Error::Pruned { height: pruned.header.height }),
            Self::Foreign => Ok(None),
        }
    }

    fn header(&self) -> Option<&Header> {
        match self {
            Self::Block(block) => Some(&block.header),
            Self::Pruned(pruned) => Some(&pruned.header),
            Self::Foreign => None,
        }
    }
}

impl Block {
    /// The height that the key of a record names in decimal: `0|[1-9][0-9]*`, within 64 bits. `None`: the record is
    /// foreign.
    #[must_use]
    pub fn height_of_key(key: Option<&[u8]>) -> Option<u64> {
        let key = key?;
        let is_decimal = matches!(key, [b'0'] | [b'1'..=b'9', ..]) && key.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(key).ok().filter(|_| is_decimal)?.parse().ok()
    }

    /// The block of a line of JSON, which must be the block's one rendering. Hashes are read, not checked
    /// ([`Block::check`](crate::chain::Block::check) does that).
    pub fn from_json(line: &[u8]) -> Result<Self> {
        let lacking = || Error::Json { field: String::new(), detail: "no block".to_owned() };
        read(line)?.block()?.ok_or_else(lacking)
    }

    /// What a record of the topic is. The value is checked to be the one rendering of what it says; that hashes are
    /// right is asked by [`Block::check`]. Errors: [`Error::Newer`], or [`Error::Overwritten`] for a height whose
    /// record does not hold that height's block.
    pub fn from_record(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Read> {
        let Some(height) = Self::height_of_key(key) else { return Ok(Read::Foreign) };
        let overwritten = |detail: String| Error::Overwritten { height, detail };
        let value = value.ok_or_else(|| overwritten("it has no value: the block was deleted".to_owned()))?;
        let read = read(value).map_err(|error| match error {
            Error::Newer { field, found, known, .. } => Error::Newer { height, field, found, known },
            other => overwritten(other.to_string()),
        })?;
        match read.header() {
            Some(found) if found.height != height => Err(overwritten(format!("it holds block {}", found.height))),
            _ => Ok(read),
        }
    }
}

/// The block, or the pruned block, whose one rendering the line is.
fn read(line: &[u8]) -> Result<Read> {
    let read = match std::str::from_utf8(line) {
        Ok(text) => read::line(text),
        Err(error) => Err(Cursor::wrong(error.valid_up_to(), "not UTF-8")),
    };
    // A strict reading that succeeds knows the version too, so the lenient one is for those that fail.
    let read = read.map_err(|fault| newer(line).unwrap_or_else(|| locate::error(line, &fault)))?;
    match read.header() {
        Some(header) if header.version > Header::VERSION => {
            Err(Error::newer_version(header.height, header.version.into()))
        }
        _ => Ok(read),
    }
}

/// Whether a newer program made the block of a line, and what says so. Asks for nothing but JSON and a header: a newer
/// format may differ in everything else.
#[cold]
pub(super) fn newer(line: &[u8]) -> Option<Error> {
    #[derive(Deserialize)]
    struct Line {
        header: HeaderGlance,
        #[serde(default)]
        seal: Glance,
    }
    #[derive(Deserialize)]
    struct HeaderGlance {
        version: Glance,
        #[serde(default)]
        height: Glance,
        #[serde(default)]
        author: Glance,
    }
    let Line { header, seal } = serde_json::from_slice(line).ok()?;
    let height = match header.height {
        Glance::Number(height) => height,
        _ => 0,
    };
    if let Glance::Number(version) = header.version
        && version > u64::from(Header::VERSION)
    {
        return Some(Error::newer_version(height, version));
    }
    let unknown = |field, glance: Glance, known: &[&str]| match glance {
        Glance::Kind(found) if !known.contains(&found.as_str()) => {
            Some(Error::Newer { height, field, found, known: known.join(", ") })
        }
        _ => None,
    };
    unknown("header.author.kind", header.author, &Author::KINDS).or_else(|| unknown("seal.kind", seal, &Seal::KINDS))
}

/// A value of which only this much is of interest.
#[derive(Default)]
enum Glance {
    Number(u64),
    Text(String),
    /// An object with a text under `kind`.
    Kind(String),
    #[default]
    Other,
}

impl<'de> Deserialize<'de> for Glance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Glance;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("any value")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Glance, E> {
                Ok(Glance::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Glance, E> {
                // What a program calls a kind is short, and plain.
                Ok(Glance::Text(text.chars().take(64).filter(|character| !character.is_control()).collect()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Glance, E> {
                Ok(Glance::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Glance, E> {
                Ok(Glance::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Glance, E> {
                Ok(Glance::Other)
            }

            fn visit_unit<E>(self) -> Result<Glance, E> {
                Ok(Glance::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Glance, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Glance::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Glance, A::Error> {
                let mut found = Glance::Other;
                while let Some(name) = map.next_key::<Glance>()? {
                    match (name, map.next_value::<Glance>()?) {
                        (Glance::Text(name), Glance::Text(kind)) if name == "kind" => found = Glance::Kind(kind),
                        _ => {}
                    }
                }
                Ok(found)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
