//! A Merkle tree that only grows: what must be kept of it to add a leaf, and to tell its root.
//!
//! ```text
//! 7 leaves                       kept: the roots of the complete trees of 4, 2 and 1 leaves, one for each bit of 7
//!        ┌───┴───┐
//!      ┌─┴─┐   ┌─┴─┐   ┌─┴─┐   g        root = node( abcd, node( ef, g ) )
//!      a   b   c   d   e   f
//! ```

use borsh::{BorshDeserialize, BorshSerialize};

use super::encoding::invalid;
use super::hash::Hash;
use super::merkle::{node, root};

/// The right edge of an RFC 6962 tree: at most 64 hashes, however many leaves it has.
///
/// ```text
/// count u64 | one hash of 32 bytes for each bit set in count, from the highest
/// ```
///
/// ```
/// use cairn::chain::{Frontier, merkle};
/// let leaves: Vec<_> = (0..11_u8).map(|byte| merkle::leaf(&[byte])).collect();
/// let mut frontier = Frontier::default();
/// leaves.iter().for_each(|leaf| frontier.append(*leaf));
/// assert_eq!((frontier.count(), frontier.root()), (11, merkle::root(leaves)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    count: u64,
    /// The roots of complete trees, from the largest; as many as `count` has bits set.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The number of leaves.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The roots of the complete trees, from the largest: one for each bit set in the number of leaves.
    pub(super) fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Adds the hash of a leaf on the right.
    pub fn append(&mut self, leaf: Hash) {
        // Each bit that the addition carries over is a complete tree that gets its right half.
        let carried = self.count.trailing_ones() as usize;
        let kept = self.roots.len().saturating_sub(carried);
        let complete = self.roots.drain(kept..).rfold(leaf, |right, left| node(&left, &right));
        self.roots.push(complete);
        // Every block takes longer than a nanosecond: 2^64 leaves are centuries away.
        self.count = self.count.wrapping_add(1);
    }

    /// The frontier with one leaf more.
    #[must_use]
    pub fn with(&self, leaf: Hash) -> Self {
        let mut next = self.clone();
        next.append(leaf);
        next
    }

    /// The root over all leaves, as [`merkle::root`](super::merkle::root) gives it.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined = self.roots.iter().rev().copied().reduce(|right, left| node(&left, &right));
        joined.unwrap_or_else(|| root(Vec::new()))
    }
}

impl BorshSerialize for Frontier {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.count.serialize(writer)?;
        self.roots.iter().try_for_each(|root| root.serialize(writer))
    }
}

impl BorshDeserialize for Frontier {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let count = u64::deserialize_reader(reader)?;
        if count == u64::MAX {
            return Err(invalid("a tree of 2^64 - 1 leaves cannot grow"));
        }
        let roots = (0..count.count_ones()).map(|_| Hash::deserialize_reader(reader)).collect::<Result<_, _>>()?;
        Ok(Self { count, roots })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{from_canonical, merkle, to_canonical};

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|place| merkle::leaf(&place.to_le_bytes())).collect()
    }

    #[test]
    fn its_root_is_the_trees_after_every_leaf() {
        let leaves = leaves(300);
        let mut frontier = Frontier::default();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.root(), merkle::root(leaves[..count].to_vec()), "{count} leaves");
            assert_eq!(frontier.roots.len(), count.count_ones() as usize);
            frontier.append(*leaf);
        }
        assert_eq!(frontier.count(), 300);
    }

    proptest! {
        #[test]
        fn it_comes_back_from_its_bytes_and_grows_on_alike(count in 0_usize..600, more in 0_usize..40) {
            let leaves = leaves(count + more);
            let mut frontier = Frontier::default();
            leaves[..count].iter().for_each(|leaf| frontier.append(*leaf));
            let bytes = to_canonical(&frontier);
            prop_assert_eq!(bytes.len(), 8 + 32 * count.count_ones() as usize);
            let mut read: Frontier = from_canonical(&bytes).unwrap();
            prop_assert_eq!(&read, &frontier);
            leaves[count..].iter().for_each(|leaf| read = read.with(*leaf));
            prop_assert_eq!(read.root(), merkle::root(leaves));
        }

        #[test]
        fn it_has_one_encoding(count in 1_u64..5000, at: prop::sample::Index, flip in 1_u8..) {
            let mut bytes = count.to_le_bytes().to_vec();
            (0..count.count_ones()).for_each(|place| bytes.extend(merkle::leaf(&place.to_le_bytes()).0));
            let frontier: Frontier = from_canonical(&bytes).unwrap();
            prop_assert!(from_canonical::<Frontier>(&bytes[..at.index(bytes.len())]).is_err());
            prop_assert!(from_canonical::<Frontier>(&[&bytes[..], &[0]].concat()).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_ne!(from_canonical::<Frontier>(&bytes).ok(), Some(frontier));
        }
    }

    #[test]
    fn a_tree_that_cannot_grow_does_not_decode() {
        let full = [&u64::MAX.to_le_bytes()[..], &[7; 64 * 32]].concat();
        assert!(from_canonical::<Frontier>(&full).is_err());
    }
}
