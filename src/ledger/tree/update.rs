//! One pass over a batch of changes: down along the paths that change, then up, hashing each node once.
//!
//! ```text
//! walk     level by level from the root: which branches have changes below them, and where their paths end
//! bottoms  where a path ends, in a leaf or in nothing, the changes there make a new subtree
//! climb    from the last level to the first: new children, new hash; a branch left with one leaf gives way to it
//! ```
//!
//! The walk hashes nothing, so that the processor can fetch many nodes of the arena at a time; hashing then works on
//! copies that lie one after the other. (Going down and up path by path waits for memory at each step.) No node of a
//! level depends on another, so a level is hashed two nodes at a time. A large batch is split at the top of the tree
//! into blocks whose copies fit the processor's cache.

use super::paths::{Bottom, Parent, Part, Sorted, Walk};
use super::slots::{Slots, write};
use super::{Change, EMPTY, Error, Leaf, Link, Node, Pair, Target, Tree, bit, branch_hash, leaf_hash};
use crate::chain::hash::{Domain, Hash};
use crate::chain::sha256::two_nodes;
use crate::ledger::prefetch::prefetch;

/// The most changes that are worked on at a time: about a thousand branches, or 100 KB.
const BLOCK_CHANGES_MAX: u32 = 128;

/// How many writes before its own a node's place is fetched.
const COMMIT_FETCH_AHEAD: usize = 24;

/// What a batch of changes makes of a tree: the new root, and the nodes to be written when it is committed.
#[derive(Clone, Debug)]
pub struct Update {
    root: Node,
    base_root: Hash,
    base_version: u64,
    branches: Vec<Branch>,
    branch_slots: Slots,
    leaves: Vec<(u32, Leaf)>,
    leaf_slots: Slots,
}

impl Update {
    /// The root that the tree will have once this update is committed.
    pub fn root(&self) -> Hash {
        self.root.hash
    }
}

/// A branch to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    /// Not aligned as in the arena: these are worked on one after the other, and should be as few bytes as possible.
    hashes: [Hash; 2],
    pub(super) links: [Link; 2],
    slot: u32,
    write: Write,
}

/// What of a branch is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// Nothing: it turned out unchanged, or gives way to its only leaf.
    Nothing,
    /// Its hashes. The links stay, as in most changes: that spares a place in memory.
    Hashes,
    /// All of it.
    Whole,
}

pub(super) fn compute(tree: &Tree, changes: Vec<Change>) -> Result<Update, Error> {
    let changes = Sorted::new(changes);
    // About one branch per change where changes are dense, and one per level below that for each of them.
    let sparse_levels = tree.len().max(1).ilog2().saturating_sub(changes.len().max(1).ilog2()) as usize;
    let branch_count = changes.len() * (sparse_levels + 2);
    let mut pass = Pass {
        tree,
        changes: &changes,
        branches: Vec::with_capacity(branch_count),
        branch_slots: Slots::default(),
        leaves: Vec::with_capacity(changes.len()),
        leaf_slots: Slots::default(),
        walk: Walk::default(),
        stale: Vec::new(),
    };
    let root = pass.run();
    if pass.branch_slots.overflowed || pass.leaf_slots.overflowed {
        return Err(Error::Full);
    }
    Ok(Update {
        root,
        base_root: tree.root.hash,
        base_version: tree.version,
        branches: pass.branches,
        branch_slots: pass.branch_slots,
        leaves: pass.leaves,
        leaf_slots: pass.leaf_slots,
    })
}

pub(super) fn commit(tree: &mut Tree, update: Update) -> Result<(), Error> {
    if update.base_version != tree.version || update.base_root != tree.root.hash {
        return Err(Error::Stale { update: update.base_root, tree: tree.root.hash });
    }
    for (number, branch) in update.branches.iter().enumerate() {
        let later = update.branches.get(number + COMMIT_FETCH_AHEAD);
        later.and_then(|later| tree.hashes.get(later.slot as usize)).inspect(|pair| prefetch(*pair));
        if branch.write != Write::Nothing {
            write(&mut tree.hashes, branch.slot, Pair(branch.hashes));
            if branch.write == Write::Whole {
                write(&mut tree.links, branch.slot, branch.links);
            }
        }
    }
    for (number, (slot, leaf)) in update.leaves.iter().enumerate() {
        let later = update.leaves.get(number + COMMIT_FETCH_AHEAD);
        later.and_then(|(slot, _)| tree.leaves.get(*slot as usize)).inspect(|leaf| prefetch(*leaf));
        write(&mut tree.leaves, *slot, *leaf);
    }
    update.branch_slots.commit(&mut tree.free_branches);
    update.leaf_slots.commit(&mut tree.free_leaves);
    tree.root = update.root;
    tree.version += 1;
    Ok(())
}

struct Pass<'a> {
    tree: &'a Tree,
    changes: &'a Sorted,
    branches: Vec<Branch>,
    branch_slots: Slots,
    leaves: Vec<(u32, Leaf)>,
    leaf_slots: Slots,
    // Kept from block to block for their memory.
    walk: Walk,
    stale: Vec<usize>,
}

impl Pass<'_> {
    fn run(&mut self) -> Node {
        // Positions in the list are 32-bit: more changes than slots fit in no tree anyway.
        match u32::try_from(self.changes.len()) {
            Ok(count) => self.change(self.tree.root, 0, (0, count)),
            Err(_) => {
                self.leaf_slots.overflowed = true;
                self.tree.root
            }
        }
    }

    /// The subtree at a node after some changes, all of which fall below it: in blocks.
    fn change(&mut self, node: Node, depth: u32, part: Part) -> Node {
        let count = part.1 - part.0;
        match node.link.target() {
            _ if count == 0 => node,
            Target::Branch(slot) if count > BLOCK_CHANGES_MAX => {
                let middle = self.changes.middle(part, depth);
                let left = self.change(self.tree.child(slot, false), depth + 1, (part.0, middle));
                let right = self.change(self.tree.child(slot, true), depth + 1, (middle, part.1));
                let mut branch = Branch::of(self.tree, slot as u32);
                branch.set(0, left);
                branch.set(1, right);
                let new = match branch.only_leaf() {
                    Some(leaf) => {
                        self.branch_slots.freed.push(branch.slot);
                        branch.write = Write::Nothing;
                        leaf
                    }
                    None => Node { hash: branch_hash(&left.hash, &right.hash), ..node },
                };
                self.branches.push(branch);
                new
            }
            _ => self.change_block(node, depth, part),
        }
    }

    /// As [`Pass::change`], all of it as one block.
    fn change_block(&mut self, node: Node, depth: u32, part: Part) -> Node {
        let mut walk = std::mem::take(&mut self.walk);
        let (tree, first) = (self.tree, self.branches.len());
        walk.run(tree, self.changes, (node.link, depth, part), &mut self.branches);
        let mut root = node;
        for bottom in &walk.bottoms {
            let new = match bottom.link.target() {
                Target::Leaf(slot) => self.change_leaf(bottom, &tree.leaves[slot]),
                _ => self.build(None, bottom.depth as usize, bottom.part),
            };
            hand_up(&mut self.branches[first..], &mut root, bottom.parent, new);
        }
        self.climb(&walk, first, &mut root);
        self.walk = walk;
        root
    }

    /// From the last level to the first: each branch has its new children, and gets its new hash.
    fn climb(&mut self, walk: &Walk, first: usize, root: &mut Node) {
        // New branches, if any were built, stand behind those visited.
        let branches = &mut self.branches[first..];
        for level in walk.levels.iter().rev() {
            self.stale.clear();
            for number in level.clone() {
                let branch = &mut branches[number];
                match branch.only_leaf() {
                    // A subtree with one leaf is that leaf.
                    Some(leaf) => {
                        self.branch_slots.freed.push(branch.slot);
                        branch.write = Write::Nothing;
                        hand_up(branches, root, walk.visits[number].parent, leaf);
                    }
                    None => self.stale.push(number),
                }
            }
            let (pairs, last) = self.stale.as_chunks::<2>();
            for &[one, two] in pairs {
                let hashes = two_nodes(Domain::StateNode, [one, two].map(|number| branches[number].hashes.each_ref()));
                for (number, hash) in [one, two].into_iter().zip(hashes) {
                    let new = Node { hash, link: Link::branch(branches[number].slot) };
                    hand_up(branches, root, walk.visits[number].parent, new);
                }
            }
            for &number in last {
                let Branch { hashes: [left, right], slot, .. } = &branches[number];
                let new = Node { hash: branch_hash(left, right), link: Link::branch(*slot) };
                hand_up(branches, root, walk.visits[number].parent, new);
            }
        }
    }

    fn change_leaf(&mut self, bottom: &Bottom, leaf: &Leaf) -> Node {
        let (slot, depth, part) = (bottom.link.0 & !Link::LEAF, bottom.depth as usize, bottom.part);
        let (changes, key) = (self.changes.part(part), leaf.key);
        // By far the most frequent change: the entry keeps its place and gets a new value.
        if let [(changed, Some(value))] = changes
            && *changed == key
        {
            self.leaves.push((slot, Leaf { key, value: *value }));
            return Node { hash: self.changes.leaf_hash(part.0), link: bottom.link };
        }
        if changes.binary_search_by_key(&key, |change| change.0).is_ok() {
            self.leaf_slots.freed.push(slot);
            return self.build(None, depth, part);
        }
        let existing = Node { hash: leaf_hash(&key, &leaf.value), link: bottom.link };
        self.build(Some((existing, key)), depth, part)
    }

    /// A subtree made of changes, and of at most one leaf that was there before and is not among them. Recursion is
    /// bounded by the 256 bits of a key.
    fn build(&mut self, existing: Option<(Node, Hash)>, depth: usize, part: Part) -> Node {
        let changes = self.changes;
        let mut present = (part.0..part.1).filter(|place| changes.is_present(*place));
        match (existing, present.next(), present.next()) {
            (None, None, _) => return Node::default(),
            (Some((leaf, _)), None, _) => return leaf,
            (None, Some(place), None) => return self.new_leaf(place),
            _ => {}
        }
        let middle = changes.middle(part, depth as u32);
        let goes_right = existing.is_some_and(|(_, key)| bit(&key, depth));
        let left = self.build(existing.filter(|_| !goes_right), depth + 1, (part.0, middle));
        let right = self.build(existing.filter(|_| goes_right), depth + 1, (middle, part.1));
        let slot = self.branch_slots.take(&self.tree.free_branches, self.tree.links.len());
        let (hashes, links) = ([left.hash, right.hash], [left.link, right.link]);
        self.branches.push(Branch { hashes, links, slot, write: Write::Whole });
        Node { hash: branch_hash(&left.hash, &right.hash), link: Link::branch(slot) }
    }

    fn new_leaf(&mut self, place: u32) -> Node {
        let slot = self.leaf_slots.take(&self.tree.free_leaves, self.tree.leaves.len());
        let (key, value) = self.changes.at(place);
        self.leaves.push((slot, Leaf { key, value: value.unwrap_or(EMPTY) }));
        Node { hash: self.changes.leaf_hash(place), link: Link::leaf(slot) }
    }
}

/// Gives a node to the branch that it is a child of; or it is the new root of what was walked.
fn hand_up(branches: &mut [Branch], root: &mut Node, parent: Parent, new: Node) {
    match parent.get() {
        Some((number, right)) => branches[number].set(right, new),
        None => *root = new,
    }
}

impl Branch {
    /// As the tree has it.
    pub(super) fn of(tree: &Tree, slot: u32) -> Self {
        let (hashes, links) = (tree.hashes[slot as usize].0, tree.links[slot as usize]);
        Self { hashes, links, slot, write: Write::Nothing }
    }

    fn set(&mut self, right: usize, new: Node) {
        if self.links[right] != new.link {
            self.links[right] = new.link;
            self.write = Write::Whole;
        } else if self.write == Write::Nothing {
            self.write = Write::Hashes;
        }
        self.hashes[right] = new.hash;
    }

    /// Its child, if that is a leaf and the only one.
    fn only_leaf(&self) -> Option<Node> {
        let right = match self.links {
            [Link::NOTHING, right] if !right.is_branch() => 1,
            [left, Link::NOTHING] if !left.is_branch() => 0,
            _ => return None,
        };
        Some(Node { hash: self.hashes[right], link: self.links[right] })
    }
}
