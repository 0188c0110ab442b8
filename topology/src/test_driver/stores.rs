//! A look into the stores of a driver's tasks.

use std::rc::Rc;

use super::drive::Drive;
use super::{OwnedRecord, TestDriver};
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::graph::{Store, changelog_topic};
use crate::store::KeyValueStore;

impl TestDriver {
    /// A handle to a store, uncommitted writes included. It must be dropped before [`TestDriver::abort`]. Where there
    /// are several tasks that have one, [`TestDriver::store_of`] says which.
    pub fn store<K: Codec + ?Sized, V: Codec + ?Sized>(&self, store: &Store<K, V>) -> Result<KeyValueStore<K, V>> {
        match &self.drives_with(store)[..] {
            [one] => self.handle(one, store),
            several if several.len() > 1 => {
                let (name, count) = (store.name(), several.len());
                Err(Error::stop(format!("each of {count} tasks has a store '{name}': say which with store_of")))
            }
            _ => Err(self.no_store(store.name())),
        }
    }

    /// As [`TestDriver::store`], of the task of this partition.
    pub fn store_of<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        store: &Store<K, V>,
        partition: i32,
    ) -> Result<KeyValueStore<K, V>> {
        let drives = self.drives_with(store);
        if drives.is_empty() {
            return Err(self.no_store(store.name()));
        }
        let found = drives.into_iter().find(|drive| drive.id.partition == partition);
        let found = found
            .ok_or_else(|| Error::stop(format!("no task of partition {partition} has a store '{}'", store.name())))?;
        self.handle(found, store)
    }

    /// The committed records of a store's changelog. None of a store that there is not; [`TestDriver::store`] finds a
    /// mistyped name.
    pub fn read_changelog(&self, store: &str) -> &[OwnedRecord] {
        self.read(&changelog_topic(&self.application_id, store))
    }

    fn no_store(&self, name: &str) -> Error {
        let specs = self.topology.sub_topologies.iter().flat_map(|sub_topology| &sub_topology.stores);
        let names: Vec<&str> = specs.map(|spec| spec.name.as_str()).collect();
        let there_are = match &names[..] {
            [] => "the topology has none".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Error::stop(format!("there is no store '{name}': {there_are}"))
    }

    fn drives_with<K: ?Sized, V: ?Sized>(&self, store: &Store<K, V>) -> Vec<&Drive> {
        let has = |drive: &&Drive| {
            let specs = &self.topology.sub_topologies[drive.sub_topology].stores;
            specs.iter().any(|spec| spec.name == store.name())
        };
        self.drives.iter().filter(has).collect()
    }

    fn handle<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        drive: &Drive,
        store: &Store<K, V>,
    ) -> Result<KeyValueStore<K, V>> {
        let specs = &self.topology.sub_topologies[drive.sub_topology].stores;
        let index = specs.iter().position(|spec| spec.name == store.name());
        let index = index.ok_or_else(|| self.no_store(store.name()))?;
        let missing = || Error::stop(format!("the task that has store '{}' could not begin", store.name()));
        let task = drive.task.as_ref().ok_or_else(missing)?;
        Ok(KeyValueStore::new(Rc::clone(task.stores()), index)?)
    }
}
