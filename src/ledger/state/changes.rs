//! A set of changes to the state.

use std::collections::BTreeMap;

use super::Table;
use crate::ledger::tree::Change;

/// Changes to the state, by table and key, in this order; of two to one key the later one counts.
///
/// ```
/// use cairn::ledger::{Changes, Table};
/// let mut changes = Changes::new();
/// changes.put(Table::Accounts, b"bob".to_vec(), vec![1]);
/// changes.put(Table::Accounts, b"alice".to_vec(), vec![2]);
/// changes.delete(Table::Accounts, b"bob".to_vec());
/// let listed: Vec<_> = changes.iter().collect();
/// assert_eq!(listed, [(Table::Accounts, &b"alice"[..], Some(&[2][..])), (Table::Accounts, &b"bob"[..], None)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    entries: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
}

impl Changes {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.entries.insert((table, key), Some(value));
    }

    /// Deletes a key.
    pub fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.entries.insert((table, key), None);
    }

    /// Each change with its table, key and new value (`None`: deleted), by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.entries.iter().map(|((table, key), value)| (*table, key.as_slice(), value.as_deref()))
    }

    /// How many keys change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The changes as the state tree sees them.
    #[must_use]
    pub fn to_tree(&self) -> Vec<Change> {
        self.iter().filter_map(|(table, key, value)| table.tree_change(key, value)).collect()
    }
}

impl FromIterator<(Table, Vec<u8>, Option<Vec<u8>>)> for Changes {
    fn from_iter<I: IntoIterator<Item = (Table, Vec<u8>, Option<Vec<u8>>)>>(changes: I) -> Self {
        Self { entries: changes.into_iter().map(|(table, key, value)| ((table, key), value)).collect() }
    }
}

impl IntoIterator for Changes {
    type Item = ((Table, Vec<u8>), Option<Vec<u8>>);
    type IntoIter = std::collections::btree_map::IntoIter<(Table, Vec<u8>), Option<Vec<u8>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}
