//! The kinds of consensus there are, told apart in one place: what a block's author and seal must be, and what follows
//! from them.
//!
//! ```text
//! genesis.parameters.consensus     header.author     block.seal       checked by
//! 1 stake { committee }            1 stake           1 stake          stake::rounds, stake::seal
//! 2 work { rule, difficulty }      2 work            2 work           work::seal
//! ```

use super::roster::{self, Roster};
use super::stake::rounds::Start;
use super::stake::seal::Standing;
use super::stake::{draw, rounds, seal};
use super::work::link::Link;
use super::work::seal as work;
use super::{CLASSIC_TRUST, LOCAL_COMMITTEE_TRUST, WORK_TRUST};
use crate::chain::{Author, Block, Consensus, Genesis, Hash, Header, Member, Seal, Work, WorkRule};

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
    /// Its author and its seal are of another kind than the chain's consensus.
    #[error("author and seal are not of the chain's kind of consensus, {0}")]
    OtherKind(&'static str),
    /// Its proof of work does not hold, or who claims it, or what it is against.
    #[error(transparent)]
    Work(#[from] work::Flaw),
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
    /// The time of the block before, in milliseconds. `None`: that block is not known, and the seed is what this block
    /// says of it.
    pub parent_time_ms: Option<i64>,
    /// The validators, in the order of their ids.
    pub members: &'b [Member],
}

/// The consensus of a chain: its kind, and what of it follows from the genesis.
#[derive(Debug, Clone)]
pub enum Scheme {
    /// Validators drawn by stake propose, and more than two thirds of the stake decide.
    Stake(Roster),
    /// The first miner that finds a proof of work.
    Work(Work),
}

impl Scheme {
    /// The one that a genesis asks for. Reads and checks every validator's keys: about 2 ms for each.
    pub fn of(genesis: &Genesis) -> Result<Scheme, roster::Error> {
        match genesis.parameters.consensus {
            Consensus::Stake { .. } => Roster::new(&genesis.validators).map(Scheme::Stake),
            Consensus::Work(work) => Ok(Scheme::Work(work)),
        }
    }

    /// Checks everything about a block's author and seal but the seal's curve arithmetic, which it answers as claims
    /// for [`verify_many`] (evidence of slashes is checked in full, it is rare); a mined block leaves none. The block's
    /// hash must be known to be its header's, and its operations those that the header commits to.
    pub fn claims(&self, before: &Before<'_>, block: &Block) -> Result<Option<Claims>, Flaw> {
        let seal = block.seal.as_ref().ok_or(Flaw::Unsealed)?;
        match (self, seal, &block.header.author) {
            (Scheme::Stake(roster), Seal::Stake(sealed), Author::Stake(_)) => {
                let Before { genesis, height, seed, members, .. } = *before;
                let stakes = roster.stakes(members)?;
                let start = Start { genesis, height, seed, roster };
                let stakes = rounds::verify(&start, stakes, &block.header, &block.operations)?;
                let standing = Standing { genesis, height, roster, stakes: &stakes };
                Ok(Some(seal::claims(&standing, &block.header, &block.hash, sealed)?))
            }
            (Scheme::Work(work), Seal::Work(sealed), Author::Work(_)) => {
                let parent = before.parent_time_ms.map(|time_ms| work::Parent {
                    height: before.height.saturating_sub(1),
                    time_ms,
                    link: Link::of_seed(before.seed),
                });
                work::check(*work, parent.as_ref(), &block.header, &block.hash, sealed)?;
                Ok(None)
            }
            (Scheme::Stake(_), ..) => Err(Flaw::OtherKind("stake")),
            (Scheme::Work(_), ..) => Err(Flaw::OtherKind("work")),
        }
    }
}

/// The seed of height 1. On a chain of work: what block 1 is mined against.
#[must_use]
pub fn first_seed(genesis: &Genesis) -> Hash {
    match genesis.parameters.consensus {
        Consensus::Stake { .. } => draw::first_seed(&genesis.hash()),
        Consensus::Work(work) => Link::first(work).to_seed(),
    }
}

/// The seed of the height after a block. `seed` is the one that its own author was drawn from; block 0, which has no
/// seal, has none.
#[must_use]
pub fn next_seed(seed: &Hash, block: &Block) -> Option<Hash> {
    let header = &block.header;
    match block.seal.as_ref()? {
        Seal::Stake(seal) => {
            Some(draw::next_seed(&header.genesis, header.height.saturating_add(1), seed, &seal.reveal))
        }
        Seal::Work(_) => Link::of(header, block.seal.as_ref()).map(Link::to_seed),
    }
}

/// The seed that a block's own header names. On a chain of work no header names one, and none is needed: zeros. `None`
/// for block 0.
#[must_use]
pub fn own_seed(header: &Header) -> Option<Hash> {
    match &header.author {
        Author::Genesis => None,
        Author::Stake(author) => Some(author.seed),
        Author::Work(_) => Some(Hash::ZERO),
    }
}

/// What a seal of a chain is worth, in words.
#[must_use]
pub fn trust(consensus: Consensus) -> &'static str {
    match consensus {
        Consensus::Stake { .. } => LOCAL_COMMITTEE_TRUST,
        Consensus::Work(Work { rule: WorkRule::Header, .. }) => WORK_TRUST,
        Consensus::Work(Work { rule: WorkRule::Classic, .. }) => CLASSIC_TRUST,
    }
}
