//! What can be wrong with bytes that claim to be of the chain.

use super::header::Header;

/// An error of the chain's encodings. Each means: refuse this input; nothing else is harmed. [`Error::Newer`] is the
/// one that does not say that the input is wrong: a newer program can read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes are not the canonical encoding of a value.
    #[error("not a canonical encoding: {detail}")]
    Canonical {
        /// What is wrong.
        detail: String,
    },
    /// JSON is not the rendering of a block.
    #[error("block JSON: field `{field}`: {detail}")]
    Json {
        /// The path of the field, such as `header.ranges.0.first`; empty for the whole line.
        field: String,
        /// What is wrong.
        detail: String,
    },
    /// A block contradicts itself.
    #[error("block {height}: `{field}`: {detail}")]
    Block {
        /// The block's height, as its header says.
        height: u64,
        /// The path of the field.
        field: &'static str,
        /// What is wrong: both values compared.
        detail: String,
    },
    /// The record of a height does not hold that height's block.
    #[error("the record of block {height} does not hold that block: {detail}")]
    Overwritten {
        /// The height, as the record's key says.
        height: u64,
        /// What it holds instead.
        detail: String,
    },
    /// The body of a block was taken away: it cannot be executed again.
    #[error("the body of block {height} was pruned")]
    Pruned {
        /// The block's height.
        height: u64,
    },
    /// A block was made by a newer program, whose format and rules this one does not know.
    #[error(
        "made by a newer program: height {height} has {} {found}, this program knows {known}",
        .field.trim_start_matches("header.")
    )]
    Newer {
        /// The block's height: of a record the one that its key says, whatever its value says.
        height: u64,
        /// The path of the field that says so.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What this program knows.
        known: String,
    },
    /// A genesis file, or a genesis, cannot start a chain.
    #[error("genesis: `{field}`: {detail}")]
    Genesis {
        /// The key in the file.
        field: String,
        /// What is wrong, and what to write instead.
        detail: String,
    },
}

impl Error {
    /// A version above [`Header::VERSION`] at a height.
    pub(crate) fn newer_version(height: u64, version: u64) -> Self {
        let known = Header::VERSION.to_string();
        Self::Newer { height, field: "header.version", found: version.to_string(), known }
    }
}

/// A result of the chain's encodings.
pub type Result<T, E = Error> = std::result::Result<T, E>;
