//! The checkpoints that a chain must contain, and the one that it ends with.

use crate::chain::{Block, Frontier, merkle};
use crate::checkpoint::Checkpoint;
use crate::consensus::follow::{Broken, Reason};
use crate::ledger::state::Tip;

/// The checkpoint of a chain that ends with this block.
#[must_use]
pub fn of_tip(tip: &Tip) -> Checkpoint {
    Checkpoint::of(&tip.genesis, &tip.history.with(merkle::leaf(tip.hash.as_bytes())))
}

/// Checkpoints that were seen and believed once: the chain must begin with the blocks of each, so nothing of them can
/// be replaced, nor its tail cut below them, unseen.
pub(super) struct Pins<'c> {
    /// By size, from the smallest.
    checkpoints: Vec<&'c Checkpoint>,
    /// How many of them the chain was found to contain.
    met_count: usize,
    blocks: Frontier,
}

impl<'c> Pins<'c> {
    pub(super) fn new(checkpoints: &'c [Checkpoint]) -> Self {
        let mut checkpoints: Vec<_> = checkpoints.iter().collect();
        checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        Self { checkpoints, met_count: 0, blocks: Frontier::default() }
    }

    /// Takes the next block, from block 0 on: it must be of their chain, and the last block of one of them must give
    /// its root.
    pub(super) fn check(&mut self, block: &Block) -> Result<(), Broken> {
        if self.met_count == self.checkpoints.len() {
            return Ok(());
        }
        let (genesis, height) = (block.header.genesis, block.header.height);
        if height == 0
            && let Some(other) = self.checkpoints.iter().find(|pinned| pinned.genesis() != Some(genesis))
        {
            let detail = format!("this chain's genesis is {genesis}, the checkpoint is of {}", other.origin);
            return Err(Broken::new(height, Reason::Checkpoint, detail));
        }
        self.blocks.append(merkle::leaf(block.hash.as_bytes()));
        while let Some(pinned) =
            self.checkpoints.get(self.met_count).filter(|pinned| pinned.size <= self.blocks.count())
        {
            let root = self.blocks.root();
            if pinned.size == self.blocks.count() && root != pinned.root {
                let detail = format!(
                    "the first {} blocks are not those of the checkpoint: their root is {root}, and must be {}",
                    pinned.size, pinned.root
                );
                return Err(Broken::new(height, Reason::Checkpoint, detail));
            }
            self.met_count += 1;
        }
        Ok(())
    }

    /// Whether the chain reaches all of them, given the height that it ends at.
    pub(super) fn check_reached(&self, tip_height: Option<u64>) -> Result<(), Broken> {
        let Some(last) = self.checkpoints.last() else { return Ok(()) };
        let (height, what) = match tip_height {
            Some(height) if height.checked_add(1) >= Some(last.size) => return Ok(()),
            Some(height) => (
                height + 1,
                format!("the chain ends at height {height}, the checkpoint has {} blocks: its tail was cut", last.size),
            ),
            None => (0, "the topic holds no block, the checkpoint says that there was a chain".to_owned()),
        };
        Err(Broken::new(height, Reason::Checkpoint, what))
    }
}
