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
            _ => Err(Error::stop(format!("there is no store '{}'", store.name()))),
        }
    }

    /// As [`TestDriver::store`], of the task of this partition.
    pub fn store_of<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        store: &Store<K, V>,
        partition: i32,
    ) -> Result<KeyValueStore<K, V>> {
        let drives = self.drives_with(store);
        let found = drives.into_iter().find(|drive| drive.id.partition == partition);
        let found = found
            .ok_or_else(|| Error::stop(format!("no task of partition {partition} has a store '{}'", store.name())))?;
        self.handle(found, store)
    }

    /// The committed records of a store's changelog.
    pub fn read_changelog(&self, store: &str) -> &[OwnedRecord] {
        self.read(&changelog_topic(&self.application_id, store))
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
        let missing = || Error::stop(format!("there is no store '{}'", store.name()));
        let (index, task) = index.zip(drive.task.as_ref()).ok_or_else(missing)?;
        Ok(KeyValueStore::new(Rc::clone(task.stores()), index)?)
    }
}
