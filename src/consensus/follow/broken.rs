//! What can be wrong with a chain, and what can keep it from being checked.

use std::fmt::{self, Display};

use super::link::Refused;
use crate::chain;
use crate::ledger;

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("height {height}: {reason}: {detail}")]
pub struct Broken {
    /// The height.
    pub height: u64,
    /// What kind of breach.
    pub reason: Reason,
    /// One line.
    pub detail: String,
}

impl Broken {
    /// A breach.
    pub fn new(height: u64, reason: Reason, detail: impl Display) -> Broken {
        Broken { height, reason, detail: detail.to_string() }
    }
}

/// What kind of breach. Three kinds are found by those who read topics, and not by a follower: what a follower is given
/// is a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A height is missing, out of its place, or there twice.
    Height,
    /// The record of a height is not that height's block.
    Overwritten,
    /// The block does not agree with itself.
    Form,
    /// The chain is not the one that was pinned.
    Anchor,
    /// The block does not follow the one before.
    Parent,
    /// Another validator was drawn, or a failed round is not accounted for.
    Rounds,
    /// Not enough stake attests to the block, or its proof of work does not hold.
    Seal,
    /// Executing the records gives something else.
    Execution,
    /// The block ends where it should not.
    Cut,
    /// The block does not hold what the transactions topic holds.
    Transactions,
    /// The chain is not one with the checkpoint.
    Checkpoint,
}

impl Reason {
    /// Stable, for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Height => "height",
            Reason::Overwritten => "overwritten",
            Reason::Form => "form",
            Reason::Anchor => "anchor",
            Reason::Parent => "parent",
            Reason::Rounds => "rounds",
            Reason::Seal => "seal",
            Reason::Execution => "execution",
            Reason::Cut => "cut",
            Reason::Transactions => "transactions",
            Reason::Checkpoint => "checkpoint",
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a block was not taken in. `E` is what reading and writing the state can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The chain is wrong here: believe nothing from this height on.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The block was made by a newer program ([`chain::Error::Newer`]). Nothing is known to be wrong: ask a newer
    /// program.
    #[error(transparent)]
    Newer(chain::Error),
    /// It could not be told: the state cannot be read or written, or is not one that the rules could have produced.
    #[error(transparent)]
    State(ledger::Error<E>),
}

impl<E> Error<E> {
    /// What is wrong with a block at this height, in the chain's own words.
    pub(super) fn of_block(height: u64, reason: Reason, error: chain::Error) -> Error<E> {
        Refused::of_block(height, reason, error).into()
    }

    /// The height of the breach, if it is one.
    pub(super) fn broken_height(&self) -> Option<u64> {
        match self {
            Error::Broken(broken) => Some(broken.height),
            Error::Newer(_) | Error::State(_) => None,
        }
    }
}

impl<E> From<Refused> for Error<E> {
    fn from(refused: Refused) -> Error<E> {
        match refused {
            Refused::Broken(broken) => Error::Broken(broken),
            Refused::Newer(newer) => Error::Newer(newer),
        }
    }
}

impl<E> From<ledger::Error<E>> for Error<E> {
    fn from(error: ledger::Error<E>) -> Error<E> {
        match error {
            ledger::Error::Newer(newer) => Error::Newer(newer),
            error => Error::State(error),
        }
    }
}
