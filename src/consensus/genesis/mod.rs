//! How a chain begins: block 0, and the replica and the state after it.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use super::scheme;
use crate::chain::{Block, Genesis};
use crate::ledger::{self, Changes, Replica};

/// A chain right after its genesis.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Block 0.
    pub block: Block,
    /// What the chain goes on from.
    pub replica: Replica,
    /// The state as changes to an empty one, the tip included.
    pub changes: Changes,
}

/// The beginning of the chain of a genesis, which must be a valid one ([`Genesis::validate`]).
pub fn begin(genesis: &Genesis) -> Result<Beginning, ledger::Error<Infallible>> {
    let begun = Replica::begin(genesis, scheme::first_seed(genesis))?;
    Ok(Beginning { block: begun.block, replica: begun.replica, changes: begun.changes })
}
