//! How a chain begins: block 0, and the replica and the state after it.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use super::scheme;
use crate::chain::Genesis;
use crate::ledger::{Begun, Error, Replica};

/// The beginning of the chain of a genesis, which must be a valid one ([`Genesis::validate`]).
pub fn begin(genesis: &Genesis) -> Result<Begun, Error<Infallible>> {
    Replica::begin(genesis, scheme::first_seed(genesis))
}
