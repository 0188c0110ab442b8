//! The ledger's tables over the task's stores.

use std::ops::ControlFlow;

use topology::codec::Bytes;
use topology::graph::{Store, Wiring};
use topology::store::{self, Direction, KeyValueStore};

use crate::ledger::state::{Changes, Table, View};

/// The stores of the sealing sub-topology: one per table of the ledger, and the decisions.
#[derive(Clone)]
pub struct Stores {
    tables: Vec<(Table, Store<Bytes, Bytes>)>,
    decisions: Store<Bytes, Bytes>,
}

impl Stores {
    /// In RocksDB.
    pub fn new() -> Self {
        let tables = Table::ALL.into_iter().map(|table| (table, Store::rocksdb(table.name(), Bytes, Bytes)));
        Self { tables: tables.collect(), decisions: Store::rocksdb("decisions", Bytes, Bytes) }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Store<Bytes, Bytes>> {
        self.tables.iter().map(|(_, store)| store).chain([&self.decisions])
    }

    /// The store of the decisions.
    pub fn decisions(&self) -> &Store<Bytes, Bytes> {
        &self.decisions
    }

    /// Connects the tables.
    pub fn tables(&self, wiring: &Wiring<'_>) -> topology::Result<Tables> {
        let connect = |(table, store): &(Table, Store<Bytes, Bytes>)| Ok((*table, wiring.store(store)?));
        Ok(Tables(self.tables.iter().map(connect).collect::<topology::Result<_>>()?))
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new()
    }
}

/// The ledger's tables, as the ledger reads them.
pub struct Tables(Vec<(Table, KeyValueStore<Bytes, Bytes>)>);

impl Tables {
    /// Writes what a block changes.
    pub fn write(&self, changes: &Changes) -> store::Result<()> {
        for (table, key, value) in changes.iter() {
            let store = self.store(table)?;
            match value {
                Some(value) => store.put(&key, &value)?,
                None => store.delete(&key)?,
            }
        }
        Ok(())
    }

    fn store(&self, table: Table) -> store::Result<&KeyValueStore<Bytes, Bytes>> {
        let found = self.0.iter().find(|(named, _)| *named == table);
        let missing =
            || store::Error::new(store::Kind::Invalid, format!("there is no store for table '{}'", table.name()));
        found.map(|(_, store)| store).ok_or_else(missing)
    }
}

impl View for Tables {
    type Error = store::Error;

    fn get(&self, table: Table, key: &[u8], value: &mut Vec<u8>) -> store::Result<bool> {
        value.clear();
        self.store(table)?.get_with(&key, |found| {
            value.extend_from_slice(found.unwrap_or_default());
            found.is_some()
        })
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> store::Result<()> {
        self.store(table)?.scan(Direction::Forward, |key, value| {
            visit(key, value);
            ControlFlow::Continue(())
        })
    }
}
