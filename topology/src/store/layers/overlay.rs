//! Writes of one store that its backend does not have yet.

use std::cmp::Ordering;

use crate::store::backends::{Bounds, Direction};
use crate::store::error::Result;
use crate::store::layers::order::Order;
use crate::store::layers::table::Table;

/// Writes of one store: the last one of each key. A store has two of these. The upper one holds what is not committed: at
/// the commit it becomes one changelog record per key. Then its writes move to the lower one, which holds what is committed
/// and waits to be written to the backend. Reads look through both.
#[derive(Debug, Default)]
pub struct Overlay {
    table: Table,
    order: Order,
}

impl Overlay {
    /// Sets a key's value, or deletes the key. `hash` is of the key, and always by the same hasher.
    #[inline]
    pub fn set(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.table.set(hash, key, value)
    }

    /// `Some(Some(value))` if the key was put, `Some(None)` if it was deleted, `None` if it was not written.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        self.table.get(hash, key)
    }

    /// How many keys were written.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// What it takes in memory, about.
    pub fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }

    /// Forgets the writes.
    pub fn clear(&mut self) {
        self.table.clear();
        self.order.clear();
    }

    /// Takes over all writes of a newer one, which is empty then.
    pub(in crate::store) fn append(&mut self, newer: &mut Overlay) -> Result<()> {
        if self.is_empty() {
            std::mem::swap(self, newer);
            return Ok(());
        }
        for (hash, key, value) in newer.unsorted() {
            self.set(hash, key, value)?;
        }
        newer.clear();
        Ok(())
    }

    /// Whether [`Overlay::within`] would have to sort more than a few new writes first.
    pub(in crate::store) fn needs_sort(&self) -> bool {
        self.order.needs_sort(&self.table)
    }

    /// Puts the writes into key order, for [`Overlay::sorted`].
    pub fn sort(&mut self) {
        self.order.all(&self.table);
    }

    /// All writes in key order, as of the last [`Overlay::sort`]: `None` is a deletion.
    pub fn sorted(&self) -> impl ExactSizeIterator<Item = (&[u8], Option<&[u8]>)> {
        self.order.settled().iter().map(|&number| (self.table.key(number), self.table.value(number)))
    }

    /// The writes within bounds, in key order or its reverse.
    pub(in crate::store) fn within<'a>(
        &'a mut self,
        bounds: Bounds<'_>,
        direction: Direction,
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        self.order.settle(&self.table);
        let mut numbers = self.order.within(&self.table, bounds);
        let next = move || match direction {
            Direction::Forward => numbers.next(),
            Direction::Reverse => numbers.next_back(),
        };
        std::iter::from_fn(next).map(|number| (self.table.key(number), self.table.value(number)))
    }

    /// All writes as they came, with their hashes.
    pub(in crate::store) fn unsorted(&self) -> impl Iterator<Item = (u64, &[u8], Option<&[u8]>)> {
        // A table holds fewer than 2^32 entries.
        let numbers = 0..self.table.len() as u32;
        numbers.map(|number| (self.table.hash(number), self.table.key(number), self.table.value(number)))
    }
}

/// Two lists of writes that go in the same direction, as one. Of a key that both have, the newer write counts.
pub(in crate::store) fn merge<'a>(
    newer: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    older: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    direction: Direction,
) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
    let (mut newer, mut older) = (newer.peekable(), older.peekable());
    std::iter::from_fn(move || {
        let order = match (newer.peek(), older.peek()) {
            (Some((new, _)), Some((old, _))) => direction.compare(new, old),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        if order.is_gt() {
            return older.next();
        }
        if order.is_eq() {
            older.next();
        }
        newer.next()
    })
}
