//! Checking a block's consensus part: its rounds and its seal. Hashes, entries and state are the business of `chain` and
//! `ledger`.

use super::roster::Stakes;
use super::rounds::Start;
use super::seal::{Claims, Standing};
use super::{rounds, seal};
use crate::chain::Block;

/// Why a block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A block above 0 without a seal.
    #[error("the block has no seal")]
    Unsealed,
    /// Its rounds do not hold.
    #[error(transparent)]
    Rounds(#[from] rounds::Flaw),
    /// Its seal does not hold.
    #[error(transparent)]
    Seal(#[from] seal::Flaw),
}

/// Checks everything about a block's rounds and seal but the seal's curve arithmetic, which it answers as claims for
/// [`seal::verify_many`] (evidence of slashes is checked in full, it is rare).
///
/// `start` is what the block before leaves behind and `stakes` are those before this block. The block's hash must be known to be
/// its header's.
pub fn claims(start: &Start<'_>, stakes: Stakes, block: &Block) -> Result<Claims, Flaw> {
    let sealed = block.seal.as_ref().ok_or(Flaw::Unsealed)?;
    let stakes = rounds::verify(start, stakes, &block.header, &block.operations)?;
    let standing = Standing { chain_id: start.chain_id, height: start.height, roster: start.roster, stakes: &stakes };
    Ok(seal::claims(&standing, &block.header, &block.hash, sealed)?)
}
