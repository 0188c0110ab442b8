//! What can go wrong in executing a block, apart from transactions being rejected, which is no error.

use super::state::{StateError, Table};
use super::tree;
use crate::chain::Hash;

/// Why a block could not be executed. Nothing has changed when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The state could not be read: what to do depends on the store's own error.
    #[error("the state could not be read: {0}")]
    View(E),
    /// The state is not one that the rules could have produced: stop, and rebuild it from the changelogs or the chain.
    #[error("{0}: rebuild the state from the changelogs, or replay the chain")]
    State(#[from] StateError),
    /// The state tree is full, or is not the tree of this state: rebuild it.
    #[error("{0}")]
    Tree(#[from] tree::Error),
    /// The tree is not the tree of the state.
    #[error(
        "the state tree has root {tree}, the state after the last block has {state}: build the tree again; if they still differ, rebuild the state"
    )]
    OtherTree {
        /// The root of the tree.
        tree: Hash,
        /// The root on record.
        state: Hash,
    },
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
    /// A refusal of the candidate.
    pub(super) fn candidate(detail: impl Into<String>) -> Self {
        Self::Candidate(detail.into())
    }

    /// A record that does not decode.
    pub(super) fn corrupt(table: Table, key: &[u8], detail: impl std::fmt::Display) -> Self {
        Self::State(StateError::corrupt(table, key, detail))
    }
}
