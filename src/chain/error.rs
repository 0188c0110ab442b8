//! What can be wrong with bytes that claim to be of the chain.

/// An error of the chain's encodings. Each means: refuse this input; nothing else is harmed.
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
    /// A genesis file, or a genesis, cannot start a chain.
    #[error("genesis: `{field}`: {detail}")]
    Genesis {
        /// The key in the file.
        field: String,
        /// What is wrong, and what to write instead.
        detail: String,
    },
}

/// A result of the chain's encodings.
pub type Result<T, E = Error> = std::result::Result<T, E>;
