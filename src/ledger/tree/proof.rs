//! Proofs of presence and absence against a root.

use super::{EMPTY, Target, Tree, bit, branch_hash, leaf_hash};
use crate::chain::hash::Hash;

/// Proves what a state tree holds under one key.
///
/// A reader with the root recomputes it from the bottom: the terminal's hash, joined with each sibling from the last
/// to the first, to the left or right of it as the key's bits say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The hashes beside the path, from the root down.
    pub siblings: Vec<Hash>,
    /// What lies at the end of the path.
    pub terminal: Terminal,
}

/// Where the path that a key takes through the tree ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// In an empty subtree: no key with these first bits is present.
    Nothing,
    /// At a leaf: of this key, or of the only other key with these first bits.
    Leaf {
        /// The leaf's key.
        key: Hash,
        /// The leaf's value hash.
        value: Hash,
    },
}

/// Why a proof does not show what was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More siblings than a key has bits.
    #[error("the proof has {0} siblings, a key has only 256 bits")]
    TooLong(usize),
    /// The leaf at the path's end does not lie on the key's path.
    #[error("the proof ends at a leaf that is not on the path of the key")]
    OtherPath,
    /// The proof leads to this root, and shows another value, or presence for absence, or the reverse.
    #[error("the proof shows that the value hash is {found:?}, not {claimed:?}")]
    OtherValue {
        /// What the proof shows; `None`: absent.
        found: Option<Hash>,
        /// What was claimed; `None`: absent.
        claimed: Option<Hash>,
    },
    /// The proof belongs to another state.
    #[error("the proof leads to root {found}, not to {expected}")]
    OtherRoot {
        /// The root that the proof leads to.
        found: Hash,
        /// The root it should lead to.
        expected: Hash,
    },
}

impl Proof {
    /// Checks that under `root`, `key` has the value hash `claimed`, or with `None` that it is absent.
    pub fn verify(&self, root: Hash, key: &Hash, claimed: Option<&Hash>) -> Result<(), ProofError> {
        if self.siblings.len() > 256 {
            return Err(ProofError::TooLong(self.siblings.len()));
        }
        let (mut hash, found) = match &self.terminal {
            Terminal::Nothing => (EMPTY, None),
            Terminal::Leaf { key: leaf_key, value } => {
                if (0..self.siblings.len()).any(|depth| bit(leaf_key, depth) != bit(key, depth)) {
                    return Err(ProofError::OtherPath);
                }
                (leaf_hash(leaf_key, value), (leaf_key == key).then_some(*value))
            }
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if bit(key, depth) { branch_hash(sibling, &hash) } else { branch_hash(&hash, sibling) };
        }
        if hash != root {
            return Err(ProofError::OtherRoot { found: hash, expected: root });
        }
        if found.as_ref() != claimed {
            return Err(ProofError::OtherValue { found, claimed: claimed.copied() });
        }
        Ok(())
    }
}

pub(super) fn prove(tree: &Tree, key: &Hash) -> Proof {
    let mut siblings = Vec::new();
    let mut node = tree.root;
    loop {
        match node.link.target() {
            Target::Nothing => return Proof { siblings, terminal: Terminal::Nothing },
            Target::Leaf(slot) => {
                let leaf = tree.leaves[slot];
                return Proof { siblings, terminal: Terminal::Leaf { key: leaf.key, value: leaf.value } };
            }
            Target::Branch(slot) => {
                let right = bit(key, siblings.len());
                siblings.push(tree.child(slot, !right).hash);
                node = tree.child(slot, right);
            }
        }
    }
}
