//! Why bytes are not what they should be.

/// Why bytes are not what they should be, in a few words that say where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// A result of reading one of the formats.
pub type Result<T, E = Error> = std::result::Result<T, E>;
