//! Some entries of a table in the order of their keys, sorted no more than needed.

use std::ops::Range;

use crate::store::backends::Bounds;
use crate::store::layers::table::{Table, empty};

/// Numbers of entries in key order. They are told as a list that only grows, `numbers`. A scan between two writes must
/// not sort everything again, so new entries go into a short list first, and that is merged into the long one when it
/// is full.
#[derive(Debug, Default)]
pub(in crate::store) struct Order {
    sorted: Vec<u32>,
    recent: Vec<u32>,
    scratch: Vec<(u64, u32)>,
}

const RECENT_MAX: usize = 512;

impl Order {
    /// Forgets everything.
    pub(in crate::store) fn clear(&mut self) {
        empty(&mut self.sorted);
        empty(&mut self.recent);
        empty(&mut self.scratch);
    }

    /// Takes in numbers that came since the last call.
    pub(in crate::store) fn settle(&mut self, table: &Table, numbers: &[u32]) {
        if numbers.len() - self.sorted.len() > RECENT_MAX {
            self.take_all(table, numbers);
            return;
        }
        for &number in self.unseen(numbers) {
            let key = table.key(number);
            let at = self.recent.partition_point(|&other| table.key(other) < key);
            self.recent.insert(at, number);
        }
    }

    /// All numbers in key order.
    pub(in crate::store) fn all(&mut self, table: &Table, numbers: &[u32]) -> &[u32] {
        if self.sorted.len() != numbers.len() {
            self.take_all(table, numbers);
        }
        &self.sorted
    }

    /// The entries within bounds, in key order from either end. Call [`Order::settle`] first.
    pub(in crate::store) fn within<'a>(&'a self, table: &'a Table, bounds: Bounds<'_>) -> Merge<'a> {
        let cut = |numbers: &'a [u32]| {
            let Range { start, end } = bounds.slice(numbers.len(), |at| table.key(numbers[at]));
            &numbers[start..end]
        };
        Merge { table, left: cut(&self.sorted), right: cut(&self.recent) }
    }

    /// What it has taken of the process's memory, used or not.
    pub(in crate::store) fn taken_bytes(&self) -> usize {
        let numbers = self.sorted.capacity() + self.recent.capacity();
        numbers * size_of::<u32>() + self.scratch.capacity() * size_of::<(u64, u32)>()
    }

    /// What came since they were last looked at.
    fn unseen<'n>(&self, numbers: &'n [u32]) -> &'n [u32] {
        &numbers[self.sorted.len() + self.recent.len()..]
    }

    fn take_all(&mut self, table: &Table, numbers: &[u32]) {
        let unseen = self.unseen(numbers);
        if self.recent.len() + unseen.len() > self.sorted.len() / 8 {
            self.sort_anew(table, numbers);
            return;
        }
        self.sorted.append(&mut self.recent);
        self.sorted.extend(unseen);
        // The stable sort finds the runs that are in order already and merges them.
        self.sorted.sort_by(|&a, &b| table.key(a).cmp(table.key(b)));
    }

    /// Sorts by eight bytes of each key, those after what all keys have in common, and looks at whole keys on a tie
    /// only.
    fn sort_anew(&mut self, table: &Table, numbers: &[u32]) {
        let common = common_prefix_size(table, numbers);
        self.scratch.clear();
        self.scratch.extend(numbers.iter().map(|&number| (eight_bytes(&table.key(number)[common..]), number)));
        self.scratch.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| table.key(a.1).cmp(table.key(b.1))));
        self.recent.clear();
        self.sorted.clear();
        self.sorted.extend(self.scratch.iter().map(|&(_, number)| number));
    }
}

fn common_prefix_size(table: &Table, numbers: &[u32]) -> usize {
    let Some((&first, rest)) = numbers.split_first() else { return 0 };
    let first = table.key(first);
    rest.iter().fold(first.len(), |size, &number| {
        let same = first[..size].iter().zip(table.key(number)).take_while(|(a, b)| a == b);
        same.count()
    })
}

/// The first eight bytes as a number that sorts as they do. A shorter key counts as filled up with zeros: no larger
/// than any that it begins, and equal ones are told apart by the whole keys.
fn eight_bytes(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut chunk = [0; 8];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(chunk)
        }
    }
}

/// Two sorted lists as one, from either end.
pub(in crate::store) struct Merge<'a> {
    table: &'a Table,
    left: &'a [u32],
    right: &'a [u32],
}

impl Merge<'_> {
    fn left_is_smaller(&self, left: u32, right: u32) -> bool {
        self.table.key(left) < self.table.key(right)
    }
}

impl Iterator for Merge<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let from_left = match (self.left.first(), self.right.first()) {
            (Some(&left), Some(&right)) => self.left_is_smaller(left, right),
            (left, _) => left.is_some(),
        };
        let list = if from_left { &mut self.left } else { &mut self.right };
        list.split_off_first().copied()
    }
}

impl DoubleEndedIterator for Merge<'_> {
    fn next_back(&mut self) -> Option<u32> {
        let from_right = match (self.left.last(), self.right.last()) {
            (Some(&left), Some(&right)) => self.left_is_smaller(left, right),
            (_, right) => right.is_some(),
        };
        let list = if from_right { &mut self.right } else { &mut self.left };
        list.split_off_last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::ops::Bound;

    proptest! {
        #[test]
        fn keys_come_in_order_however_writes_and_scans_alternate(
            rounds in prop::collection::vec((prop::collection::vec(prop::collection::vec(0u8..4, 0..10), 0..400), any::<bool>()), 0..6)
        ) {
            let (mut table, mut order, mut model) = (Table::default(), Order::default(), BTreeSet::new());
            let mut numbers = Vec::new();
            for (keys, whole) in rounds {
                for key in keys {
                    let hash = key.iter().fold(7u64, |hash, &byte| hash.wrapping_mul(31) + u64::from(byte));
                    // Every third entry is none of those that are told.
                    let number = table.find(hash, &key).unwrap_or_else(|| table.insert(hash, &key, None).unwrap());
                    if !number.is_multiple_of(3) && !table.mark(number) {
                        numbers.push(number);
                        model.insert(key);
                    }
                }
                let mut expected: Vec<_> = model.iter().cloned().collect();
                if whole {
                    let all: Vec<_> = order.all(&table, &numbers).iter().map(|&n| table.key(n).to_vec()).collect();
                    prop_assert_eq!(&all, &expected);
                }
                order.settle(&table, &numbers);
                let everything = Bounds { start: Bound::Unbounded, end: Bound::Unbounded };
                let forward: Vec<_> = order.within(&table, everything).map(|n| table.key(n).to_vec()).collect();
                prop_assert_eq!(&forward, &expected);
                let backward: Vec<_> = order.within(&table, everything).rev().map(|n| table.key(n).to_vec()).collect();
                expected.reverse();
                prop_assert_eq!(&backward, &expected);
            }
        }
    }
}
