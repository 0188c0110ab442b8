//! The history that a proof leads to: from the tree over all block hashes, and from the topic what that tree does not keep.

use topology::log::Log;

use super::line::Line;
use super::making::{Making, unread};
use super::past::{Past, TILE};
use crate::chain::{Hash, merkle};
use crate::http::problem::{Problem, Result};
use crate::proof::History;

/// Tiles whose leaves are kept: 2 KiB each.
const TILES_MAX: usize = 64;

impl<L: Log> Making<L> {
    /// How many blocks the history has.
    pub(super) fn size(&self, asked: Option<u64>) -> Result<u64> {
        let count = self.line.past.count();
        match asked {
            _ if count == 0 => Err(Problem::not_found("there is no block yet")),
            Some(0) => Err(Problem::bad_request("a checkpoint of no blocks covers nothing")),
            Some(size) if size > count => Err(Problem::not_found(format!(
                "the chain has {count} blocks, fewer than the {size} of the checkpoint: is it a checkpoint of this chain?"
            ))),
            asked => Ok(asked.unwrap_or(count)),
        }
    }

    pub(super) fn root(&mut self, size: u64) -> Result<Hash> {
        with_tiles(self, |past, tiles| past.root(size, &mut |number| tiles(number)))
    }

    pub(super) fn history(&mut self, height: u64, size: u64) -> Result<History> {
        let path = with_tiles(self, |past, tiles| past.path(height, size, &mut |number| tiles(number)))?;
        Ok(History { size, root: self.root(size)?, path })
    }

    /// The leaves of a full tile, as they were when it was read first.
    fn tile(&mut self, number: u64, root: Option<Hash>) -> Result<Vec<Hash>> {
        if let Some((_, leaves)) = self.tiles.iter().find(|(kept, _)| *kept == number) {
            return Ok(leaves.clone());
        }
        let first = number * TILE;
        if let Some(leaves) = self.indexed(first) {
            return Ok(leaves);
        }
        let found = self.reading.height(first).map_err(unread)?.ok_or_else(|| unread(Line::altered()))?;
        let at = (first, found.place.offset);
        let leaves = self.line.leaves(&self.log, &self.clock, at, TILE as usize).map_err(unread)?;
        let is_whole = leaves.len() as u64 == TILE;
        if !is_whole || Some(merkle::root(leaves.clone())) != root {
            return Err(unread(Line::altered()));
        }
        self.tiles.push_back((number, leaves.clone()));
        if self.tiles.len() > TILES_MAX {
            self.tiles.pop_front();
        }
        Ok(leaves)
    }

    /// The same, of blocks that the index has.
    fn indexed(&self, first: u64) -> Option<Vec<Hash>> {
        let index = self.feed.index();
        let leaf = |height| index.block(height).map(|block| merkle::leaf(block.hash.as_bytes()));
        (first..first + TILE).map(leaf).collect()
    }
}

/// What the tree says, which may have to read leaves again.
pub(super) fn with_tiles<L: Log, T>(
    making: &mut Making<L>,
    ask: impl FnOnce(&Past, &mut dyn FnMut(u64) -> Result<Vec<Hash>>) -> Result<T>,
) -> Result<T> {
    // The tree stays as it is while tiles are read.
    let past = std::mem::take(&mut making.line.past);
    let kept = &past;
    let found = ask(kept, &mut |number| making.tile(number, kept.tile(number)));
    making.line.past = past;
    found
}
