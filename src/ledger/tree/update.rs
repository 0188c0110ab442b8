//! One pass over a batch of changes: down along the paths that change, then up, hashing each node once.
//!
//! ```text
//! walk     level by level from the root: which branches have changes below them, and where their paths end
//! bottoms  where a path ends, in a leaf or in nothing, the changes there make a new subtree
//! climb    from the last level to the first: new children, new hash; a branch left with one leaf gives way to it
//! ```
//!
//! The walk hashes nothing, so that the processor can fetch many nodes of the arena at a time; hashing then works on
//! copies that lie one after the other. (Going down and up path by path waits for memory at each step.) A large batch
//! is split at the top of the tree into blocks whose copies fit the processor's cache.

use super::paths::{Below, Bottom, Part, Sorted, Visit, below, split, walk};
use super::slots::{Slots, write};
use super::{Change, EMPTY, Error, Leaf, Link, Node, Pair, Target, Tree, bit, branch_hash, leaf_hash};
use crate::chain::hash::Hash;

/// The most changes that are worked on at a time: about a thousand branches, or 100 KB.
const BLOCK_CHANGES_MAX: u32 = 128;

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
struct Branch {
    /// Not aligned as in the arena: these are worked on one after the other, and should be as few bytes as possible.
    hashes: [Hash; 2],
    links: [Link; 2],
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
        visits: Vec::new(),
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
    for branch in update.branches.into_iter().filter(|branch| branch.write != Write::Nothing) {
        write(&mut tree.hashes, branch.slot, Pair(branch.hashes));
        if branch.write == Write::Whole {
            write(&mut tree.links, branch.slot, branch.links);
        }
    }
    for (slot, leaf) in update.leaves {
        write(&mut tree.leaves, slot, leaf);
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
    /// Kept from block to block for its memory.
    visits: Vec<Visit>,
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
                let links = self.tree.links[slot];
                let branch =
                    Branch { hashes: self.tree.hashes[slot].0, links, slot: node.link.0, write: Write::Nothing };
                self.branches.push(branch);
                let place = self.branches.len() - 1;
                let new = settle(&mut self.branches[place], [Some(left), Some(right)], &mut self.branch_slots);
                new.unwrap_or(node)
            }
            _ => self.change_block(node, depth, part),
        }
    }

    /// As [`Pass::change`], all of it as one block.
    fn change_block(&mut self, node: Node, depth: u32, part: Part) -> Node {
        let (mut visits, mut bottoms) = (std::mem::take(&mut self.visits), Vec::new());
        let root = below(node.link, depth, part, &mut visits, &mut bottoms);
        walk(self.tree, self.changes, &mut visits, &mut bottoms);
        let bottoms = self.bottoms(&bottoms);
        let climbed = self.climb(&visits, &bottoms);
        visits.clear();
        self.visits = visits;
        match root {
            Below::Same => node,
            Below::Visit(number) => climbed[number as usize].unwrap_or(node),
            Below::Bottom(number) => bottoms[number as usize],
        }
    }

    /// The subtrees at the ends of the paths.
    fn bottoms(&mut self, bottoms: &[Bottom]) -> Vec<Node> {
        let (tree, changes) = (self.tree, self.changes);
        let leaf_of = |bottom: &Bottom| match bottom.link.target() {
            Target::Leaf(slot) => Some(tree.leaves[slot]),
            _ => None,
        };
        let leaves: Vec<Option<Leaf>> = bottoms.iter().map(leaf_of).collect();
        let subtree = |(bottom, leaf): (&Bottom, &Option<Leaf>)| {
            let changes = changes.part(bottom.part);
            match leaf {
                Some(leaf) => self.change_leaf(bottom, leaf, changes),
                None => self.build(None, bottom.depth as usize, changes),
            }
        };
        bottoms.iter().zip(&leaves).map(subtree).collect()
    }

    /// The visited branches with their new children; `None` for one that did not change.
    fn climb(&mut self, visits: &[Visit], bottoms: &[Node]) -> Vec<Option<Node>> {
        let tree = self.tree;
        let first = self.branches.len();
        self.branches.extend(visits.iter().map(|visit| {
            let hashes = tree.hashes[visit.slot as usize].0;
            Branch { hashes, links: visit.links, slot: visit.slot, write: Write::Nothing }
        }));
        let mut climbed: Vec<Option<Node>> = vec![None; visits.len()];
        for number in (0..visits.len()).rev() {
            let children = visits[number].children.map(|below| match below {
                Below::Same => None,
                Below::Visit(number) => climbed[number as usize],
                Below::Bottom(number) => Some(bottoms[number as usize]),
            });
            climbed[number] = settle(&mut self.branches[first + number], children, &mut self.branch_slots);
        }
        climbed
    }

    fn change_leaf(&mut self, bottom: &Bottom, leaf: &Leaf, changes: &[Change]) -> Node {
        let (depth, key) = (bottom.depth as usize, leaf.key);
        let slot = bottom.link.0 & !Link::LEAF;
        match changes.binary_search_by_key(&key, |change| change.0) {
            Err(_) => {
                let existing = Node { hash: leaf_hash(&key, &leaf.value), link: bottom.link };
                self.build(Some((existing, key)), depth, changes)
            }
            // By far the most frequent change: the entry keeps its place and gets a new value.
            Ok(at) if changes.len() == 1 && changes[at].1.is_some() => {
                let value = changes[at].1.unwrap_or(EMPTY);
                self.leaves.push((slot, Leaf { key, value }));
                Node { hash: leaf_hash(&key, &value), link: bottom.link }
            }
            Ok(_) => {
                self.leaf_slots.freed.push(slot);
                self.build(None, depth, changes)
            }
        }
    }

    /// A subtree made of changes, and of at most one leaf that was there before and is not among them. Recursion is
    /// bounded by the 256 bits of a key.
    fn build(&mut self, existing: Option<(Node, Hash)>, depth: usize, changes: &[Change]) -> Node {
        let mut present = changes.iter().filter_map(|(key, value)| value.map(|value| (*key, value)));
        match (existing, present.next(), present.next()) {
            (None, None, _) => return Node::default(),
            (Some((leaf, _)), None, _) => return leaf,
            (None, Some((key, value)), None) => return self.new_leaf(key, value),
            _ => {}
        }
        let (low, high) = split(changes, depth);
        let goes_right = existing.is_some_and(|(_, key)| bit(&key, depth));
        let left = self.build(existing.filter(|_| !goes_right), depth + 1, low);
        let right = self.build(existing.filter(|_| goes_right), depth + 1, high);
        let slot = self.branch_slots.take(&self.tree.free_branches, self.tree.links.len());
        let (hashes, links) = ([left.hash, right.hash], [left.link, right.link]);
        self.branches.push(Branch { hashes, links, slot, write: Write::Whole });
        Node { hash: branch_hash(&left.hash, &right.hash), link: Link::branch(slot) }
    }

    fn new_leaf(&mut self, key: Hash, value: Hash) -> Node {
        let slot = self.leaf_slots.take(&self.tree.free_leaves, self.tree.leaves.len());
        self.leaves.push((slot, Leaf { key, value }));
        Node { hash: leaf_hash(&key, &value), link: Link::leaf(slot) }
    }
}

/// Gives a branch its new children, where there are any: what becomes of it, or `None` if that changes nothing.
fn settle(branch: &mut Branch, children: [Option<Node>; 2], slots: &mut Slots) -> Option<Node> {
    for (right, new) in children.into_iter().enumerate() {
        let old = Node { hash: branch.hashes[right], link: branch.links[right] };
        if let Some(new) = new.filter(|new| *new != old) {
            (branch.hashes[right], branch.links[right]) = (new.hash, new.link);
            let moved = new.link != old.link || branch.write == Write::Whole;
            branch.write = if moved { Write::Whole } else { Write::Hashes };
        }
    }
    if branch.write == Write::Nothing {
        return None;
    }
    // A subtree with one leaf is that leaf.
    let child = |right: usize| Some(Node { hash: branch.hashes[right], link: branch.links[right] });
    let remaining = match branch.links {
        [Link::NOTHING, right] if !right.is_branch() => child(1),
        [left, Link::NOTHING] if !left.is_branch() => child(0),
        _ => None,
    };
    if remaining.is_some() {
        branch.write = Write::Nothing;
        slots.freed.push(branch.slot);
        return remaining;
    }
    let [left, right] = &branch.hashes;
    Some(Node { hash: branch_hash(left, right), link: Link::branch(branch.slot) })
}
