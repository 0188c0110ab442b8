//! Whether a block goes on from the one before it, as far as that needs no state: what all who follow a chain check alike.

use super::{Broken, Reason};
use crate::chain::{self, Block, Header, Parameters, Parent};
use crate::consensus::scheme::{Before, Claims, Flaw, Scheme};

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
    /// Checks a block that agrees with itself. What is left to check of its seal are the claims; a mined block leaves none.
    pub(crate) fn check(&self, block: &Block) -> Result<Option<Claims>, Refused> {
        self.check_parent(&block.header)?;
        self.scheme
            .claims(&self.before, block)
            .map_err(|flaw| Broken::new(block.header.height, Reason::of(&flaw), flaw).into())
    }

    fn check_parent(&self, header: &Header) -> Result<(), Refused> {
        let height = header.height;
        self.parameters.check_version(header).map_err(|error| Refused::of_block(height, Reason::Form, error))?;
        header.check_follows(&self.parent).map_err(|error| Refused::of_block(height, Reason::Parent, error))?;
        for range in &header.ranges {
            if let Some(last) = (self.covered)(range.partition).filter(|last| range.first <= *last) {
                let (partition, first) = (range.partition, range.first);
                let detail = format!("partition {partition} goes back to {first}, {last} is in a block before");
                return Err(Broken::new(height, Reason::Parent, detail).into());
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
