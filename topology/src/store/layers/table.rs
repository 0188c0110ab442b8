//! A map from bytes to bytes or "deleted", held in one arena: no allocation per entry.

use hashbrown::HashTable;

use crate::store::error::{Error, Kind, Result};

/// Keys and their values, or the fact that they were deleted. Nothing is ever removed but by [`Table::clear`].
///
/// ```text
/// index   hash -> entry number          entries  hash, where key and value lie, room for the value
/// arena   | key | value | key | value | key |   a value that grows moves to the arena's end
/// ```
#[derive(Debug, Default)]
pub(in crate::store) struct Table {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    key_start: u32,
    key_size: u32,
    value_start: u32,
    value_size: u32,
    value_room: u32,
}

/// The `value_size` of a deleted key. Arenas end below it, so no value has it.
const DELETED: u32 = u32::MAX;
const ARENA_BYTES_MAX: usize = (u32::MAX - 1) as usize;
/// Not worth giving back.
const KEPT_BYTES: usize = 64 << 10;

impl Table {
    /// What an entry costs beside its bytes: the entry itself, and its share of the index.
    pub(in crate::store) const ENTRY_BYTES: usize = size_of::<Entry>() + 2 * size_of::<u32>();

    /// The value of a key: `Some(None)` if it was deleted here, `None` if this table says nothing of it.
    #[inline]
    pub(in crate::store) fn get(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        self.find(hash, key).map(|number| self.value(number))
    }

    /// Sets a key's value, or marks it as deleted.
    pub(in crate::store) fn set(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        match self.find(hash, key) {
            Some(number) => {
                self.check_room(value.map_or(0, <[u8]>::len))?;
                self.replace(number, value);
            }
            None => {
                self.insert(hash, key, value)?;
            }
        }
        Ok(())
    }

    /// Sets the value of a key that is not there yet, or marks it as deleted; returns the entry's number.
    pub(in crate::store) fn insert(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) -> Result<u32> {
        self.check_room(key.len().saturating_add(value.map_or(0, <[u8]>::len)))?;
        // Every position fits 32 bits then.
        let key_start = self.arena.len() as u32;
        self.arena.extend_from_slice(key);
        let value_start = self.arena.len() as u32;
        let value_size = value.map_or(DELETED, |value| value.len() as u32);
        self.arena.extend_from_slice(value.unwrap_or_default());
        let value_room = self.arena.len() as u32 - value_start;
        let number = self.entries.len() as u32;
        let key_size = key.len() as u32;
        self.entries.push(Entry { hash, key_start, key_size, value_start, value_size, value_room });
        let entries = &self.entries;
        self.index.insert_unique(hash, number, |&number| entries[number as usize].hash);
        Ok(number)
    }

    /// How many keys it speaks of.
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What it takes in memory, about; replaced values that had to move are counted until it is cleared.
    pub(in crate::store) fn size_bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * Self::ENTRY_BYTES
    }

    /// Forgets everything. The memory is kept for what comes next, unless it is far more than was used.
    pub(in crate::store) fn clear(&mut self) {
        empty(&mut self.arena);
        let used = self.entries.len();
        empty(&mut self.entries);
        self.index.clear();
        if let Some(capacity) = smaller_capacity(used, self.index.capacity(), size_of::<u32>()) {
            self.index.shrink_to(capacity, |_| 0); // it is empty: nothing is hashed
        }
    }

    /// The key of an entry, numbered in the order of first appearance.
    #[inline]
    pub(in crate::store) fn key(&self, number: u32) -> &[u8] {
        let entry = &self.entries[number as usize];
        &self.arena[entry.key_start as usize..][..entry.key_size as usize]
    }

    /// The value of an entry, `None` if deleted.
    #[inline]
    pub(in crate::store) fn value(&self, number: u32) -> Option<&[u8]> {
        let entry = &self.entries[number as usize];
        match entry.value_size {
            DELETED => None,
            size => Some(&self.arena[entry.value_start as usize..][..size as usize]),
        }
    }

    /// The hash an entry was set with.
    pub(in crate::store) fn hash(&self, number: u32) -> u64 {
        self.entries[number as usize].hash
    }

    /// The number of a key's entry.
    #[inline]
    pub(in crate::store) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let same = |&number: &u32| self.entries[number as usize].hash == hash && self.key(number) == key;
        self.index.find(hash, same).copied()
    }

    fn check_room(&self, added_bytes: usize) -> Result<()> {
        if added_bytes > ARENA_BYTES_MAX - self.arena.len() || self.entries.len() >= DELETED as usize {
            return Err(Error::new(
                Kind::TooLarge,
                "a store took 4 GiB of writes without a commit: commit more often, or write smaller values",
            ));
        }
        Ok(())
    }

    fn replace(&mut self, number: u32, value: Option<&[u8]>) {
        let entry = &mut self.entries[number as usize];
        let Some(value) = value else {
            entry.value_size = DELETED;
            return;
        };
        let size = value.len() as u32;
        entry.value_size = size;
        if size > entry.value_room {
            entry.value_start = self.arena.len() as u32;
            entry.value_room = size;
            self.arena.extend_from_slice(value);
        } else {
            self.arena[entry.value_start as usize..][..value.len()].copy_from_slice(value);
        }
    }
}

/// Empties a list. Its memory is kept for what comes next, unless it is far more than was used.
pub(in crate::store) fn empty<T>(list: &mut Vec<T>) {
    let used = list.len();
    list.clear();
    if let Some(capacity) = smaller_capacity(used, list.capacity(), size_of::<T>()) {
        list.shrink_to(capacity);
    }
}

/// What a burst took is given back step by step: half of it each time that less than a quarter was used.
fn smaller_capacity(used: usize, capacity: usize, item_bytes: usize) -> Option<usize> {
    (used < capacity / 4 && capacity * item_bytes > KEPT_BYTES).then_some(capacity / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Hashes are taken from a tiny range, so that different keys collide all the time.
        #[test]
        fn a_table_answers_as_a_map_does(
            writes in prop::collection::vec((0u8..20, prop::option::of(prop::collection::vec(any::<u8>(), 0..6))), 0..200)
        ) {
            let mut table = Table::default();
            let mut model = HashMap::new();
            for (key, value) in &writes {
                table.set(u64::from(key % 3), &[*key], value.as_deref()).unwrap();
                model.insert(*key, value.clone());
            }
            prop_assert_eq!(table.len(), model.len());
            for key in 0u8..20 {
                let found = table.get(u64::from(key % 3), &[key]).map(|value| value.map(<[u8]>::to_vec));
                prop_assert_eq!(found, model.get(&key).cloned());
            }
        }
    }

    #[test]
    fn a_value_of_the_same_size_is_overwritten_in_place() {
        let mut table = Table::default();
        table.set(1, b"key", Some(b"00000000")).unwrap();
        let size = table.size_bytes();
        for value in 0u64..1_000 {
            table.set(1, b"key", Some(&value.to_be_bytes())).unwrap();
        }
        table.set(1, b"key", None).unwrap();
        table.set(1, b"key", Some(b"short")).unwrap();
        assert_eq!(table.size_bytes(), size);
        assert_eq!(table.get(1, b"key"), Some(Some(&b"short"[..])));
    }

    #[test]
    fn what_a_burst_took_is_given_back_and_a_steady_need_is_not() {
        let mut table = Table::default();
        let fill = |table: &mut Table, count: u64| {
            for key in 0..count {
                table.set(key, &key.to_be_bytes(), Some(&[0; 100])).unwrap();
            }
            table.clear();
            [table.arena.capacity(), table.entries.capacity(), table.index.capacity()]
        };
        let burst = fill(&mut table, 100_000);
        assert_eq!(fill(&mut table, 90_000), burst, "used again as much: nothing moves");
        let after = (0..12).fold(burst, |_, _| fill(&mut table, 1_000));
        assert!(after.iter().zip(burst).all(|(after, burst)| after * 4 < burst), "{after:?} after {burst:?}");
        assert_eq!(fill(&mut table, 1_000), after, "and it comes to rest");
    }

    #[test]
    fn an_empty_value_is_not_a_deletion() {
        let mut table = Table::default();
        table.set(1, b"", Some(b"")).unwrap();
        assert_eq!(table.get(1, b""), Some(Some(&b""[..])));
        table.set(1, b"", None).unwrap();
        assert_eq!(table.get(1, b""), Some(None));
    }
}
