//! Committed state in this process.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use crate::store::backends::{Backend, Bounds, Direction, Visitor, Writes};
use crate::store::changelog::Meta;
use crate::store::error::{Error, Kind, Result};

/// Stores as sorted maps. They end with the process, positions and all, so that a restart restores them whole.
#[derive(Debug)]
pub struct Memory {
    stores: Vec<Store>,
}

#[derive(Debug, Default)]
struct Store {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    meta: Option<Meta>,
}

impl Memory {
    /// So many stores, empty.
    pub fn new(store_count: usize) -> Self {
        Self { stores: std::iter::repeat_with(Store::default).take(store_count).collect() }
    }

    fn store(&self, store: usize) -> Result<&Store> {
        self.stores.get(store).ok_or_else(|| no_such_store(store))
    }
}

impl Backend for Memory {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let found = self.store(store)?.entries.get(key);
        if let Some(found) = found {
            value.clear();
            value.extend_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        let store = self.store(store)?;
        if bounds.are_empty() {
            return Ok(()); // the map's own range would panic on bounds that cross
        }
        let mut entries = store.entries.range::<[u8], (Bound<&[u8]>, Bound<&[u8]>)>((bounds.start, bounds.end));
        let next = move || match direction {
            Direction::Forward => entries.next(),
            Direction::Reverse => entries.next_back(),
        };
        for (key, value) in std::iter::from_fn(next) {
            if let ControlFlow::Break(()) = visitor(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        Ok(self.store(store)?.meta.clone())
    }

    fn apply(&mut self, writes: &[Writes<'_>]) -> Result<()> {
        if let Some(unknown) = writes.iter().find(|writes| writes.store >= self.stores.len()) {
            return Err(no_such_store(unknown.store));
        }
        for Writes { store, overlay, meta } in writes {
            let Some(store) = self.stores.get_mut(*store) else { continue };
            for (key, value) in overlay.sorted() {
                match (store.entries.get_mut(key), value) {
                    (Some(old), Some(value)) => {
                        old.clear();
                        old.extend_from_slice(value);
                    }
                    (None, Some(value)) => {
                        store.entries.insert(key.to_vec(), value.to_vec());
                    }
                    (Some(_), None) => {
                        store.entries.remove(key);
                    }
                    (None, None) => {}
                }
            }
            store.meta = Some(meta.clone());
        }
        Ok(())
    }

    fn wipe(&mut self, store: usize) -> Result<()> {
        let store = self.stores.get_mut(store).ok_or_else(|| no_such_store(store))?;
        *store = Store::default();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

pub(in crate::store) fn no_such_store(store: usize) -> Error {
    Error::new(Kind::Invalid, format!("there is no store number {store} in this task"))
}
