//! Parts of a block that stand alone in a text: each must be the one rendering of what it says, as in the block.

use super::cursor::{self, Cursor};
use super::{locate, read, record};
use crate::chain::entry::Entry;
use crate::chain::header::Header;
use crate::chain::operation::Operation;
use crate::chain::seal::Seal;
use crate::chain::{Error, Result};

impl Header {
    /// The header of a text. Errors: [`Error::Newer`], or the text is not the rendering of a header.
    pub fn from_json(text: &str) -> Result<Self> {
        let header = whole(text, read::header).map_err(|error| {
            let line = format!("{{\"header\":{text}}}");
            record::newer(line.as_bytes()).unwrap_or(error)
        })?;
        match header.version {
            version if version > Self::VERSION => Err(Error::newer_version(header.height, version.into())),
            _ => Ok(header),
        }
    }
}

impl Entry {
    /// The entry of a text, which must be its one rendering.
    pub fn from_json(text: &str) -> Result<Self> {
        whole(text, read::entry)
    }
}

impl Operation {
    /// The operation of a text, which must be its one rendering.
    pub fn from_json(text: &str) -> Result<Self> {
        whole(text, read::operation)
    }
}

impl Seal {
    /// The seal of a text. Errors: [`Error::Newer`], or the text is not the rendering of a seal.
    pub fn from_json(text: &str) -> Result<Self> {
        whole(text, read::seal).map_err(|error| {
            let line = format!("{{\"header\":{{\"version\":{}}},\"seal\":{text}}}", Header::VERSION);
            record::newer(line.as_bytes()).unwrap_or(error)
        })
    }
}

/// The value that the whole text renders.
fn whole<T>(text: &str, read: impl FnOnce(&mut Cursor<'_>) -> cursor::Result<T>) -> Result<T> {
    let cursor = &mut Cursor::new(text);
    let value = read(cursor).and_then(|value| cursor.end().map(|()| value));
    value.map_err(|fault| locate::error(text.as_bytes(), &fault))
}
