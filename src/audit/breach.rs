//! What is wrong with a chain, and why nothing could be said of one.

use topology::Error;

use crate::consensus::follow;

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
    pub(super) fn new(height: u64, reason: Reason, detail: impl std::fmt::Display) -> Self {
        Self { height, reason, detail: detail.to_string() }
    }
}

/// What kind of breach.
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
    /// Somebody else was drawn, or a failed round is not accounted for.
    Rounds,
    /// Not enough stake attests to the block.
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
    pub fn as_str(self) -> &'static str {
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

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<follow::Reason> for Reason {
    fn from(reason: follow::Reason) -> Self {
        match reason {
            follow::Reason::Height => Reason::Height,
            follow::Reason::Form => Reason::Form,
            follow::Reason::Anchor => Reason::Anchor,
            follow::Reason::Parent => Reason::Parent,
            follow::Reason::Rounds => Reason::Rounds,
            follow::Reason::Seal => Reason::Seal,
            follow::Reason::Execution => Reason::Execution,
            follow::Reason::Cut => Reason::Cut,
        }
    }
}

impl From<follow::Broken> for Broken {
    fn from(broken: follow::Broken) -> Self {
        Self { height: broken.height, reason: broken.reason.into(), detail: broken.detail }
    }
}

/// Why a walk over a chain ends before the chain does.
#[derive(Debug)]
pub(super) enum Halt {
    /// The chain is broken.
    Broken(Broken),
    /// It could not be looked at, and nothing is known of the rest.
    Undone(Error),
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Halt::Broken(broken)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Undone(error)
    }
}
