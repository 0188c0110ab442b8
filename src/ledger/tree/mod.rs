//! The state tree: a binary sparse Merkle tree over 32-byte keys, in an arena.
//!
//! It is derived data. The stores hold the state; this tree holds the key and the value *hash* of each entry,
//! stays in memory, and is rebuilt by [`Tree::from_leaves`] when a process starts.
//!
//! ```text
//! empty subtree      32 zero bytes
//! one leaf below     H(StateLeaf, key || value)      however deep: a subtree with one leaf is that leaf
//! two or more        H(StateNode,   left || right)   left: bit 0, right: bit 1, highest bit of the key first
//! ```
//!
//! The root is therefore a function of the set of `(key, value)` pairs alone. [`Tree::update`] computes what a batch
//! of changes makes of the tree without touching it, hashing each changed node once; [`Tree::commit`] then takes the
//! result in. A candidate block that is thrown away costs nothing to undo.

mod paths;
mod proof;
mod slots;
mod update;

#[cfg(test)]
mod tests;

pub use proof::{Proof, ProofError, Terminal};
pub use update::Update;

use crate::chain::hash::{Domain, Hash};
use crate::chain::sha256;

/// The hash of a subtree without leaves, and so the root of an empty tree.
pub const EMPTY: Hash = Hash([0; 32]);

/// One change: a key with its new value hash, or with nothing where the entry is deleted.
pub type Change = (Hash, Option<Hash>);

/// Why an update could not be computed or taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The update was computed from another tree than the one it is given to.
    #[error("the update belongs to the tree with root {update}, this tree has root {tree}: compute it again")]
    Stale {
        /// The root of the tree that the update was computed from.
        update: Hash,
        /// The root of the tree it was given to.
        tree: Hash,
    },
    /// More entries than 31-bit indexes can name.
    #[error("the state tree is full: it holds at most 2^31 - 1 entries")]
    Full,
}

/// The tree of one state.
///
/// ```
/// use cairn::chain::hash::Hash;
/// use cairn::ledger::tree::{EMPTY, Tree};
///
/// let mut tree = Tree::new();
/// assert_eq!(tree.root(), EMPTY);
///
/// let (alice, three) = (Hash([0xa1; 32]), Hash([3; 32]));
/// let update = tree.update(vec![(alice, Some(three))])?;
/// let root = update.root();
/// assert_eq!(tree.root(), EMPTY, "an update is a preview");
///
/// tree.commit(update)?;
/// assert_eq!(tree.root(), root);
/// tree.prove(&alice).verify(root, &alice, Some(&three))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Node,
    /// Branches by slot. Their hashes and their links lie apart: a walk down reads links only, which are few bytes.
    hashes: Vec<Pair>,
    links: Vec<[Link; 2]>,
    leaves: Vec<Leaf>,
    /// Slots that hold nothing, the next to be used last.
    free_branches: Vec<u32>,
    free_leaves: Vec<u32>,
    /// Counts the commits, so that an update meets only the tree it was computed from.
    version: u64,
}

impl Tree {
    /// A tree without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over these entries: keys with their value hashes. Of a key given twice, the last counts.
    pub fn from_leaves(mut leaves: Vec<(Hash, Hash)>) -> Result<Self, Error> {
        // In key order and in stretches, so that each node is hashed about once and no update holds the whole tree.
        const LEAVES_PER_UPDATE: usize = 1 << 16;
        leaves.sort_by_key(|leaf| leaf.0);
        let mut tree = Self::new();
        for stretch in leaves.chunks(LEAVES_PER_UPDATE) {
            let update = tree.update(stretch.iter().map(|(key, value)| (*key, Some(*value))).collect())?;
            tree.commit(update)?;
        }
        Ok(tree)
    }

    /// The hash that commits to every entry.
    pub fn root(&self) -> Hash {
        self.root.hash
    }

    /// How many entries the tree holds.
    pub fn len(&self) -> usize {
        self.leaves.len() - self.free_leaves.len()
    }

    /// Whether the tree holds no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value hash of a key.
    pub fn get(&self, key: &Hash) -> Option<Hash> {
        let mut node = self.root;
        for depth in 0.. {
            match node.link.target() {
                Target::Nothing => return None,
                Target::Leaf(slot) => {
                    let leaf = &self.leaves[slot];
                    return (leaf.key == *key).then_some(leaf.value);
                }
                Target::Branch(slot) => node = self.child(slot, bit(key, depth)),
            }
        }
        None
    }

    /// What these changes make of the tree, which itself stays as it is. The order of the changes does not matter;
    /// of two changes to one key the later one counts.
    pub fn update(&self, changes: Vec<Change>) -> Result<Update, Error> {
        update::compute(self, changes)
    }

    /// Takes an update in.
    pub fn commit(&mut self, update: Update) -> Result<(), Error> {
        update::commit(self, update)
    }

    /// Proves what the tree holds under a key, or that it holds nothing.
    pub fn prove(&self, key: &Hash) -> Proof {
        proof::prove(self, key)
    }

    fn child(&self, slot: usize, right: bool) -> Node {
        Node { hash: self.hashes[slot].0[usize::from(right)], link: self.links[slot][usize::from(right)] }
    }
}

/// A node as its parent sees it. The hash stands here rather than in the node, so that rehashing a branch reads
/// that branch alone and never its other child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    hash: Hash,
    link: Link,
}

impl Default for Node {
    fn default() -> Self {
        Self { hash: EMPTY, link: Link::NOTHING }
    }
}

/// The hashes of a branch's children, left and right. One cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Pair([Hash; 2]);

/// One cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Leaf {
    key: Hash,
    value: Hash,
}

/// Where a node lies: the highest bit tells leaves (1) from branches (0), the others are the slot.
/// All ones: nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link(u32);

/// A [`Link`], taken apart.
enum Target {
    Nothing,
    Leaf(usize),
    Branch(usize),
}

impl Link {
    const NOTHING: Link = Link(u32::MAX);
    const LEAF: u32 = 1 << 31;
    /// The first slot that a link cannot name (the last leaf slot would read as "nowhere").
    const SLOTS: usize = Self::LEAF as usize - 1;

    fn leaf(slot: u32) -> Self {
        Link(slot | Self::LEAF)
    }

    fn branch(slot: u32) -> Self {
        Link(slot)
    }

    fn target(self) -> Target {
        if self == Self::NOTHING {
            Target::Nothing
        } else if self.0 & Self::LEAF != 0 {
            Target::Leaf((self.0 & !Self::LEAF) as usize)
        } else {
            Target::Branch(self.0 as usize)
        }
    }

    fn is_branch(self) -> bool {
        self.0 & Self::LEAF == 0
    }
}

/// The bit of a key that chooses between left (0) and right (1) at a depth below 256.
fn bit(key: &Hash, depth: usize) -> bool {
    key.0[depth / 8] & (0x80 >> (depth % 8)) != 0
}

fn leaf_hash(key: &Hash, value: &Hash) -> Hash {
    sha256::node(Domain::StateLeaf, [key, value])
}

fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    sha256::node(Domain::StateNode, [left, right])
}
