//! Changes in the order of their keys, and the way from a node down to where their paths end.

use std::ops::Range;

use super::update::Branch;
use super::{Change, EMPTY, Link, Target, Tree, bit, leaf_hash};
use crate::chain::hash::{Domain, Hash};
use crate::chain::sha256::two_nodes;
use crate::ledger::prefetch::prefetch;

/// Changes in the order of their keys, each key once.
pub(super) struct Sorted {
    changes: Vec<Change>,
    /// The first 64 bits of each change's key, side by side: deeper than these the walk hardly ever gets.
    prefixes: Vec<u64>,
    /// The hash of the leaf that each change makes; of no meaning where it deletes.
    leaf_hashes: Vec<Hash>,
}

/// Some of the changes: from one place to another in their sorted list.
pub(super) type Part = (u32, u32);

impl Sorted {
    /// Of changes to one key, the last counts.
    pub(super) fn new(mut changes: Vec<Change>) -> Self {
        if !changes.is_sorted_by(|one, other| one.0 < other.0) {
            changes = sorted(&changes);
        }
        let prefixes = changes.iter().map(|change| prefix(&change.0)).collect();
        let leaf_hashes = leaf_hashes(&changes);
        Self { changes, prefixes, leaf_hashes }
    }

    pub(super) fn at(&self, place: u32) -> Change {
        self.changes[place as usize]
    }

    pub(super) fn is_present(&self, place: u32) -> bool {
        self.changes[place as usize].1.is_some()
    }

    pub(super) fn leaf_hash(&self, place: u32) -> Hash {
        self.leaf_hashes[place as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn part(&self, (start, end): Part) -> &[Change] {
        &self.changes[start as usize..end as usize]
    }

    /// Whether a change goes right at this depth.
    fn goes_right(&self, place: u32, depth: u32) -> bool {
        match 63u32.checked_sub(depth) {
            Some(shift) => self.prefixes[place as usize] >> shift & 1 == 1,
            None => bit(&self.changes[place as usize].0, depth as usize),
        }
    }

    /// Where the changes that go right at this depth begin.
    pub(super) fn middle(&self, (start, end): Part, depth: u32) -> u32 {
        let left = match 63u32.checked_sub(depth) {
            Some(shift) => {
                self.prefixes[start as usize..end as usize].partition_point(|prefix| prefix >> shift & 1 == 0)
            }
            None => self.part((start, end)).partition_point(|change| !bit(&change.0, depth as usize)),
        };
        start + left as u32
    }
}

fn sorted(changes: &[Change]) -> Vec<Change> {
    // Sorting places rather than changes moves fewer bytes, and the first bits of the keys nearly always decide.
    let mut order: Vec<(u64, usize)> = changes.iter().map(|change| prefix(&change.0)).zip(0..).collect();
    order.sort_unstable_by(|one, other| {
        one.0.cmp(&other.0).then_with(|| changes[one.1].0.cmp(&changes[other.1].0)).then(one.1.cmp(&other.1))
    });
    let mut sorted: Vec<Change> = Vec::with_capacity(changes.len());
    for (_, place) in order {
        let change = changes[place];
        match sorted.last_mut() {
            Some(last) if last.0 == change.0 => *last = change,
            _ => sorted.push(change),
        }
    }
    sorted
}

fn prefix(key: &Hash) -> u64 {
    key.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Each changed entry ends as one leaf, wherever that comes to hang: so all are hashed here, two at a time.
fn leaf_hashes(changes: &[Change]) -> Vec<Hash> {
    let mut hashes = Vec::with_capacity(changes.len());
    let (pairs, last) = changes.as_chunks::<2>();
    for [(one, one_value), (two, two_value)] in pairs {
        let values = [one_value.unwrap_or(EMPTY), two_value.unwrap_or(EMPTY)];
        hashes.extend(two_nodes(Domain::StateLeaf, [[one, &values[0]], [two, &values[1]]]));
    }
    hashes.extend(last.iter().map(|(key, value)| leaf_hash(key, &value.unwrap_or(EMPTY))));
    hashes
}

/// A branch with changes below it.
pub(super) struct Visit {
    slot: u32,
    part: Part,
    pub(super) parent: Parent,
}

/// Where a path ends: in a leaf, or in nothing.
pub(super) struct Bottom {
    pub(super) link: Link,
    pub(super) depth: u32,
    pub(super) part: Part,
    pub(super) parent: Parent,
}

/// Of which visited branch something is a child, and on which side.
#[derive(Clone, Copy)]
pub(super) struct Parent(u32);

impl Parent {
    /// Of none: it is where the walk began.
    pub(super) const NONE: Parent = Parent(u32::MAX);

    fn new(number: usize, right: usize) -> Self {
        // Fewer than 256 branches lie on the path of each of the few changes of a walk.
        Parent((number << 1 | right) as u32)
    }

    /// The number of the visit, and the side: 0 left, 1 right.
    pub(super) fn get(self) -> Option<(usize, usize)> {
        (self.0 != u32::MAX).then_some(((self.0 >> 1) as usize, (self.0 & 1) as usize))
    }
}

/// A walk: every branch with changes below it, level by level, and where the paths end.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) visits: Vec<Visit>,
    /// Which visits each level has.
    pub(super) levels: Vec<Range<usize>>,
    pub(super) bottoms: Vec<Bottom>,
}

impl Walk {
    /// Walks from a node down, and appends a copy of each branch visited. What was there from a walk before is
    /// forgotten, but for its memory.
    pub(super) fn run(&mut self, tree: &Tree, changes: &Sorted, from: (Link, u32, Part), branches: &mut Vec<Branch>) {
        self.visits.clear();
        self.levels.clear();
        self.bottoms.clear();
        let (link, mut depth, part) = from;
        self.reach(tree, link, depth, part, Parent::NONE);
        let mut level = 0..self.visits.len();
        while !level.is_empty() {
            // All of them are on their way since they were reached, so the processor waits for many at a time.
            let first = branches.len();
            branches.extend(self.visits[level.clone()].iter().map(|visit| Branch::of(tree, visit.slot)));
            depth += 1;
            for (number, branch) in level.clone().zip(&branches[first..]) {
                let part = self.visits[number].part;
                if part.1 - part.0 == 1 {
                    // Nearly always, below the first levels: and no guessing which way it goes.
                    let right = usize::from(changes.goes_right(part.0, depth - 1));
                    self.reach(tree, branch.links[right], depth, part, Parent::new(number, right));
                    continue;
                }
                let middle = changes.middle(part, depth - 1);
                for (right, part) in [(0, (part.0, middle)), (1, (middle, part.1))] {
                    if part.0 < part.1 {
                        self.reach(tree, branch.links[right], depth, part, Parent::new(number, right));
                    }
                }
            }
            let next = level.end..self.visits.len();
            self.levels.push(std::mem::replace(&mut level, next));
        }
    }

    /// Notes that there are changes below a link: a branch is to be visited, anything else is where the path ends.
    fn reach(&mut self, tree: &Tree, link: Link, depth: u32, part: Part, parent: Parent) {
        match link.target() {
            Target::Branch(slot) => {
                tree.hashes.get(slot).inspect(|pair| prefetch(*pair));
                tree.links.get(slot).inspect(|links| prefetch(*links));
                self.visits.push(Visit { slot: link.0, part, parent });
            }
            target => {
                if let Target::Leaf(slot) = target {
                    tree.leaves.get(slot).inspect(|leaf| prefetch(*leaf));
                }
                self.bottoms.push(Bottom { link, depth, part, parent });
            }
        }
    }
}
