//! The block among the first blocks of its chain.

use super::refusal::{Part, Refusal};
use crate::chain::{Hash, Header, merkle};

/// A path from the block's hash to the root over the first `size` blocks, as a checkpoint over them names it and as the
/// header of the block at height `size` carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The number of blocks, from block 0.
    pub size: u64,
    /// The root over their hashes.
    pub root: Hash,
    /// The siblings on the way from the block's hash up.
    pub path: Vec<Hash>,
}

impl History {
    /// Of a path in the tree over the first blocks.
    #[must_use]
    pub fn new(proof: merkle::Proof, root: Hash) -> Self {
        let merkle::Proof { count, path, .. } = proof;
        Self { size: count, root, path }
    }

    /// Whether the path leads from the block to the root.
    pub(super) fn check(&self, header: &Header, hash: &Hash) -> Result<(), Refusal> {
        let Self { size, root, path } = self;
        let proof = merkle::Proof { index: header.height, count: *size, path: path.clone() };
        if proof.shows(&merkle::leaf(hash.as_bytes()), root) {
            return Ok(());
        }
        let height = header.height;
        let detail = format!("block {height} ({hash}) is not among the {size} blocks with the root {root}");
        Err(Refusal::wrong(Part::History, detail))
    }
}
