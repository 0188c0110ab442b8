//! The state in memory: for verifying, replaying and testing.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::{Changes, Table, View};
use crate::ledger::prefetch::prefetch;

/// All tables in memory.
///
/// Keys come from strangers, so the tables are hashed with the standard library's keyed hash; whatever is listed is
/// sorted first, so that nothing ever depends on it. Keys and values lie in the table itself where they are short, as
/// those of accounts are: then a look-up waits for memory once.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    hasher: RandomState,
    tables: [HashTable<Entry>; Table::ALL.len()],
}

/// How many look-ups before its own an entry is fetched: so many can be on their way at a time.
const FETCH_AHEAD: usize = 16;

#[derive(Clone, Debug)]
struct Entry {
    key: Bytes<30>,
    value: Bytes<22>,
}

impl MemoryState {
    /// A state without entries: before genesis.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes changes in.
    pub fn apply(&mut self, changes: impl Borrow<Changes>) {
        let changes = changes.borrow();
        let hashes: Vec<u64> = changes.iter().map(|(_, key, _)| self.hasher.hash_one(key)).collect();
        let mut later = changes.iter().zip(&hashes);
        later.by_ref().take(FETCH_AHEAD).for_each(|((table, ..), hash)| self.fetch(table, *hash));
        for ((table, key, value), hash) in changes.iter().zip(hashes.iter().copied()) {
            later.next().into_iter().for_each(|((table, ..), hash)| self.fetch(table, *hash));
            let entries = &mut self.tables[place(table)];
            match (value, entries.find_entry(hash, |entry| entry.key.get() == key)) {
                (Some(value), Ok(mut found)) => found.get_mut().value.set(value),
                (Some(value), Err(_)) => {
                    let entry = Entry { key: Bytes::new(key), value: Bytes::new(value) };
                    entries.insert_unique(hash, entry, |entry| self.hasher.hash_one(entry.key.get()));
                }
                (None, Ok(found)) => drop(found.remove()),
                (None, Err(_)) => {}
            }
        }
    }

    /// The entries of a table, by key.
    pub fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.tables[place(table)].iter();
        let mut entries: Vec<(&[u8], &[u8])> = entries.map(|entry| (entry.key.get(), entry.value.get())).collect();
        entries.sort_unstable();
        entries.into_iter()
    }

    /// Begins to bring the entry of a hash into the cache.
    fn fetch(&self, table: Table, hash: u64) {
        self.tables[place(table)].iter_hash(hash).next().inspect(|entry| prefetch(*entry));
    }

    fn find(&self, table: Table, hash: u64, key: &[u8]) -> Option<&[u8]> {
        self.tables[place(table)].find(hash, |entry| entry.key.get() == key).map(|entry| entry.value.get())
    }
}

impl PartialEq for MemoryState {
    fn eq(&self, other: &Self) -> bool {
        Table::ALL.into_iter().all(|table| self.table(table).eq(other.table(table)))
    }
}

impl Eq for MemoryState {}

/// The bytes of the tables count from 1 without gaps (a test says so).
fn place(table: Table) -> usize {
    table as usize - 1
}

impl View for MemoryState {
    type Error = Infallible;

    fn get(&self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Infallible> {
        value.clear();
        let found = self.find(table, self.hasher.hash_one(key), key);
        if let Some(found) = found {
            value.extend_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Infallible> {
        self.table(table).for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn get_many(&self, table: Table, keys: &[&[u8]], found: &mut dyn FnMut(usize, &[u8])) -> Result<(), Infallible> {
        let hashes: Vec<u64> = keys.iter().map(|key| self.hasher.hash_one(key)).collect();
        let mut later = hashes.iter();
        later.by_ref().take(FETCH_AHEAD).for_each(|hash| self.fetch(table, *hash));
        for (place, (key, hash)) in keys.iter().zip(hashes.iter().copied()).enumerate() {
            later.next().into_iter().for_each(|hash| self.fetch(table, *hash));
            if let Some(value) = self.find(table, hash, key) {
                found(place, value);
            }
        }
        Ok(())
    }
}

/// Bytes in place if they are at most `SIZE`, otherwise on the heap.
#[derive(Clone, Debug)]
enum Bytes<const SIZE: usize> {
    Here { length: u8, bytes: [u8; SIZE] },
    Heap(Box<[u8]>),
}

impl<const SIZE: usize> Bytes<SIZE> {
    fn new(bytes: &[u8]) -> Self {
        let mut here = [0; SIZE];
        match (here.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(bytes);
                Bytes::Here { length, bytes: here }
            }
            _ => Bytes::Heap(bytes.into()),
        }
    }

    fn set(&mut self, bytes: &[u8]) {
        *self = Self::new(bytes);
    }

    fn get(&self) -> &[u8] {
        match self {
            Bytes::Here { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_table_has_a_place_of_its_own() {
        let places: Vec<usize> = Table::ALL.into_iter().map(place).collect();
        assert_eq!(places, (0..Table::ALL.len()).collect::<Vec<_>>());
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        (0..3u8, prop_oneof![0..4usize, 20..24usize, 29..32usize, 300..302usize])
            .prop_map(|(byte, length)| vec![byte; length])
    }

    proptest! {
        #[test]
        fn the_state_is_a_map_by_table_and_key_and_short_bytes_are_like_long_ones(
            writes in proptest::collection::vec((0..Table::ALL.len(), any_bytes(), prop::option::of(any_bytes())), 0..60),
        ) {
            let (mut state, mut model) = (MemoryState::new(), BTreeMap::new());
            for (table, key, value) in &writes {
                let table = Table::ALL[*table];
                let mut changes = Changes::new();
                changes.set(table, key, value.as_deref());
                state.apply(&changes);
                match value {
                    Some(value) => drop(model.insert((table, key.clone()), value.clone())),
                    None => drop(model.remove(&(table, key.clone()))),
                }
            }
            for table in Table::ALL {
                let of_table = |((_, key), value): (&(Table, Vec<u8>), &Vec<u8>)| (key.clone(), value.clone());
                let expected: Vec<_> = model.iter().filter(|((of, _), _)| *of == table).map(of_table).collect();
                let listed: Vec<_> = state.table(table).map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
                prop_assert_eq!(&listed, &expected);
                let mut keys: Vec<&[u8]> = writes.iter().map(|(_, key, _)| key.as_slice()).collect();
                keys.sort_unstable();
                keys.dedup();
                let mut found = Vec::new();
                state.get_many(table, &keys, &mut |place, value| found.push((keys[place].to_vec(), value.to_vec()))).unwrap();
                prop_assert_eq!(&found, &expected);
            }
            prop_assert_eq!(&state, &state.clone());
        }
    }
}
