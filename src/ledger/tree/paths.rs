//! Changes in the order of their keys, and the way from a node down to where their paths end.

use super::{Change, Link, Tree, bit};
use crate::chain::hash::Hash;

/// Changes in the order of their keys, each key once.
pub(super) struct Sorted {
    changes: Vec<Change>,
    /// The first 64 bits of each change's key, side by side: deeper than these the walk hardly ever gets.
    prefixes: Vec<u64>,
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
        Self { changes, prefixes }
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn part(&self, (start, end): Part) -> &[Change] {
        &self.changes[start as usize..end as usize]
    }

    /// Where the changes that go right at this depth begin.
    pub(super) fn middle(&self, (start, end): Part, depth: u32) -> u32 {
        let left = match 1u64.checked_shl(63 - depth.min(63)) {
            Some(mask) if depth < 64 => {
                self.prefixes[start as usize..end as usize].partition_point(|prefix| prefix & mask == 0)
            }
            _ => split(self.part((start, end)), depth as usize).0.len(),
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

/// Parts sorted changes into those that go left and those that go right at this depth.
pub(super) fn split(changes: &[Change], depth: usize) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|change| !bit(&change.0, depth)))
}

/// A branch with changes below it.
pub(super) struct Visit {
    pub(super) slot: u32,
    depth: u32,
    part: Part,
    pub(super) links: [Link; 2],
    pub(super) children: [Below; 2],
}

/// What is known about a child of a visited branch.
#[derive(Clone, Copy)]
pub(super) enum Below {
    /// No changes below it.
    Same,
    /// It is a branch: the visit with this number.
    Visit(u32),
    /// The path ends there: the bottom with this number.
    Bottom(u32),
}

/// Where a path ends: in a leaf, or in nothing.
pub(super) struct Bottom {
    pub(super) link: Link,
    pub(super) depth: u32,
    pub(super) part: Part,
}

/// Visits every branch with changes below it, level by level. `visits` holds the first, if there is one.
pub(super) fn walk(tree: &Tree, changes: &Sorted, visits: &mut Vec<Visit>, bottoms: &mut Vec<Bottom>) {
    let mut level = 0..visits.len();
    while !level.is_empty() {
        for visit in &mut visits[level.clone()] {
            visit.links = tree.links[visit.slot as usize];
        }
        for number in level.clone() {
            let Visit { depth, part: (start, end), links, .. } = visits[number];
            let middle = changes.middle((start, end), depth);
            let mut children = [Below::Same; 2];
            for (right, part) in [(0, (start, middle)), (1, (middle, end))] {
                if part.0 < part.1 {
                    children[right] = below(links[right], depth + 1, part, visits, bottoms);
                }
            }
            visits[number].children = children;
        }
        level = level.end..visits.len();
    }
}

/// Notes that there are changes below a link: a branch is to be visited, anything else is where the path ends.
pub(super) fn below(link: Link, depth: u32, part: Part, visits: &mut Vec<Visit>, bottoms: &mut Vec<Bottom>) -> Below {
    // Fewer than 256 branches lie on the path of each change, and there are fewer than 2^31 slots: the numbers of both
    // lists fit 32 bits.
    if link.is_branch() {
        visits.push(Visit { slot: link.0, depth, part, links: [Link::NOTHING; 2], children: [Below::Same; 2] });
        Below::Visit(visits.len() as u32 - 1)
    } else {
        bottoms.push(Bottom { link, depth, part });
        Below::Bottom(bottoms.len() as u32 - 1)
    }
}
