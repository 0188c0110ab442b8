//! What can go wrong in executing a block, apart from transactions being rejected, which is no error.

use super::state::StateError;
use super::tree;

/// Why a block could not be executed, or a state not be loaded. Nothing has changed when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The state could not be read: what to do depends on the store's own error.
    #[error("the state could not be read: {0}")]
    View(E),
    /// The state is not one that the rules could have produced: stop, and rebuild it ([`Error::needs_rebuild`]). Or a
    /// newer program wrote it.
    #[error("{0}")]
    State(#[from] StateError),
    /// The state tree is full, or the update belongs to another.
    #[error("{0}")]
    Tree(#[from] tree::Error),
    /// From this height on the chain's schedule has a version that a newer program knows
    /// ([`crate::chain::Error::Newer`]): run that one. Nothing is wrong.
    #[error("{0}")]
    Newer(crate::chain::Error),
    /// The caller asked for a block that no chain can have. The text says which rule it breaks.
    #[error("no block can be made of this: {0}")]
    Candidate(String),
    /// The sum of a block's changes is not what it minted and burnt. A defect of the rules: stop, seal nothing.
    #[error(
        "the block changes the sum of all balances and stakes by {change}, but mints and burns {booked}: stop, nothing was sealed"
    )]
    SupplyLaw {
        /// What the block's changes sum up to.
        change: i128,
        /// Minted minus burnt.
        booked: i128,
    },
}

impl<E> Error<E> {
    /// Whether the state is damaged: rebuild it from its changelogs, or by replaying the chain. False where it could
    /// not be read, or where a newer program wrote it.
    #[must_use]
    pub fn needs_rebuild(&self) -> bool {
        match self {
            Error::State(StateError::Newer { .. }) => false,
            Error::State(_) => true,
            Error::View(_) | Error::Tree(_) | Error::Newer(_) | Error::Candidate(_) | Error::SupplyLaw { .. } => false,
        }
    }

    /// A refusal of the candidate.
    pub(super) fn candidate(detail: impl Into<String>) -> Self {
        Self::Candidate(detail.into())
    }
}
