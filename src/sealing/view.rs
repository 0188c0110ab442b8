//! The ledger's tables over the task's stores.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use topology::graph::Store;
use topology::store::{self, Direction, KeyValueStore};

use crate::ledger::state::{Changes, Table, View};

const DECISIONS: &str = "decisions";

/// The stores of the sealing sub-topology: one per table of the ledger, and the decisions.
#[derive(Clone)]
pub struct Stores {
    /// In the order of [`Table::ALL`].
    tables: Vec<Store<[u8], [u8]>>,
    decisions: Store<[u8], [u8]>,
}

impl Stores {
    /// In RocksDB.
    pub fn new() -> Self {
        let tables = Table::ALL.into_iter().map(|table| Store::rocksdb(table.name()));
        Self { tables: tables.collect(), decisions: Store::rocksdb(DECISIONS) }
    }

    /// Those of the tables.
    pub fn tables(&self) -> &[Store<[u8], [u8]>] {
        &self.tables
    }

    /// The store of the decisions.
    pub fn decisions(&self) -> &Store<[u8], [u8]> {
        &self.decisions
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new()
    }
}

/// The ledger's tables, as the ledger reads them.
pub struct Tables {
    tables: Vec<(Table, KeyValueStore<[u8], [u8]>)>,
    /// The stores, where they are no task's.
    detached: Option<Rc<RefCell<store::Stores>>>,
}

impl Tables {
    /// Over the stores of [`Stores::tables`].
    pub(super) fn new(stores: Vec<KeyValueStore<[u8], [u8]>>) -> Self {
        Self { tables: Table::ALL.into_iter().zip(stores).collect(), detached: None }
    }

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

    /// Over stores that no task has: to look at them, or to fill them ([`Tables::put`], [`Tables::commit_detached`]).
    pub fn over(stores: &Rc<RefCell<store::Stores>>) -> topology::Result<Self> {
        let index =
            |name: &str| stores.borrow().specs().iter().position(|spec| spec.name == name).unwrap_or(usize::MAX);
        let connect = |table: Table| Ok((table, KeyValueStore::new(Rc::clone(stores), index(table.name()))?));
        let tables = Table::ALL.into_iter().map(connect).collect::<topology::Result<_>>()?;
        Ok(Self { tables, detached: Some(Rc::clone(stores)) })
    }

    /// Writes one entry.
    pub fn put(&self, table: Table, key: &[u8], value: &[u8]) -> store::Result<()> {
        self.store(table)?.put(&key, &value)
    }

    /// Commits to stores of no task ([`Tables::over`]): they have no changelog.
    pub fn commit_detached(&self, now_ms: i64) -> topology::Result<()> {
        let Some(stores) = &self.detached else { return Ok(()) };
        let mut stores = stores.borrow_mut();
        let count = stores.specs().len();
        for store in 0..count {
            stores.begin_changelog(store, [0; 16])?;
        }
        let positions: Vec<(usize, i64)> = (0..count).map(|store| (store, 0)).collect();
        stores.commit(&positions, now_ms)?;
        Ok(stores.flush()?)
    }

    fn store(&self, table: Table) -> store::Result<&KeyValueStore<[u8], [u8]>> {
        let found = self.tables.iter().find(|(named, _)| *named == table);
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

    fn get_many(&self, table: Table, keys: &[&[u8]], found: &mut dyn FnMut(usize, &[u8])) -> store::Result<()> {
        let store = self.store(table)?;
        for (place, key) in keys.iter().enumerate() {
            store.get_with(key, |value| value.into_iter().for_each(|value| found(place, value)))?;
        }
        Ok(())
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> store::Result<()> {
        self.store(table)?.scan(Direction::Forward, |key, value| {
            visit(key, value);
            ControlFlow::Continue(())
        })
    }
}

/// The stores of the sealing sub-topology, as its task opens them.
pub fn store_specs() -> topology::Result<Vec<store::Spec>> {
    let names = Table::ALL.into_iter().map(Table::name).chain([DECISIONS]);
    let mut specs: Vec<store::Spec> =
        names.map(|name| store::Spec::new(name, store::Medium::RocksDb)).collect::<store::Result<_>>()?;
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(specs)
}
