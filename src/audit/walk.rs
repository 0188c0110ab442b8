//! The blockchain topic, block by block.
//!
//! ```text
//!   reading thread     record ──> foreign | pruned | a block that agrees with itself | an error
//!   following thread   ──> in its place? ──> follow (parent, rounds, cut, execution) ──> the block; now and then, seals
//!   caller             ──> checks the seals, and what else it wants to know of the blocks
//! ```
//! Each is ahead of the next by a bounded number of bytes. A breach ends the walk behind the blocks below it, so that
//! the caller sees all blocks that hold, but for their seals, and no other.

use std::convert::Infallible;
use std::thread::{Scope, ScopedJoinHandle};

use rand::CryptoRng;
use topology::Error;
use topology::clock::Clock;
use topology::log::{Log, Offset};

use super::ahead::{self, Back, Front};
use super::breach::Halt;
use super::reading::{Reading, spawn};
use super::record::{self, Found};
use crate::chain::{Block, Read};
use crate::consensus::follow::{self, Anchor, Follower, Seals, Summary};
use crate::ledger::cut::Item;
use crate::ledger::{MemoryState, Replica};
use crate::reader::Extent;

/// Bytes of JSON that the following thread may be ahead of the caller. A block in memory takes about twice its JSON.
const AHEAD_BYTES: usize = 8 << 20;

/// Heights whose seals are checked together: fewer than those at which the follower checks them itself.
const SEALS_AT_ONCE: u64 = 48;

/// What the following thread hands on.
enum Passed {
    /// A block that holds but for its seal.
    Block(Box<Block>),
    /// The seals of blocks that were handed on before.
    Seals(Seals),
}

/// A walk over the blocks of a topic.
pub(super) struct Walk<'s, R> {
    passed: Back<Passed>,
    seals: Result<(), Halt>,
    following: ScopedJoinHandle<'s, Walked<R>>,
}

/// Which blocks to walk over, and how.
pub(super) struct Route<R> {
    /// The reader's name in the brokers' logs.
    pub(super) client_id: &'static str,
    /// The stretch of the topic.
    pub(super) extent: Extent,
    /// What the chain must begin with.
    pub(super) anchor: Anchor,
    /// The last height; `None`: all there are.
    pub(super) to_height: Option<u64>,
    /// Weighs signatures in batches: a forger must not foresee it.
    pub(super) randomness: R,
}

impl<'s, R: CryptoRng + Send + 's> Walk<'s, R> {
    /// Begins to read and to follow.
    pub(super) fn start<L: Log>(
        scope: &'s Scope<'s, '_>,
        log: (&'s L, &'s dyn Clock),
        route: Route<R>,
    ) -> topology::Result<Self> {
        let Route { client_id, extent, anchor, to_height, randomness } = route;
        let mut reading = record::read_topic(scope, log, client_id, extent)?;
        let (front, passed) = ahead::queue(AHEAD_BYTES);
        let follower = Follower::new(MemoryState::new(), anchor, randomness);
        let following = spawn(scope, "cairn-follow", move || {
            let mut walked = Walked { follower, foreign_count: 0, behind: None, seals: Ok(()), ended: Ok(()) };
            walked.ended = walked.follow(&mut reading, &front, to_height);
            walked
        })?;
        Ok(Self { passed, seals: Ok(()), following })
    }
}

impl<R> Walk<'_, R> {
    /// The next block that holds but for its seal, which may be checked some blocks later. `None`: no more follow;
    /// [`Walked::conclude`] says why.
    pub(super) fn next(&mut self) -> Option<Box<Block>> {
        while self.seals.is_ok() {
            match self.passed.next()? {
                Passed::Block(block) => return Some(block),
                Passed::Seals(seals) => self.seals = check(&seals),
            }
        }
        None
    }

    /// Ends the walk, also before all blocks were taken.
    pub(super) fn end(mut self) -> topology::Result<Walked<R>> {
        self.passed.close();
        // The blocks may have been taken already that these seals are of.
        while self.next().is_some() {}
        drop(self.passed);
        let walked = self.following.join();
        let mut walked = walked.map_err(|_| Error::stop("the thread that followed the chain panicked"))?;
        walked.seals = self.seals;
        Ok(walked)
    }
}

/// What a walk came to.
pub(super) struct Walked<R> {
    follower: Follower<MemoryState, R>,
    foreign_count: u64,
    /// The offset behind the last block that was followed.
    behind: Option<Offset>,
    /// Whether the seals hold that were checked during the walk.
    seals: Result<(), Halt>,
    /// How following ended.
    ended: Result<(), Halt>,
}

impl<R: CryptoRng> Walked<R> {
    /// Records whose key is no height: other programs wrote them.
    pub(super) fn foreign_count(&self) -> u64 {
        self.foreign_count
    }

    /// The offset behind the last block that was followed; `None`: there was none.
    pub(super) fn behind(&self) -> Option<Offset> {
        self.behind
    }

    /// Whether all blocks hold, but for seals that are still to be checked.
    pub(super) fn holds(&self) -> bool {
        self.ended.is_ok() && self.seals.is_ok()
    }

    fn follow(
        &mut self,
        reading: &mut Reading<'_, Found>,
        front: &Front<Passed>,
        to_height: Option<u64>,
    ) -> Result<(), Halt> {
        while to_height.is_none_or(|height| self.follower.next_height() <= height) {
            let Some(Found { offset, size_bytes, read }) = reading.next()? else { break };
            match read {
                Ok(Read::Foreign) => self.foreign_count += 1,
                Ok(Read::Block(block)) => {
                    self.follower.extend(&block, Some(size_bytes as u64)).map_err(halt)?;
                    self.behind = Some(offset + 1);
                    let is_whole = block.header.height.is_multiple_of(SEALS_AT_ONCE);
                    if !front.push(Passed::Block(block), size_bytes)
                        || (is_whole && !front.push(Passed::Seals(self.follower.take_seals()), 0))
                    {
                        break;
                    }
                }
                Ok(Read::Pruned(pruned)) => {
                    let height = pruned.header.height;
                    record::in_its_place(height, self.follower.next_height())?;
                    return Err(Halt::Undone(Error::stop(pruned_body(height))));
                }
                Err(error) => return Err(record::judge(offset, error, self.follower.next_height())),
            }
        }
        Ok(())
    }

    /// Checks where the last block ends, given the record behind it.
    pub(super) fn check_last_cut(&mut self, next: &Item) -> Result<(), Halt> {
        self.follower.check_last_cut(next).map_err(halt)
    }

    /// Checks what is still open, and sums up. `ended` is what the caller found of the blocks it took. Of two breaches
    /// the lower height is told, for a seal of a lower height may have been waiting to be checked; at one height the
    /// seal's: only where it holds did those who hold the keys break the rest. `None`: there was no block.
    pub(super) fn conclude(&mut self, ended: Result<(), Halt>) -> Result<Option<Summary>, Halt> {
        let (seals, followed) =
            (std::mem::replace(&mut self.seals, Ok(())), std::mem::replace(&mut self.ended, Ok(())));
        let (rest, summary) = match self.follower.conclude(None).map_err(halt) {
            Ok(summary) => (Ok(()), summary),
            Err(halt) => (Err(halt), None),
        };
        first(first(seals, rest), first(followed, ended)).map(|()| summary)
    }

    /// The state after the last block, and what follows from it.
    pub(super) fn into_parts(self) -> Option<(MemoryState, Replica)> {
        self.follower.into_parts()
    }
}

/// Which of two ends is told: the breach at the lower height, of two at one height the first; a breach whatever else
/// failed.
fn first(one: Result<(), Halt>, other: Result<(), Halt>) -> Result<(), Halt> {
    match (one, other) {
        (Err(Halt::Broken(one)), Err(Halt::Broken(other))) => {
            Err(if one.height <= other.height { one } else { other }.into())
        }
        (Ok(()), other) | (Err(Halt::Undone(_)), other @ Err(Halt::Broken(_))) => other,
        (one, _) => one,
    }
}

fn check(seals: &Seals) -> Result<(), Halt> {
    seals.check().map_err(Halt::Broken)
}

fn halt(error: follow::Error<Infallible>) -> Halt {
    match error {
        follow::Error::Broken(broken) => Halt::Broken(broken),
        follow::Error::Newer(error) => Halt::Undone(Error::stop(error.to_string())),
        follow::Error::State(error) => Halt::Undone(Error::stop(error.to_string())),
    }
}

fn pruned_body(height: u64) -> String {
    let before = match height.checked_sub(1) {
        Some(before) => format!(", or replay --to-height {before}"),
        None => String::new(),
    };
    format!(
        "the body of block {height} was pruned, so it cannot be executed again: give a topic with whole blocks as --blockchain, such as \
         a copy from before{before}"
    )
}
