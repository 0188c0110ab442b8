//! The state in memory: for verifying, replaying and testing.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::convert::Infallible;

use super::{Changes, Table, View};

/// All tables in memory.
///
/// Keys come from strangers, so the tables are hashed with the standard library's keyed hash; whatever is listed is
/// sorted first, so that nothing ever depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    tables: [HashMap<Vec<u8>, Vec<u8>>; Table::ALL.len()],
}

impl MemoryState {
    /// A state without entries: before genesis.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes changes in.
    pub fn apply(&mut self, changes: impl Borrow<Changes>) {
        for (table, key, value) in changes.borrow().iter() {
            let entries = &mut self.tables[place(table)];
            match (value, entries.get_mut(key)) {
                (Some(value), Some(old)) => {
                    old.clear();
                    old.extend_from_slice(value);
                }
                (Some(value), None) => drop(entries.insert(key.to_vec(), value.to_vec())),
                (None, _) => drop(entries.remove(key)),
            }
        }
    }

    /// The entries of a table, by key.
    pub fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut entries: Vec<(&[u8], &[u8])> =
            self.tables[place(table)].iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        entries.sort_unstable();
        entries.into_iter()
    }
}

/// The bytes of the tables count from 1 without gaps (a test says so).
fn place(table: Table) -> usize {
    table as usize - 1
}

impl View for MemoryState {
    type Error = Infallible;

    fn get(&self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Infallible> {
        value.clear();
        let found = self.tables[place(table)].get(key);
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
        let entries = &self.tables[place(table)];
        for (place, key) in keys.iter().enumerate() {
            if let Some(value) = entries.get(*key) {
                found(place, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_a_place_of_its_own() {
        let places: Vec<usize> = Table::ALL.into_iter().map(place).collect();
        assert_eq!(places, (0..Table::ALL.len()).collect::<Vec<_>>());
    }
}
