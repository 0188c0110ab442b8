//! The path of one leaf in a tree that still grows: what must be kept of it, and of the leaves that come behind.
//!
//! ```text
//! leaf 2 of 7        0 1 [2] 3 4 5 6        the way up: 3 (beside it), 01 (to its left), 456 (to its right, not full yet)
//!
//! left of the leaf   complete trees, one for each bit of its index: known when the leaf comes
//! right of it        one tree for each bit that is not set, from the smallest: each is filled before the next begins
//! ```

use super::frontier::Frontier;
use super::hash::Hash;
use super::merkle::Proof;

/// The way from a leaf up to the root, while the tree grows: at most 64 hashes and a frontier, however many leaves
/// come.
///
/// ```
/// use cairn::chain::{Climb, Frontier, merkle};
/// let leaves: Vec<_> = (0..7_u8).map(|byte| merkle::leaf(&[byte])).collect();
/// let mut frontier = Frontier::default();
/// leaves[..2].iter().for_each(|leaf| frontier.append(*leaf));
/// let mut climb = Climb::new(&frontier);
/// leaves[3..].iter().for_each(|leaf| climb.append(*leaf));
/// assert_eq!(climb.proof(), merkle::prove(&leaves, 2).unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct Climb {
    /// The index of the leaf.
    index: u64,
    /// The number of leaves behind it.
    behind_count: u64,
    /// The roots of the complete trees to the left, from the smallest.
    left: Vec<Hash>,
    /// The roots of the full trees to the right, from the smallest.
    right: Vec<Hash>,
    /// The tree to the right that is being filled.
    filling: Frontier,
}

impl Climb {
    /// Of the leaf that comes next behind those of a frontier, in a tree that ends with it.
    #[must_use]
    pub fn new(before: &Frontier) -> Self {
        let left = before.roots().iter().rev().copied().collect();
        Self { index: before.count(), behind_count: 0, left, right: Vec::new(), filling: Frontier::default() }
    }

    /// The index of the leaf.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of leaves in the tree.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.index.saturating_add(1).saturating_add(self.behind_count)
    }

    /// A leaf comes behind all others.
    pub fn append(&mut self, leaf: Hash) {
        self.behind_count = self.behind_count.saturating_add(1);
        self.filling.append(leaf);
        let full = levels_to_the_right(self.index).nth(self.right.len());
        if full.is_some_and(|level| self.filling.count() == 1 << level) {
            self.right.push(std::mem::take(&mut self.filling).root());
        }
    }

    /// The proof for the leaf in the tree as it is now.
    #[must_use]
    pub fn proof(&self) -> Proof {
        let (mut left, mut right) = (self.left.iter().copied(), self.right.iter().copied());
        let mut last = (self.filling.count() > 0).then(|| self.filling.root());
        // A side that has no hashes left is not passed over: there is nothing on it up to the root.
        let sibling =
            |level: u32| if self.index >> level & 1 == 1 { left.next() } else { right.next().or_else(|| last.take()) };
        let path = (0..u64::BITS).filter_map(sibling).collect();
        Proof { index: self.index, count: self.count(), path }
    }
}

/// The levels at which the leaf's way up has its sibling to the right.
fn levels_to_the_right(index: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |level| index >> level & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::merkle;

    #[test]
    fn its_proof_is_the_trees_for_every_leaf_and_after_every_leaf_that_comes() {
        let leaves: Vec<Hash> = (0..70_u8).map(|byte| merkle::leaf(&[byte])).collect();
        let mut before = Frontier::default();
        for index in 0..leaves.len() {
            let mut climb = Climb::new(&before);
            for count in index + 1..=leaves.len() {
                if count > index + 1 {
                    climb.append(leaves[count - 1]);
                }
                let proof = climb.proof();
                assert_eq!(Some(&proof), merkle::prove(&leaves[..count], index).as_ref(), "{index} of {count}");
                assert!(proof.shows(&leaves[index], &merkle::root(leaves[..count].to_vec())));
            }
            before.append(leaves[index]);
        }
    }
}
