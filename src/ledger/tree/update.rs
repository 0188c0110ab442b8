//! One bottom-up pass over a batch of changes.

use super::{Branch, Change, EMPTY, Error, Leaf, Link, Node, Target, Tree, bit, branch_hash, leaf_hash};
use crate::chain::hash::Hash;

/// What a batch of changes makes of a tree: the new root, and the nodes to be written when it is committed.
#[derive(Clone, Debug)]
pub struct Update {
    root: Node,
    base_root: Hash,
    base_version: u64,
    branches: Slots<Branch>,
    leaves: Slots<Leaf>,
}

impl Update {
    /// The root that the tree will have once this update is committed.
    pub fn root(&self) -> Hash {
        self.root.hash
    }
}

/// The writes to one arena. A node that changes keeps its slot; until the commit, a slot given up is not used again.
#[derive(Clone, Debug)]
struct Slots<T> {
    writes: Vec<(u32, T)>,
    freed: Vec<u32>,
    /// How many slots were taken from the tree's free list.
    reused: usize,
    /// How many slots were taken beyond the arena's end.
    appended: usize,
    overflowed: bool,
}

impl<T> Slots<T> {
    fn new(capacity: usize) -> Self {
        Self { writes: Vec::with_capacity(capacity), freed: Vec::new(), reused: 0, appended: 0, overflowed: false }
    }

    /// A slot that holds nothing: from the free list if it has one, otherwise beyond the end.
    fn take(&mut self, free: &[u32], arena_length: usize) -> u32 {
        if let Some(slot) = free.iter().rev().nth(self.reused) {
            self.reused += 1;
            return *slot;
        }
        let slot = arena_length + self.appended;
        self.appended += 1;
        self.overflowed |= slot >= Link::SLOTS;
        // An overflowed update is refused as a whole, so the slot it names here is never written.
        u32::try_from(slot).unwrap_or(0)
    }

    fn apply(self, arena: &mut Vec<T>, free: &mut Vec<u32>) {
        free.truncate(free.len() - self.reused);
        free.extend(self.freed);
        arena.reserve(self.appended);
        // Slots beyond the end are written in the order in which they were taken, so each write either lands inside
        // the arena or extends it by one.
        for (slot, node) in self.writes {
            match arena.get_mut(slot as usize) {
                Some(place) => *place = node,
                None => arena.push(node),
            }
        }
    }
}

pub(super) fn compute(tree: &Tree, mut changes: Vec<Change>) -> Result<Update, Error> {
    // The stable sort keeps changes to one key in their order; of these, only the last is kept.
    changes.sort_by_key(|change| change.0);
    changes.reverse();
    changes.dedup_by_key(|change| change.0);
    changes.reverse();

    // About as many branches as changes where the changes are dense, and one per level below that for each of them.
    let sparse_levels = (tree.len().max(1).ilog2()).saturating_sub(changes.len().max(1).ilog2()) as usize;
    let branches = Slots::new(changes.len() * (sparse_levels + 2));
    let mut pass = Pass { tree, branches, leaves: Slots::new(changes.len()) };
    let root = pass.descend(tree.root, 0, &changes);
    if pass.branches.overflowed || pass.leaves.overflowed {
        return Err(Error::Full);
    }
    Ok(Update {
        root,
        base_root: tree.root.hash,
        base_version: tree.version,
        branches: pass.branches,
        leaves: pass.leaves,
    })
}

pub(super) fn commit(tree: &mut Tree, update: Update) -> Result<(), Error> {
    if update.base_version != tree.version || update.base_root != tree.root.hash {
        return Err(Error::Stale { update: update.base_root, tree: tree.root.hash });
    }
    update.branches.apply(&mut tree.branches, &mut tree.free_branches);
    update.leaves.apply(&mut tree.leaves, &mut tree.free_leaves);
    tree.root = update.root;
    tree.version += 1;
    Ok(())
}

/// The pass itself. Recursion is bounded by the 256 bits of a key.
struct Pass<'a> {
    tree: &'a Tree,
    branches: Slots<Branch>,
    leaves: Slots<Leaf>,
}

impl Pass<'_> {
    /// The subtree at `node`, after the changes that fall below it (sorted, one per key).
    fn descend(&mut self, node: Node, depth: usize, changes: &[Change]) -> Node {
        if changes.is_empty() {
            return node;
        }
        match node.link.target() {
            Target::Nothing => self.build(None, depth, changes),
            Target::Leaf(slot) => self.change_leaf(node, slot, depth, changes),
            Target::Branch(slot) => {
                let old = self.tree.branches[slot];
                let (low, high) = split(changes, depth);
                let left = self.descend(old.left, depth + 1, low);
                let right = self.descend(old.right, depth + 1, high);
                self.change_branch(node, Branch { left, right }, old)
            }
        }
    }

    fn change_branch(&mut self, node: Node, new: Branch, old: Branch) -> Node {
        if new == old {
            return node;
        }
        // A subtree with one leaf is that leaf.
        let remaining = match (new.left.link, new.right.link) {
            (Link::NOTHING, right) if !right.is_branch() => Some(new.right),
            (left, Link::NOTHING) if !left.is_branch() => Some(new.left),
            _ => None,
        };
        let slot = node.link.0;
        if let Some(child) = remaining {
            self.branches.freed.push(slot);
            return child;
        }
        self.branches.writes.push((slot, new));
        Node { hash: branch_hash(&new.left.hash, &new.right.hash), link: node.link }
    }

    fn change_leaf(&mut self, node: Node, slot: usize, depth: usize, changes: &[Change]) -> Node {
        let key = self.tree.leaves[slot].key;
        let slot = node.link.0 & !Link::LEAF;
        match changes.binary_search_by_key(&key, |change| change.0) {
            Err(_) => self.build(Some((node, key)), depth, changes),
            // By far the most frequent change: the entry keeps its place and gets a new value.
            Ok(at) if changes.len() == 1 && changes[at].1.is_some() => {
                let value = changes[at].1.unwrap_or(EMPTY);
                self.leaves.writes.push((slot, Leaf { key, value }));
                Node { hash: leaf_hash(&key, &value), link: node.link }
            }
            Ok(_) => {
                self.leaves.freed.push(slot);
                self.build(None, depth, changes)
            }
        }
    }

    /// A subtree made of changes, and of at most one leaf that was there before and is not among them.
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
        let slot = self.branches.take(&self.tree.free_branches, self.tree.branches.len());
        self.branches.writes.push((slot, Branch { left, right }));
        Node { hash: branch_hash(&left.hash, &right.hash), link: Link::branch(slot) }
    }

    fn new_leaf(&mut self, key: Hash, value: Hash) -> Node {
        let slot = self.leaves.take(&self.tree.free_leaves, self.tree.leaves.len());
        self.leaves.writes.push((slot, Leaf { key, value }));
        Node { hash: leaf_hash(&key, &value), link: Link::leaf(slot) }
    }
}

/// Parts sorted changes into those that go left and those that go right at this depth.
fn split(changes: &[Change], depth: usize) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|change| !bit(&change.0, depth)))
}
