//! The kinds of consensus there are, told apart in one place: what a block's author and seal must be, and what follows from them.
//!
//! ```text
//! genesis.parameters.consensus     header.author     block.seal       checked by
//! 1 stake { committee }            1 stake           1 stake          stake::rounds, stake::seal
//! 2 work                           2 work            2 work           reserved
//! ```

use super::roster::{self, Roster};
use super::stake::rounds::Start;
use super::stake::seal::Standing;
use super::stake::{draw, rounds, seal};
use crate::chain::{Block, Consensus, Genesis, Hash, Member, Seal};

pub use super::stake::seal::{Claims, verify_many};

/// Why a block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A block above 0 without a seal.
    #[error("the block has no seal")]
    Unsealed,
    /// The validators before the block are not the genesis' ones.
    #[error(transparent)]
    Roster(#[from] roster::Error),
    /// Its rounds do not hold.
    #[error(transparent)]
    Rounds(#[from] rounds::Flaw),
    /// Its seal does not hold.
    #[error(transparent)]
    Seal(#[from] seal::Flaw),
}

/// What the block before leaves behind.
#[derive(Debug, Clone, Copy)]
pub struct Before<'b> {
    /// The chain: its genesis hash.
    pub genesis: &'b Hash,
    /// The height that comes next.
    pub height: u64,
    /// The seed of that height.
    pub seed: &'b Hash,
    /// The validators, in the order of their ids.
    pub members: &'b [Member],
}

/// The consensus of a chain: its kind, and what of it follows from the genesis.
#[derive(Debug, Clone)]
pub enum Scheme {
    /// Validators drawn by stake propose, and more than two thirds of the stake decide.
    Stake(Roster),
}

impl Scheme {
    /// The one that a genesis asks for. Reads and checks every validator's keys: about 2 ms for each.
    pub fn of(genesis: &Genesis) -> Result<Scheme, roster::Error> {
        match genesis.parameters.consensus {
            Consensus::Stake { .. } => Roster::new(&genesis.validators).map(Scheme::Stake),
        }
    }

    /// Checks everything about a block's author and seal but the seal's curve arithmetic, which it answers as claims for
    /// [`verify_many`] (evidence of slashes is checked in full, it is rare). The block's hash must be known to be its header's, and
    /// its operations those that the header commits to.
    pub fn claims(&self, before: &Before<'_>, block: &Block) -> Result<Claims, Flaw> {
        let Scheme::Stake(roster) = self;
        let Seal::Stake(sealed) = block.seal.as_ref().ok_or(Flaw::Unsealed)?;
        let Before { genesis, height, seed, members } = *before;
        let stakes = roster.stakes(members)?;
        let start = Start { genesis, height, seed, roster };
        let stakes = rounds::verify(&start, stakes, &block.header, &block.operations)?;
        let standing = Standing { genesis, height, roster, stakes: &stakes };
        Ok(seal::claims(&standing, &block.header, &block.hash, sealed)?)
    }
}

/// The seed of height 1.
#[must_use]
pub fn first_seed(genesis: &Genesis) -> Hash {
    match genesis.parameters.consensus {
        Consensus::Stake { .. } => draw::first_seed(&genesis.hash()),
    }
}

/// The seed of the height after a block. `seed` is the one that its own author was drawn from; block 0, which has no seal, has none.
#[must_use]
pub fn next_seed(seed: &Hash, block: &Block) -> Option<Hash> {
    let Seal::Stake(seal) = block.seal.as_ref()?;
    let header = &block.header;
    Some(draw::next_seed(&header.genesis, header.height.saturating_add(1), seed, &seal.reveal))
}
