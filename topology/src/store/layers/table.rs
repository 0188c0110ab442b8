//! A map from bytes to bytes or "deleted", held in one arena: no allocation per entry.

use hashbrown::HashTable;

use crate::store::error::{Error, Kind, Result};

/// Keys and their values, or the fact that they have none. Entries are never removed but by [`Table::clear`].
///
/// ```text
/// index   hash -> entry number          entries  hash, where key and value lie, room for the value, whether it is marked
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
    is_marked: bool,
}

/// A value in two pieces that lie in different places until they are copied: the second behind the first.
pub(in crate::store) type Pieces<'a> = [&'a [u8]; 2];

/// What is known of a key that is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Known<'a> {
    /// It has this value.
    Value(&'a [u8]),
    /// It has none.
    Absent,
    /// Not any more what it has.
    Nothing,
}

/// The `value_size` of a key without a value. Arenas end below it, so no value has it.
const ABSENT: u32 = u32::MAX;
/// The `value_size` of a key of which nothing is known.
const FORGOTTEN: u32 = u32::MAX - 1;
const ARENA_BYTES_MAX: usize = (u32::MAX - 2) as usize;
#[cfg(test)]
thread_local! {
    /// How often this thread has looked a key up in a table.
    pub(in crate::store) static FIND_COUNT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
/// Lists do not grow by less than this.
const GROWTH_BYTES_MIN: usize = 256;
/// Not worth giving back.
const KEPT_BYTES: usize = 64 << 10;

impl Table {
    /// What an entry costs beside its bytes: the entry itself, and its share of the index.
    pub(in crate::store) const ENTRY_BYTES: usize = size_of::<Entry>() + 2 * size_of::<u32>();

    /// Sets the value of a key that is not there yet; returns the entry's number. It is not marked.
    pub(in crate::store) fn insert(&mut self, hash: u64, key: &[u8], value: Option<Pieces<'_>>) -> Result<u32> {
        let pieces = value.unwrap_or_default();
        self.make_room(key.len().saturating_add(size(pieces)))?;
        // Every position fits 32 bits then.
        let key_start = self.arena.len() as u32;
        self.arena.extend_from_slice(key);
        let value_start = self.arena.len() as u32;
        pieces.iter().for_each(|piece| self.arena.extend_from_slice(piece));
        let value_room = self.arena.len() as u32 - value_start;
        let value_size = value.map_or(ABSENT, |_| value_room);
        let number = self.entries.len() as u32;
        let key_size = key.len() as u32;
        let is_marked = false;
        grow(&mut self.entries, 1);
        self.entries.push(Entry { hash, key_start, key_size, value_start, value_size, value_room, is_marked });
        let entries = &self.entries;
        self.index.insert_unique(hash, number, |&number| entries[number as usize].hash);
        Ok(number)
    }

    /// Sets the value of an entry.
    pub(in crate::store) fn replace(&mut self, number: u32, value: Option<Pieces<'_>>) -> Result<()> {
        let entry = &mut self.entries[number as usize];
        let Some(pieces) = value else {
            entry.value_size = ABSENT;
            return Ok(());
        };
        let value_bytes = size(pieces);
        if value_bytes <= entry.value_room as usize {
            entry.value_size = value_bytes as u32;
            let mut place = &mut self.arena[entry.value_start as usize..][..value_bytes];
            for piece in pieces {
                let (here, rest) = place.split_at_mut(piece.len());
                here.copy_from_slice(piece);
                place = rest;
            }
            return Ok(());
        }
        self.make_room(value_bytes)?;
        let entry = &mut self.entries[number as usize];
        entry.value_start = self.arena.len() as u32;
        entry.value_size = value_bytes as u32;
        entry.value_room = entry.value_size;
        pieces.iter().for_each(|piece| self.arena.extend_from_slice(piece));
        Ok(())
    }

    /// Nothing is known any more of an entry's value.
    pub(in crate::store) fn forget(&mut self, number: u32) {
        self.entries[number as usize].value_size = FORGOTTEN;
    }

    /// Marks an entry; returns whether it was marked before.
    #[inline]
    pub(in crate::store) fn mark(&mut self, number: u32) -> bool {
        std::mem::replace(&mut self.entries[number as usize].is_marked, true)
    }

    /// Whether an entry is marked.
    pub(in crate::store) fn is_marked(&self, number: u32) -> bool {
        self.entries[number as usize].is_marked
    }

    /// Takes an entry's mark away.
    pub(in crate::store) fn unmark(&mut self, number: u32) {
        self.entries[number as usize].is_marked = false;
    }

    /// How many keys it speaks of.
    #[cfg(test)]
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What it takes in memory, about; replaced values that had to move are counted until it is cleared.
    pub(in crate::store) fn size_bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * Self::ENTRY_BYTES
    }

    /// What it has taken of the process's memory, used or not.
    pub(in crate::store) fn taken_bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>() + self.index.allocation_size()
    }

    /// Forgets everything. Where it has taken more memory than this and a quarter, so much is kept, and the rest given
    /// back.
    pub(in crate::store) fn clear_to(&mut self, kept_bytes: usize) {
        self.clear();
        let taken_bytes = self.taken_bytes();
        if taken_bytes > kept_bytes / 4 * 5 {
            // In the proportions that it had.
            let kept = |capacity: usize| (capacity as u128 * kept_bytes as u128 / taken_bytes as u128) as usize;
            let (bytes, entries) = (kept(self.arena.capacity()), kept(self.entries.capacity()));
            self.arena.shrink_to(bytes);
            self.entries.shrink_to(entries);
            self.index.shrink_to(entries, |_| 0); // it is empty: nothing is hashed
        }
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

    /// What is known of an entry.
    #[inline]
    pub(in crate::store) fn known(&self, number: u32) -> Known<'_> {
        let entry = &self.entries[number as usize];
        match entry.value_size {
            ABSENT => Known::Absent,
            FORGOTTEN => Known::Nothing,
            size => Known::Value(&self.arena[entry.value_start as usize..][..size as usize]),
        }
    }

    /// The value of an entry, if it has one.
    #[inline]
    pub(in crate::store) fn value(&self, number: u32) -> Option<&[u8]> {
        match self.known(number) {
            Known::Value(value) => Some(value),
            Known::Absent | Known::Nothing => None,
        }
    }

    /// The number of a key's entry.
    #[inline]
    pub(in crate::store) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        #[cfg(test)]
        FIND_COUNT.set(FIND_COUNT.get() + 1);
        let same = |&number: &u32| self.entries[number as usize].hash == hash && self.key(number) == key;
        self.index.find(hash, same).copied()
    }

    /// Sees that so many bytes fit into the arena.
    #[inline]
    fn make_room(&mut self, added_bytes: usize) -> Result<()> {
        if added_bytes > ARENA_BYTES_MAX - self.arena.len() || self.entries.len() >= FORGOTTEN as usize {
            return Err(Error::new(
                Kind::TooLarge,
                "a store took 4 GiB of writes without a commit: commit more often, or write smaller values",
            ));
        }
        grow(&mut self.arena, added_bytes);
        Ok(())
    }
}

/// Makes room for so many items. A list that doubles would take twice what it says, in each of the tables of each
/// store; one that grows by a quarter moves its items a few times more until it has reached the size that it keeps.
#[inline]
fn grow<T>(list: &mut Vec<T>, added: usize) {
    if list.capacity() - list.len() < added {
        let more = list.capacity() / 4;
        list.reserve_exact(added.max(more).max(GROWTH_BYTES_MIN / size_of::<T>()));
    }
}

fn size(pieces: Pieces<'_>) -> usize {
    pieces[0].len().saturating_add(pieces[1].len())
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

    fn set(table: &mut Table, hash: u64, key: &[u8], value: Option<&[u8]>) {
        // Cut anywhere.
        let value = value.map(|value| value.split_at(value.len() / 3).into());
        match table.find(hash, key) {
            Some(number) => table.replace(number, value).unwrap(),
            None => drop(table.insert(hash, key, value).unwrap()),
        }
    }

    fn get<'a>(table: &'a Table, hash: u64, key: &[u8]) -> Option<Known<'a>> {
        table.find(hash, key).map(|number| table.known(number))
    }

    proptest! {
        /// Hashes are taken from a tiny range, so that different keys collide all the time.
        #[test]
        fn a_table_answers_as_a_map_does(
            writes in prop::collection::vec((0u8..20, prop::option::of(prop::collection::vec(any::<u8>(), 0..6))), 0..200)
        ) {
            let mut table = Table::default();
            let mut model = HashMap::new();
            for (key, value) in &writes {
                set(&mut table, u64::from(key % 3), &[*key], value.as_deref());
                model.insert(*key, value.clone());
            }
            prop_assert_eq!(table.len(), model.len());
            for key in 0u8..20 {
                let expected = model.get(&key).map(|value| value.as_deref().map_or(Known::Absent, Known::Value));
                prop_assert_eq!(get(&table, u64::from(key % 3), &[key]), expected);
            }
        }
    }

    #[test]
    fn a_value_of_the_same_size_is_overwritten_in_place() {
        let mut table = Table::default();
        set(&mut table, 1, b"key", Some(b"00000000"));
        let size = table.size_bytes();
        for value in 0u64..1_000 {
            set(&mut table, 1, b"key", Some(&value.to_be_bytes()));
        }
        set(&mut table, 1, b"key", None);
        set(&mut table, 1, b"key", Some(b"short"));
        assert_eq!(table.size_bytes(), size);
        assert_eq!(get(&table, 1, b"key"), Some(Known::Value(b"short")));
    }

    #[test]
    fn what_a_burst_took_is_given_back_and_a_steady_need_is_not() {
        let mut table = Table::default();
        let fill = |table: &mut Table, count: u64| {
            for key in 0..count {
                set(table, key, &key.to_be_bytes(), Some(&[0; 100]));
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
    fn what_a_table_takes_is_little_more_than_it_says() {
        let mut table = Table::default();
        let mut most = 0.0_f64;
        for key in 0u64..50_000 {
            set(&mut table, key, &key.to_be_bytes(), Some(&[0; 24]));
            if key > 100 {
                most = most.max(table.taken_bytes() as f64 / table.size_bytes() as f64);
            }
        }
        assert!(most < 1.3, "{most:.2} times what it says");
        for kept_bytes in [1 << 20, 100_000] {
            table.clear_to(kept_bytes);
            let taken_bytes = table.taken_bytes();
            assert!(
                taken_bytes <= kept_bytes * 5 / 4 && taken_bytes >= kept_bytes / 2,
                "{taken_bytes} of {kept_bytes}"
            );
        }
    }

    #[test]
    fn an_empty_value_is_not_an_absent_one_and_a_forgotten_one_neither() {
        let mut table = Table::default();
        set(&mut table, 1, b"", Some(b""));
        assert_eq!(get(&table, 1, b""), Some(Known::Value(b"")));
        set(&mut table, 1, b"", None);
        assert_eq!(get(&table, 1, b""), Some(Known::Absent));
        table.forget(0);
        assert_eq!(get(&table, 1, b""), Some(Known::Nothing));
    }

    #[test]
    fn a_mark_stays_until_it_is_taken_away() {
        let mut table = Table::default();
        let number = table.insert(1, b"key", None).unwrap();
        assert_eq!([table.mark(number), table.mark(number)], [false, true]);
        table.replace(number, Some([b"value", b""])).unwrap();
        assert!(table.mark(number));
        table.unmark(number);
        assert!(!table.mark(number));
    }
}
