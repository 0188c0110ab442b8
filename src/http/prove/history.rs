//! The history that a proof leads to: from the tree over all block hashes, and from the topic what that tree does not
//! keep.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use topology::Class;
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::Top;
use super::hash_tree::{HashTree, Leaves, TILE};
use super::headers::Headers;
use crate::chain::{Genesis, Hash, Operation, merkle};
use crate::http::feed::Feed;
use crate::http::lookup::{Found, Reading};
use crate::http::problem::{Problem, Result};
use crate::proof;

/// A question may have the headers read on for so long; then its answer is that there is more to read.
const READ_ON_MS: i64 = 4_000;
/// The same, while no question waits.
const READ_ON_IDLE_MS: i64 = 500;
/// Tiles whose leaves are kept: 2 KiB each.
const TILES_MAX: usize = 64;

/// All blocks, as far as they were read.
pub(super) struct History<L: Log> {
    log: L,
    clock: SystemClock,
    feed: Arc<Feed>,
    stop: Arc<AtomicBool>,
    reading: Reading<L>,
    headers: Headers,
    /// Leaves that were read again, by the numbers of their tiles.
    tiles: VecDeque<(u64, Vec<Hash>)>,
    has_begun: bool,
}

impl<L: Log> History<L> {
    pub(super) fn new(log: L, blockchain: &str, genesis: &Genesis, feed: Arc<Feed>, stop: Arc<AtomicBool>) -> Self {
        let reading = Reading::new(log.clone(), blockchain.to_owned());
        let headers = Headers::new(blockchain, genesis);
        let (clock, tiles) = (SystemClock::new(), VecDeque::new());
        Self { log, clock, feed, stop, reading, headers, tiles, has_begun: false }
    }

    // ---- Reading

    /// Whether there is more to read of what was there when something was last asked.
    pub(super) fn is_behind(&self) -> bool {
        self.has_begun && !self.headers.is_at_end()
    }

    /// Does what there is to do while no question waits.
    pub(super) fn go_on(&mut self) {
        // Where that fails, the next question is told.
        if self.is_behind() && self.read_on(READ_ON_IDLE_MS).is_err() {
            self.has_begun = false;
        }
    }

    fn read_on(&mut self, for_ms: i64) -> Result<bool> {
        self.has_begun = true;
        let until_ms = self.clock.monotonic_ms().saturating_add(for_ms);
        let until = (&self.clock as &dyn Clock, until_ms);
        self.headers.read_on(&self.log, &mut self.reading, until, &self.stop).map_err(unread)
    }

    /// Has read all blocks that there are now; an error where that takes longer.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        if self.read_on(READ_ON_MS)? {
            return Ok(());
        }
        let percent = self.headers.percent();
        Err(Problem::unavailable(format!(
            "the server reads all blocks once before its first proof, and has read {percent} %: ask again"
        )))
    }

    /// One block, as its record.
    pub(super) fn block(&mut self, height: u64) -> Result<Found> {
        let known = self.feed.index().block(height).map(|block| block.offset);
        let found = match known {
            Some(offset) => self.reading.at(offset).map_err(unread)?.filter(|found| found.height == height),
            None => None,
        };
        let found = match found {
            None => self.reading.height(height).map_err(unread)?,
            found => found,
        };
        found.ok_or_else(|| Problem::not_found(format!("there is no block {height}")))
    }

    // ---- What was read

    /// How many blocks were.
    pub(super) fn count(&self) -> u64 {
        self.headers.tree.count()
    }

    /// The slashes up to a height, this one included; `None`: not all are known.
    pub(super) fn slashes(&self, height: u64) -> Option<Vec<Operation>> {
        self.headers.slashes(height)
    }

    /// Whether the chain may be followed to a height for a proof.
    pub(super) fn may_be_followed(&self, height: u64) -> bool {
        self.headers.may_be_followed(height)
    }

    /// How many blocks the history has that is asked for.
    pub(super) fn size(&self, asked: Option<u64>) -> Result<u64> {
        let count = self.count();
        match asked {
            _ if count == 0 => Err(Problem::not_found("there is no block yet")),
            Some(0) => Err(Problem::bad_request("a checkpoint of no blocks covers nothing")),
            Some(size) if size > count => Err(Problem::not_found(format!(
                "the chain has {count} blocks, fewer than the {size} of the checkpoint: is it a checkpoint of this chain?"
            ))),
            asked => Ok(asked.unwrap_or(count)),
        }
    }

    /// The root over the first blocks.
    pub(super) fn top(&mut self, size: u64) -> Result<Top> {
        let root = self.with_leaves(|tree, leaves| tree.root(size, leaves))?;
        Ok(Top { size, root })
    }

    /// What shows that a block is one of the first `size`.
    pub(super) fn of(&mut self, height: u64, size: u64) -> Result<proof::History> {
        let path = self.with_leaves(|tree, leaves| tree.path(height, size, leaves))?;
        let Top { size, root } = self.top(size)?;
        Ok(proof::History { size, root, path })
    }

    /// What shows that the first `size` blocks begin with the first `old_size`.
    pub(super) fn consistency(&mut self, old_size: u64, size: u64) -> Result<Vec<Hash>> {
        self.with_leaves(|tree, leaves| tree.consistency(old_size, size, leaves))
    }

    /// What the tree says, which may need leaves again.
    fn with_leaves<T>(&mut self, ask: impl FnOnce(&HashTree, &mut Leaves<'_, Problem>) -> Result<T>) -> Result<T> {
        let Self { log, clock, feed, reading, headers, tiles, .. } = self;
        let headers: &Headers = headers;
        ask(&headers.tree, &mut |number| {
            if let Some((_, leaves)) = tiles.iter().find(|(kept, _)| *kept == number) {
                return Ok(leaves.clone());
            }
            let first = number * TILE;
            if let Some(leaves) = indexed(feed, first) {
                return Ok(leaves);
            }
            let found = reading.height(first).map_err(unread)?.ok_or_else(|| unread(Headers::altered()))?;
            let leaves = headers.leaves(log, clock, (first, found.place.offset), TILE as usize).map_err(unread)?;
            let is_whole = leaves.len() as u64 == TILE;
            if !is_whole || Some(merkle::root(leaves.clone())) != headers.tree.tile(number) {
                return Err(unread(Headers::altered()));
            }
            tiles.push_back((number, leaves.clone()));
            if tiles.len() > TILES_MAX {
                tiles.pop_front();
            }
            Ok(leaves)
        })
    }
}

/// The leaves of a full tile whose blocks the index has.
fn indexed(feed: &Feed, first: u64) -> Option<Vec<Hash>> {
    let index = feed.index();
    let leaf = |height| index.block(height).map(|block| merkle::leaf(block.hash.as_bytes()));
    (first..first + TILE).map(leaf).collect()
}

/// What it means that the topic cannot be read.
pub(super) fn unread(error: topology::Error) -> Problem {
    match error.class() {
        // To ask again would not help.
        Class::Stop => Problem::new(axum::http::StatusCode::BAD_GATEWAY, format!("{error}: run cairn verify")),
        _ => Problem::unavailable(format!("the blockchain topic cannot be read: {error}")),
    }
}
