//! Following a chain: its blocks are taken one by one, checked, executed again, and advance a replica.
//!
//! ```text
//! mod      the follower, and what it follows
//! chain    one block after the other, behind block 0
//! link     whether a block goes on from the one before it, without its state
//! broken   what is wrong with a chain, or kept it from being checked
//! seals    seals whose curve arithmetic is still to be done
//! tip      whether the last block of a topic is the one that a state was left by
//! ```
//!
//! Each block is checked in this order; the first breach is told:
//!
//! ```text
//! height     heights follow each other from 0, each once
//! form       hashes, roots and ranges of a block agree with each other, and its version is the scheduled one
//! anchor     block 0 is the genesis that was pinned
//! parent     the block names genesis, hash and history of the one before, and its offsets go on from there
//! rounds     the drawn validator proposed; every failed round is accounted for, with evidence that holds
//! seal       more than two thirds of the stake attest, many heights at once; or the proof of work holds, at the difficulty that is due
//! cut        the block before ends where the rules end it, or where a recorded decision does
//! execution  receipts, operations, state root: exactly what executing the records gives
//! ```
//!
//! A follower needs the blocks alone, in order; its memory is that of the chain's state, not of its length.

mod broken;
mod chain;
mod link;
mod seals;
#[cfg(test)]
mod tests;
mod tip;

use std::convert::Infallible;

use rand::CryptoRng;

pub use broken::{Broken, Error, Reason};
pub(crate) use link::{Link, Refused, begin, check_parent};
pub use seals::Seals;
pub use tip::{TipMismatch, check_tip};

use super::roster;
use super::scheme::Scheme;
use crate::chain::{Block, Consensus, Genesis, Hash};
use crate::ledger::cut::Item;
use crate::ledger::state::{Supply, Tip};
use crate::ledger::{Changes, MemoryState, Replica, View};
use chain::Chain;

/// A state that can also be written.
pub trait State: View {
    /// Takes in what a block changes, all of it or nothing.
    fn apply(&mut self, changes: &Changes) -> Result<(), Self::Error>;
}

impl State for MemoryState {
    fn apply(&mut self, changes: &Changes) -> Result<(), Infallible> {
        MemoryState::apply(self, changes);
        Ok(())
    }
}

/// What a chain must begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The genesis with this hash.
    Genesis(Hash),
    /// Anything: the chain is checked against itself alone.
    None,
}

impl Anchor {
    /// Whether the chain of this genesis is one that begins so.
    pub fn check(self, found: Hash) -> Result<(), Broken> {
        match self {
            Self::Genesis(pinned) if pinned != found => {
                let detail = format!("this chain's genesis is {found}, {pinned} was pinned: it is another chain");
                Err(Broken::new(0, Reason::Anchor, detail))
            }
            Self::Genesis(_) | Self::None => Ok(()),
        }
    }
}

/// What a chain adds up to, as far as it was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The last block.
    pub tip: Tip,
    /// Records in the blocks that were followed.
    pub record_count: u64,
    /// What the chain holds.
    pub supply: Supply,
    /// How it agrees on its blocks.
    pub consensus: Consensus,
}

/// Takes the blocks of a chain one by one.
#[derive(Debug)]
pub struct Follower<S, R> {
    state: S,
    anchor: Anchor,
    randomness: R,
    chain: Option<Chain>,
}

impl<S: State, R: CryptoRng> Follower<S, R> {
    /// Before block 0, with an empty state. `randomness` weighs signatures in batches: a forger must not foresee it.
    pub fn new(state: S, anchor: Anchor, randomness: R) -> Follower<S, R> {
        Follower { state, anchor, randomness, chain: None }
    }

    /// Behind the last block of a replica that was loaded from this state. Blocks up to there are taken as checked.
    pub fn resume(state: S, replica: Replica, genesis: &Genesis, randomness: R) -> Result<Self, roster::Error> {
        Ok(Self::resume_with(state, replica, Scheme::of(genesis)?, randomness))
    }

    /// As [`Follower::resume`], for a caller that has read and checked the validators' keys before: `scheme` is the one
    /// that the chain's genesis asks for.
    pub fn resume_with(state: S, replica: Replica, scheme: Scheme, randomness: R) -> Self {
        let anchor = Anchor::Genesis(replica.tip().genesis);
        Follower { state, anchor, randomness, chain: Some(Chain::resume(replica, scheme)) }
    }

    /// The height that must come next.
    pub fn next_height(&self) -> u64 {
        self.replica().map_or(0, |replica| replica.tip().height.saturating_add(1))
    }

    /// The chain after the last block; `None` before block 0.
    pub fn replica(&self) -> Option<&Replica> {
        self.chain.as_ref().map(Chain::replica)
    }

    /// The state after the last block.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Takes the follower apart: the state, and the replica that belongs to it. Seals that were not checked yet
    /// ([`Follower::conclude`]) are not checked by this.
    pub fn into_parts(self) -> Option<(S, Replica)> {
        self.chain.map(|chain| (self.state, chain.into_replica()))
    }

    /// Checks the next block and takes it in. Seals are checked some blocks later, at the latest by
    /// [`Follower::conclude`]. After an error there is nothing more to follow.
    pub fn follow(&mut self, block: &Block) -> Result<(), Error<S::Error>> {
        self.check_height(block)?;
        block.check().map_err(|error| Error::of_block(block.header.height, Reason::Form, error))?;
        self.extend(block, None)
    }

    /// As [`Follower::follow`], for a block that is known to agree with itself: [`Block::check`] was asked, on another
    /// thread for instance. Without that a false block could pass. `rendered_size_bytes` is how long its record's value
    /// is, if that is known; it spares counting.
    pub fn extend(&mut self, block: &Block, rendered_size_bytes: Option<u64>) -> Result<(), Error<S::Error>> {
        self.check_height(block)?;
        match &mut self.chain {
            None => self.chain = Some(Chain::begin(block, self.anchor, &mut self.state)?),
            Some(chain) => chain.extend(block, rendered_size_bytes, &mut self.state, &mut self.randomness)?,
        }
        Ok(())
    }

    fn check_height(&self, block: &Block) -> Result<(), Broken> {
        let (height, expected) = (block.header.height, self.next_height());
        if height == expected {
            return Ok(());
        }
        let detail = format!("height {height} comes where {expected} must");
        Err(Broken::new(expected.min(height), Reason::Height, detail))
    }

    /// Checks where the last block ends, given the record behind it. Without that record a cut by window or bytes stays
    /// open.
    pub fn check_last_cut(&mut self, next: &Item) -> Result<(), Error<S::Error>> {
        Ok(self.chain.as_mut().map_or(Ok(()), |chain| chain.check_previous_cut(next))?)
    }

    /// Takes the seals that were not checked yet, for a caller that has them checked elsewhere ([`Seals::check`]): one
    /// that takes them after every block leaves no curve arithmetic to this thread. What it finds then is told by the
    /// caller, as [`Follower::conclude`] would: the lower height, and at one height the seal.
    pub fn take_seals(&mut self) -> Seals {
        self.chain.as_mut().map(Chain::take_seals).unwrap_or_default()
    }

    /// Checks the seals of all blocks that were taken in, but for those that were taken away.
    pub fn check_seals(&mut self) -> Result<(), Error<S::Error>> {
        Ok(self.chain.as_mut().map_or(Ok(()), Chain::check_seals)?)
    }

    /// Checks what is still open, and sums up. `found` is what the walk ended with, if it did not end with the last
    /// block. Of two breaches the lower is told, for a seal of a lower height may have been waiting to be checked. At
    /// one height the seal is told: only where it holds did the holders of the keys break the rest. `None`: there was
    /// no block.
    pub fn conclude(&mut self, found: Option<Error<S::Error>>) -> Result<Option<Summary>, Error<S::Error>> {
        match (self.check_seals(), found) {
            (Err(seal), Some(found)) => {
                let is_first = found.broken_height().is_none_or(|height| seal.broken_height() <= Some(height));
                Err(if is_first { seal } else { found })
            }
            (Err(seal), None) => Err(seal),
            (Ok(()), Some(found)) => Err(found),
            (Ok(()), None) => Ok(self.chain.as_ref().map(Chain::summary)),
        }
    }
}
