//! The hashes of all blocks of a chain as the tree that checkpoints are over, in a byte for each block: of 64 blocks
//! that lie side by side only their root is kept. What lies below is read again when it is needed.
//!
//! ```text
//!   level 1   |      128      |      128      |        one root for each 64 << level blocks
//!   level 0   |  64   |  64   |  64   |  64   |
//!   blocks    ................................ +++     those behind the last 64: their hashes are kept
//! ```

use std::ops::Range;

use crate::chain::{Hash, merkle};
use crate::checkpoint::consistency;

/// Blocks that have one root.
pub(super) const TILE: u64 = 64;

/// See above.
#[derive(Debug, Default)]
pub(super) struct HashTree {
    /// Roots of full trees, by level.
    levels: Vec<Vec<Hash>>,
    /// The leaves behind the last full tile.
    open: Vec<Hash>,
}

/// Gives the leaves of a full tile, by its number, as they were when it was appended.
pub(super) type Leaves<'l, E> = dyn FnMut(u64) -> Result<Vec<Hash>, E> + 'l;

impl HashTree {
    /// The number of blocks.
    pub(super) fn count(&self) -> u64 {
        self.levels.first().map_or(0, Vec::len) as u64 * TILE + self.open.len() as u64
    }

    /// Adds the leaf of the next block's hash.
    pub(super) fn append(&mut self, leaf: Hash) {
        self.open.push(leaf);
        if (self.open.len() as u64) < TILE {
            return;
        }
        let mut root = merkle::root(std::mem::take(&mut self.open));
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let roots = &mut self.levels[level];
            roots.push(root);
            match roots.len() {
                count if count % 2 == 0 => root = merkle::root(roots[count - 2..].to_vec()),
                _ => break,
            }
        }
    }

    /// The root of a tile, by its number; `None` where it is not full.
    pub(super) fn tile(&self, number: u64) -> Option<Hash> {
        self.levels.first()?.get(usize::try_from(number).ok()?).copied()
    }

    /// The root over the first blocks, as many as there are at most.
    pub(super) fn root<E>(&self, size: u64, leaves: &mut Leaves<'_, E>) -> Result<Hash, E> {
        self.stretch(0..size, leaves)
    }

    /// The hashes on the way from a block up to the root over the first `size` ones, of which it is one.
    pub(super) fn path<E>(&self, height: u64, size: u64, leaves: &mut Leaves<'_, E>) -> Result<Vec<Hash>, E> {
        let (mut tree, mut path) = (0..size, Vec::new());
        while tree.end - tree.start > 1 {
            let split = split(&tree);
            if height < split {
                path.push(self.stretch(split..tree.end, leaves)?);
                tree.end = split;
            } else {
                path.push(self.stretch(tree.start..split, leaves)?);
                tree.start = split;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// What shows that the tree over the first `new_size` blocks goes on from the one over the first `old_size`.
    pub(super) fn consistency<E>(
        &self,
        old_size: u64,
        new_size: u64,
        leaves: &mut Leaves<'_, E>,
    ) -> Result<Vec<Hash>, E> {
        consistency::stretches(old_size, new_size).into_iter().map(|stretch| self.stretch(stretch, leaves)).collect()
    }

    /// The root over a stretch that is a tree in the tree, or its right edge.
    fn stretch<E>(&self, stretch: Range<u64>, leaves: &mut Leaves<'_, E>) -> Result<Hash, E> {
        let length = stretch.end - stretch.start;
        let tile = stretch.start / TILE;
        if length >= TILE && length.is_power_of_two() && stretch.start.is_multiple_of(length) {
            let level = (length / TILE).ilog2() as usize;
            let place = usize::try_from(stretch.start / length).unwrap_or(usize::MAX);
            if let Some(root) = self.levels.get(level).and_then(|roots| roots.get(place)) {
                return Ok(*root);
            }
        }
        if length > 1 && length > TILE - stretch.start % TILE {
            let split = split(&stretch);
            let (left, right) =
                (self.stretch(stretch.start..split, leaves)?, self.stretch(split..stretch.end, leaves)?);
            return Ok(merkle::root(vec![left, right]));
        }
        // Within a tile.
        let read;
        let all: &[Hash] = match self.tile(tile) {
            None => &self.open,
            Some(_) => {
                read = leaves(tile)?;
                &read
            }
        };
        let place = (stretch.start % TILE) as usize;
        let own = all.get(place..place + length as usize).unwrap_or_default();
        Ok(merkle::root(own.to_vec()))
    }
}

/// Where a tree of more than one leaf is split.
fn split(tree: &Range<u64>) -> u64 {
    tree.start + (1 << (tree.end - tree.start - 1).ilog2())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn roots_paths_and_consistency_are_those_of_the_whole_tree() {
        let leaves: Vec<Hash> = (0..700_u32).map(|number| merkle::leaf(&number.to_le_bytes())).collect();
        let mut tree = HashTree::default();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        assert_eq!(tree.count(), 700);
        let mut read = 0;
        let mut tile = |number: u64| {
            read += 1;
            let first = (number * TILE) as usize;
            Ok::<_, Infallible>(leaves[first..first + TILE as usize].to_vec())
        };
        for size in [1, 2, 63, 64, 65, 127, 128, 129, 300, 448, 511, 512, 513, 640, 641, 699, 700_u64] {
            let root = merkle::root(leaves[..size as usize].to_vec());
            assert_eq!(tree.root(size, &mut tile), Ok(root), "{size}");
            for height in (0..size).step_by(13).chain([size - 1]) {
                let wanted = merkle::prove(&leaves[..size as usize], height as usize).unwrap();
                assert_eq!(tree.path(height, size, &mut tile), Ok(wanted.path), "{height} of {size}");
            }
            for old in (1..size).step_by(29) {
                let proof = tree.consistency(old, size, &mut tile).unwrap();
                let old_root = merkle::root(leaves[..old as usize].to_vec());
                assert!(consistency::shows(&proof, (old, old_root), (size, root)), "{old} to {size}");
            }
        }
        assert!(read > 0);
        let kept: usize = tree.levels.iter().map(Vec::len).sum();
        assert!(kept < 2 * 700 / 64 && tree.open.len() == 700 % 64);
    }
}
