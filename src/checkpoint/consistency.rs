//! Whether a later tree goes on from an earlier one: the consistency proofs of RFC 6962, 2.1.2.
//!
//! ```text
//! from 3 leaves to 7               the proof: c, d, ab, efg
//!        ┌───┴───┐                 3 leaves    node( ab, c )
//!      ┌─┴─┐   ┌─┴─┐               7 leaves    node( node( ab, node( c, d ) ), efg )
//!      ab  cd  ef  g
//! ```
//! The roots of a proof are those of stretches of leaves that lie side by side. So the one who makes it reads the
//! leaves once, and keeps no more than the right edge of one tree.

use std::ops::Range;

use crate::chain::merkle::{self, node};
use crate::chain::{Frontier, Hash};

/// C2SP sends no proof of more roots than this. One of more would be of 2^62 blocks.
pub const PROOF_ROOTS_MAX: usize = 63;

/// Makes the proof from an earlier size to a later one, leaf by leaf.
///
/// ```
/// use cairn::chain::merkle;
/// use cairn::checkpoint::consistency::{Prover, shows};
/// let leaves: Vec<_> = (0..7_u8).map(|byte| merkle::leaf(&[byte])).collect();
/// let mut prover = Prover::new(3, 7);
/// leaves.iter().for_each(|leaf| prover.append(*leaf));
/// let proof = prover.proof().unwrap();
/// assert_eq!(proof.len(), 4);
/// assert!(shows(&proof, (3, merkle::root(leaves[..3].to_vec())), (7, merkle::root(leaves))));
/// ```
#[derive(Clone, Debug)]
pub struct Prover {
    /// In the order of the leaves, each with its place in the proof.
    stretches: Vec<(usize, Range<u64>)>,
    /// The roots of the stretches that are complete.
    roots: Vec<Hash>,
    /// Of the leaves so far of the stretch that is not.
    frontier: Frontier,
    next_leaf: u64,
}

impl Prover {
    /// Before the first leaf. From a size that is not below the other there is nothing to prove, and the proof is
    /// empty.
    #[must_use]
    pub fn new(old_size: u64, new_size: u64) -> Self {
        let mut stretches: Vec<_> = stretches(old_size, new_size).into_iter().enumerate().collect();
        stretches.sort_unstable_by_key(|(_, stretch)| stretch.start);
        Self { stretches, roots: Vec::new(), frontier: Frontier::default(), next_leaf: 0 }
    }

    /// Takes the next leaf, from the first one on; those behind the later size are of no use, and do no harm.
    pub fn append(&mut self, leaf: Hash) {
        if let Some((_, stretch)) = self.stretches.get(self.roots.len())
            && stretch.contains(&self.next_leaf)
        {
            self.frontier.append(leaf);
            if self.frontier.count() == stretch.end - stretch.start {
                self.roots.push(std::mem::take(&mut self.frontier).root());
            }
        }
        self.next_leaf = self.next_leaf.saturating_add(1);
    }

    /// The proof; `None`: leaves are missing.
    #[must_use]
    pub fn proof(&self) -> Option<Vec<Hash>> {
        if self.roots.len() < self.stretches.len() {
            return None;
        }
        let mut placed: Vec<_> =
            self.stretches.iter().map(|(place, _)| *place).zip(self.roots.iter().copied()).collect();
        placed.sort_unstable_by_key(|(place, _)| *place);
        Some(placed.into_iter().map(|(_, root)| root).collect())
    }
}

/// The stretches of leaves whose roots are the proof, in its order (`SUBPROOF` of RFC 6962).
#[must_use]
pub fn stretches(old_size: u64, new_size: u64) -> Vec<Range<u64>> {
    if old_size == 0 || old_size >= new_size {
        return Vec::new();
    }
    let (mut found, mut tree, mut is_old_tree) = (Vec::new(), 0..new_size, true);
    // The tree that is looked at ends behind the earlier size until it ends there.
    while tree.end > old_size {
        let split = tree.start + (1 << (tree.end - tree.start - 1).ilog2());
        if old_size <= split {
            found.push(split..tree.end);
            tree.end = split;
        } else {
            found.push(tree.start..split);
            tree.start = split;
            is_old_tree = false;
        }
    }
    // A tree that is the earlier one as a whole is known to the verifier.
    if !is_old_tree {
        found.push(tree);
    }
    found.reverse();
    found
}

/// Whether the proof shows that the later tree begins with the leaves of the earlier one, in their order. Trees are
/// told by size and root (RFC 9162, 2.1.4.2). From a tree without leaves, and from one to itself, the proof is empty.
#[must_use]
pub fn shows(proof: &[Hash], (old_size, old_root): (u64, Hash), (new_size, new_root): (u64, Hash)) -> bool {
    if old_size >= new_size {
        return proof.is_empty() && old_size == new_size && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && old_root == merkle::root(Vec::new());
    }
    // Up to the largest complete tree at the earlier one's right edge: the way to the roots begins there.
    let up = (old_size - 1).trailing_ones();
    let (mut place, mut last) = ((old_size - 1) >> up, (new_size - 1) >> up);
    let mut path = proof.iter();
    let first = if old_size.is_power_of_two() { Some(&old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut old, mut new) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            (old, new) = (node(sibling, &old), node(sibling, &new));
            // A last node without a sibling moves up as it is.
            let up = if place == 0 { 0 } else { place.trailing_zeros() };
            (place, last) = (place >> up, last >> up);
        } else {
            new = node(&new, sibling);
        }
        (place, last) = (place / 2, last / 2);
    }
    last == 0 && old == old_root && new == new_root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|place| merkle::leaf(&place.to_le_bytes())).collect()
    }

    fn root(leaves: &[Hash]) -> Hash {
        merkle::root(leaves.to_vec())
    }

    fn prove(leaves: &[Hash], old_size: u64, new_size: u64) -> Option<Vec<Hash>> {
        let mut prover = Prover::new(old_size, new_size);
        leaves.iter().for_each(|leaf| prover.append(*leaf));
        prover.proof()
    }

    /// The definition of RFC 6962, word for word.
    fn by_definition(old_size: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
        if old_size == leaves.len() {
            return if is_whole { Vec::new() } else { vec![root(leaves)] };
        }
        let split = 1 << (leaves.len() - 1).ilog2();
        if old_size <= split {
            let mut proof = by_definition(old_size, &leaves[..split], is_whole);
            proof.push(root(&leaves[split..]));
            proof
        } else {
            let mut proof = by_definition(old_size - split, &leaves[split..], false);
            proof.push(root(&leaves[..split]));
            proof
        }
    }

    #[test]
    fn every_size_up_to_100_is_proved_from_every_smaller_one_and_from_no_other_tree() {
        let leaves = leaves(100);
        let roots: Vec<Hash> = (0..=100).map(|size| root(&leaves[..size])).collect();
        let tree = |size: usize| (size as u64, roots[size]);
        for new in 0..=100 {
            for old in 0..=new {
                let proof = prove(&leaves, old as u64, new as u64).unwrap();
                if old > 0 {
                    assert_eq!(proof, by_definition(old, &leaves[..new], true), "{old} to {new}");
                }
                assert!(shows(&proof, tree(old), tree(new)), "{old} to {new}");
                assert!(old == new || !shows(&proof, tree(new), tree(old)), "{new} back to {old}");
                for other in (0..=100).filter(|other| *other != old) {
                    assert!(!shows(&proof, (old as u64, roots[other]), tree(new)), "{old}, root of {other}, to {new}");
                }
                // Every tree goes on from nothing.
                for other in (0..=100).filter(|other| *other != new && old > 0) {
                    assert!(!shows(&proof, tree(old), (new as u64, roots[other])), "{old} to {new}, root of {other}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_altered_anywhere_shows_nothing(new in 2_u64..300, old: prop::sample::Index, at: prop::sample::Index, bit in 0_u8..8) {
            let old = 1 + old.index(new as usize - 1) as u64;
            let leaves = leaves(new);
            let (first, second) = ((old, root(&leaves[..old as usize])), (new, root(&leaves)));
            let proof = prove(&leaves, old, new).unwrap();
            prop_assert!(shows(&proof, first, second));
            prop_assert!(proof.len() <= PROOF_ROOTS_MAX);
            let mut altered = proof.clone();
            altered[at.index(proof.len())].0[at.index(32)] ^= 1 << bit;
            prop_assert!(!shows(&altered, first, second));
            let place = at.index(proof.len());
            for altered in [[&proof[..place], &proof[place + 1..]].concat(), [&proof[..], &proof[place..=place]].concat()] {
                prop_assert!(!shows(&altered, first, second));
            }
        }

        #[test]
        fn a_chain_that_forked_below_the_earlier_size_has_no_proof(new in 2_u64..120, old: prop::sample::Index, fork: prop::sample::Index) {
            let old = 1 + old.index(new as usize - 1) as u64;
            let leaves = leaves(new);
            let mut forked = leaves.clone();
            forked[fork.index(old as usize)] = Hash([9; 32]);
            let proof = prove(&forked, old, new).unwrap();
            prop_assert!(!shows(&proof, (old, root(&leaves[..old as usize])), (new, root(&forked))));
        }

        #[test]
        fn nothing_given_to_the_verifier_makes_it_panic_or_pass(
            proof in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70),
            sizes in (any::<u64>(), any::<u64>()),
            roots in (any::<[u8; 32]>(), any::<[u8; 32]>()),
        ) {
            prop_assert!(!shows(&proof, (sizes.0, Hash(roots.0)), (sizes.1, Hash(roots.1))));
        }
    }

    #[test]
    fn without_all_leaves_there_is_no_proof() {
        let leaves = leaves(10);
        assert_eq!(prove(&leaves[..9], 4, 10), None);
        assert_eq!(prove(&leaves, 4, 9), prove(&leaves[..9], 4, 9), "leaves behind the later size do no harm");
        assert_eq!(prove(&[], 5, 5), Some(Vec::new()));
        assert_eq!(stretches(1, 1 << 63).len(), PROOF_ROOTS_MAX);
    }
}
