//! Whether a block goes on from the one before it, as far as that needs no state: what all who follow a chain check
//! alike.

use super::{Anchor, Broken, Reason};
use crate::chain::{self, Block, Header, Parameters, Parent};
use crate::consensus;
use crate::consensus::scheme::{Before, Claims, Flaw, Scheme};
use crate::ledger::Begun;

/// What block 0 begins: it is the one that its genesis gives, of the chain that is meant.
pub(crate) fn begin(block: &Block, anchor: Anchor) -> Result<(Begun, Scheme), Broken> {
    let broken = |reason, detail: &dyn std::fmt::Display| Broken::new(0, reason, detail);
    let genesis = block.genesis.as_ref().ok_or_else(|| broken(Reason::Form, &"block 0 holds no genesis"))?;
    anchor.check(genesis.hash())?;
    let scheme = Scheme::of(genesis).map_err(|error| broken(Reason::Form, &error))?;
    let begun = consensus::begin(genesis).map_err(|error| broken(Reason::Execution, &error))?;
    if begun.block.hash == block.hash {
        return Ok((begun, scheme));
    }
    let (expected, found) = (begun.block.header.state_root, block.header.state_root);
    let detail = format!("the genesis gives state root {expected}, block 0 says {found}");
    Err(broken(Reason::Execution, &detail))
}

/// Whether a header is of the version that holds at its height, and names the block before it.
pub(crate) fn check_parent(header: &Header, parent: &Parent, parameters: &Parameters) -> Result<(), Refused> {
    let height = header.height;
    parameters.check_version(header).map_err(|error| Refused::of_block(height, Reason::Form, error))?;
    header.check_follows(parent).map_err(|error| Refused::of_block(height, Reason::Parent, error))
}

/// A chain between two of its blocks.
pub(crate) struct Link<'c> {
    pub(crate) parameters: &'c Parameters,
    pub(crate) scheme: &'c Scheme,
    /// The last block.
    pub(crate) parent: Parent,
    /// What decides about the author of the next.
    pub(crate) before: Before<'c>,
    /// The last offset of a partition that is in a block.
    pub(crate) covered: &'c dyn Fn(i32) -> Option<i64>,
}

/// Why a block does not go on from there.
pub(crate) enum Refused {
    /// The chain is wrong here.
    Broken(Broken),
    /// A newer program made the block.
    Newer(chain::Error),
}

impl Link<'_> {
    /// Checks a block that agrees with itself. What is left to check of its seal are the claims; a mined block leaves
    /// none.
    pub(crate) fn check(&self, block: &Block) -> Result<Option<Claims>, Refused> {
        check_parent(&block.header, &self.parent, self.parameters)?;
        self.check_ranges(&block.header)?;
        self.scheme
            .claims(&self.before, block)
            .map_err(|flaw| Broken::new(block.header.height, Reason::of(&flaw), flaw).into())
    }

    /// Whether each partition goes on behind what blocks have of it.
    fn check_ranges(&self, header: &Header) -> Result<(), Refused> {
        for range in &header.ranges {
            if let Some(last) = (self.covered)(range.partition).filter(|last| range.first <= *last) {
                let (partition, first) = (range.partition, range.first);
                let detail = format!("partition {partition} goes back to {first}, {last} is in a block before");
                return Err(Broken::new(header.height, Reason::Parent, detail).into());
            }
        }
        Ok(())
    }
}

impl Refused {
    /// What is wrong with a block at this height, in the chain's own words.
    pub(crate) fn of_block(height: u64, reason: Reason, error: chain::Error) -> Self {
        match error {
            newer @ chain::Error::Newer { .. } => Self::Newer(newer),
            error => Broken::new(height, reason, error).into(),
        }
    }
}

impl From<Broken> for Refused {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Reason {
    /// Of a flaw in a block's rounds or seal.
    fn of(flaw: &Flaw) -> Self {
        match flaw {
            Flaw::Rounds(_) | Flaw::Roster(_) => Self::Rounds,
            Flaw::Seal(_) | Flaw::Unsealed | Flaw::OtherKind(_) | Flaw::Work(_) => Self::Seal,
        }
    }
}
