//! A set of changes to the state.

use std::fmt;

use super::Table;
use crate::ledger::tree::Change;

/// Changes to the state, by table and key, in this order; of two to one key the later one counts.
///
/// Keys and values lie in one buffer, so a change costs no allocation; giving them in their order costs no search.
///
/// ```
/// use cairn::ledger::{Changes, Table};
/// let mut changes = Changes::new();
/// changes.put(Table::Accounts, b"bob", &[1]);
/// changes.put(Table::Accounts, b"alice", &[2]);
/// changes.delete(Table::Accounts, b"bob");
/// let listed: Vec<_> = changes.iter().collect();
/// assert_eq!(listed, [(Table::Accounts, &b"alice"[..], Some(&[2][..])), (Table::Accounts, &b"bob"[..], None)]);
/// ```
#[derive(Clone, Default)]
pub struct Changes {
    /// Each key with its value right after it, in the order given.
    bytes: Vec<u8>,
    /// In the order of tables and keys, each key once.
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    table: Table,
    start: usize,
    key_end: usize,
    /// `None`: deleted.
    value_end: Option<usize>,
}

impl Changes {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.set(table, key, Some(value));
    }

    /// Deletes a key.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.set(table, key, None);
    }

    /// Sets the value of a key, or deletes it.
    pub fn set(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value.unwrap_or_default());
        let row = Row { table, start, key_end, value_end: value.map(|_| self.bytes.len()) };
        let is_last = self.rows.last().is_none_or(|last| (last.table, self.key(last)) < (table, key));
        if is_last {
            self.rows.push(row);
            return;
        }
        match self.rows.binary_search_by(|other| (other.table, self.key(other)).cmp(&(table, key))) {
            Ok(place) => self.rows[place] = row,
            Err(place) => self.rows.insert(place, row),
        }
    }

    fn key(&self, row: &Row) -> &[u8] {
        &self.bytes[row.start..row.key_end]
    }

    /// Each change with its table, key and new value (`None`: deleted), by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.rows.iter().map(|row| (row.table, self.key(row), row.value_end.map(|end| &self.bytes[row.key_end..end])))
    }

    /// How many keys change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The changes as the state tree sees them.
    #[must_use]
    pub fn to_tree(&self) -> Vec<Change> {
        self.iter().filter_map(|(table, key, value)| table.tree_change(key, value)).collect()
    }
}

impl PartialEq for Changes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Changes {}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |(table, key, value): (Table, &[u8], Option<&[u8]>)| {
            (table, key.escape_ascii().to_string(), value.map(|value| value.escape_ascii().to_string()))
        };
        f.debug_list().entries(self.iter().map(show)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn changes_are_a_map_in_which_the_last_write_wins(
            writes in proptest::collection::vec(
                (0..Table::ALL.len(), proptest::collection::vec(0..3u8, 0..3), prop::option::of(any::<u16>())),
                0..40,
            ),
        ) {
            let (mut changes, mut model) = (Changes::new(), BTreeMap::new());
            for (table, key, value) in writes {
                let (table, value) = (Table::ALL[table], value.map(|value| value.to_be_bytes().to_vec()));
                changes.set(table, &key, value.as_deref());
                model.insert((table, key), value);
            }
            let listed: Vec<_> = changes.iter().map(|(t, k, v)| ((t, k.to_vec()), v.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(changes.len(), model.len());
            prop_assert_eq!(listed, model.into_iter().collect::<Vec<_>>());
        }
    }
}
