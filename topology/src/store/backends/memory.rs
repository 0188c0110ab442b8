//! Committed state in this process.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::backend::{Backend, Bounds, Direction, Snapshot, Visitor, Writes};
use super::pages::Pages;
use crate::store::changelog::Meta;
use crate::store::error::{Error, Kind, Result};

/// Stores as sorted pages. They end with the process, positions and all, so that a restart restores them whole.
#[derive(Debug)]
pub(crate) struct Memory {
    stores: ArcSwap<Stores>,
}

type Stores = Vec<Arc<Store>>;

#[derive(Debug, Default)]
struct Store {
    pages: Pages,
    meta: Option<Meta>,
}

impl Memory {
    /// So many stores, empty.
    pub(crate) fn new(store_count: usize) -> Self {
        let stores: Stores = std::iter::repeat_with(Arc::default).take(store_count).collect();
        Self { stores: ArcSwap::from_pointee(stores) }
    }

    /// As some memory was.
    pub(in crate::store) fn of(version: &Version) -> Self {
        Self { stores: ArcSwap::new(Arc::clone(&version.0)) }
    }

    /// What it holds now.
    pub(in crate::store) fn version(&self) -> Version {
        Version(self.stores.load_full())
    }

    /// One caller at a time.
    fn replace(&self, changed: impl IntoIterator<Item = (usize, Store)>) {
        let mut stores: Stores = Stores::clone(&self.stores.load());
        for (number, store) in changed {
            if let Some(place) = stores.get_mut(number) {
                *place = Arc::new(store);
            }
        }
        self.stores.store(Arc::new(stores));
    }
}

/// What memory held at one moment. It shares with others what did not change between them.
#[derive(Clone, Debug)]
pub(in crate::store) struct Version(Arc<Stores>);

impl Version {
    /// What can be read of it.
    pub(in crate::store) fn snapshot(&self) -> &dyn Snapshot {
        &self.0
    }

    /// With these stores empty.
    pub(in crate::store) fn without(&self, is_gone: impl Fn(usize) -> bool) -> Self {
        let stores = self.0.iter().enumerate();
        let stores = stores.map(|(number, store)| if is_gone(number) { Arc::default() } else { Arc::clone(store) });
        Self(Arc::new(stores.collect()))
    }
}

impl Backend for Memory {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.stores.load().get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        self.stores.load_full().range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        self.stores.load().meta(store)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(self.stores.load_full()))
    }

    fn apply(&self, writes: &[Writes<'_>]) -> Result<()> {
        let stores = self.stores.load();
        let mut changed = Vec::with_capacity(writes.len());
        for Writes { store, run, meta } in writes {
            let pages = store_of(&stores, *store)?.pages.with(run)?;
            changed.push((*store, Store { pages, meta: Some(meta.clone()) }));
        }
        self.replace(changed);
        Ok(())
    }

    fn wipe(&self, store: usize) -> Result<()> {
        store_of(&self.stores.load(), store)?;
        self.replace([(store, Store::default())]);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl Snapshot for Arc<Stores> {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let found = store_of(self, store)?.pages.get(key);
        if let Some(found) = found {
            value.clear();
            value.extend_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        store_of(self, store)?.pages.range(bounds, direction, visitor);
        Ok(())
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        Ok(store_of(self, store)?.meta.clone())
    }
}

fn store_of(stores: &Stores, store: usize) -> Result<&Store> {
    stores.get(store).map(|store| &**store).ok_or_else(|| no_such_store(store))
}

pub(in crate::store) fn no_such_store(store: usize) -> Error {
    Error::new(Kind::Invalid, format!("there is no store number {store} in this task"))
}
