//! Why a proof shows nothing.

use std::fmt;

use crate::chain;

/// Which part of a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file is not the rendering of a proof.
    Form,
    /// The header contradicts itself.
    Header,
    /// The header does not commit to what is claimed.
    Claim,
    /// The block is not in the history that the proof names.
    History,
    /// The validators of the genesis did not seal the block.
    Seal,
    /// It is another chain, or another history, than the checkpoint's.
    Checkpoint,
    /// It is the chain of another genesis.
    Genesis,
}

impl Part {
    /// Stable, for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Form => "form",
            Part::Header => "header",
            Part::Claim => "claim",
            Part::History => "history",
            Part::Seal => "seal",
            Part::Checkpoint => "checkpoint",
            Part::Genesis => "genesis",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a proof shows nothing to this reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is wrong: believe nothing of it.
    #[error("{part}: {detail}")]
    Wrong {
        /// What does not hold.
        part: Part,
        /// One line.
        detail: String,
    },
    /// It was made by a newer program. Nothing is known to be wrong: ask a newer program.
    #[error("{0}")]
    Newer(String),
    /// It lacks what leads to what the reader trusts. Nothing is known to be wrong: have another one made.
    #[error("{0}")]
    Unfit(String),
}

impl Refusal {
    pub(super) fn wrong(part: Part, detail: impl fmt::Display) -> Self {
        Self::Wrong { part, detail: detail.to_string() }
    }

    /// What an error about a header or another part of a block means.
    pub(super) fn of_chain(part: Part, error: chain::Error) -> Self {
        match error {
            chain::Error::Newer { .. } => Self::Newer(error.to_string()),
            error => Self::wrong(part, error),
        }
    }
}
