//! What must hold of every run, whatever the topology does.

use std::collections::BTreeMap;

use super::history::{History, Read};
use crate::graph::changelog_topic;
use crate::log::memory::MemoryLog;
use crate::log::{Isolation, Log, Offset, Record, TopicPartition};
use crate::store::changelog::{self, Covered, Entry, Origin};
use crate::store::simulated::{Disk, StoreState};
use crate::test_driver::OwnedRecord;

/// Which application it is.
pub(super) struct Application<'a> {
    pub(super) id: &'a str,
}

/// What a changelog says.
#[derive(Default)]
pub(super) struct Replayed {
    origin: Option<Origin>,
    pub(super) entries: BTreeMap<Vec<u8>, Vec<u8>>,
    covered: Covered,
}

impl Application<'_> {
    /// Each changelog has one beginning, and is written by one task at a time, each behind the one before.
    pub(super) fn check_changelogs(&self, history: &History, partitions: &[TopicPartition]) -> Result<(), String> {
        for partition in partitions {
            let Some(read) = history.of(partition) else { continue };
            let mut replayed = Replayed::default();
            for record in &read.records {
                replayed.take(partition, record)?;
            }
        }
        Ok(())
    }

    /// Each changelog has one beginning, or several that are the same: whatever else is in it, it can be read.
    pub(super) fn check_beginnings(&self, history: &History, partitions: &[TopicPartition]) -> Result<(), String> {
        for partition in partitions {
            let mut origin = None;
            for record in history.of(partition).iter().flat_map(|read| &read.records) {
                match (decode(partition, record)?, origin) {
                    (Entry::Incarnation(found), _) if origin.is_none_or(|origin| origin == found) => {
                        origin = Some(found)
                    }
                    (Entry::Incarnation(_), _) => {
                        return Err(format!("{partition} was begun again at offset {}", record.offset));
                    }
                    (_, None) => return Err(format!("{partition} does not begin with an incarnation")),
                    (_, Some(_)) => {}
                }
            }
        }
        Ok(())
    }

    /// Each store on the disk holds what its changelog says up to where the store says that it stands.
    pub(super) fn check_disk(&self, history: &History, disk: &Disk) -> Result<(), String> {
        for state in disk.states() {
            let Some((_, partition)) = state.task.rsplit_once('_') else { continue };
            let partition = partition.parse().map_err(|_| format!("a task with the name {}", state.task))?;
            for store in state.stores.iter().filter(|store| store.spec.has_changelog) {
                let changelog = TopicPartition::new(changelog_topic(self.id, &store.spec.name), partition);
                let Some(read) = history.of(&changelog) else { continue };
                check_store(&changelog, read, store).map_err(|what| format!("the stores of {}: {what}", state.task))?;
            }
        }
        Ok(())
    }

    /// Whether all input is processed, and no transaction is open that keeps readers waiting: what is missing, if
    /// anything is.
    pub(super) fn missing(
        &self,
        log: &MemoryLog,
        sources: &[TopicPartition],
        all: &[TopicPartition],
    ) -> Result<Option<String>, String> {
        let end = |partition: &TopicPartition, isolation| {
            log.watermarks(partition, isolation).map(|watermarks| watermarks.high).map_err(|error| error.to_string())
        };
        for partition in all {
            let (end, stable) =
                (end(partition, Isolation::ReadUncommitted)?, end(partition, Isolation::ReadCommitted)?);
            if stable < end {
                return Ok(Some(format!("{partition} has a transaction open at {stable}, and ends at {end}")));
            }
        }
        for partition in sources {
            let committed = match log.committed(self.id, std::slice::from_ref(partition)) {
                Ok(committed) => committed.into_iter().flatten().next().map_or(0, |committed| committed.offset),
                Err(error) => return Ok(Some(error.to_string())),
            };
            let end = end(partition, Isolation::ReadCommitted)?;
            if committed < end {
                return Ok(Some(format!("{partition} is processed up to {committed}, and ends at {end}")));
            }
        }
        Ok(None)
    }
}

impl Replayed {
    /// The first key of which a store that should hold the same says something else, and what; `None` where it is the
    /// same.
    pub(super) fn differs(&self, store: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<String> {
        let differs = |key: &&Vec<u8>| self.entries.get(*key) != store.get(*key);
        let key = self.entries.keys().chain(store.keys()).find(differs)?;
        let told = |entries: &BTreeMap<Vec<u8>, Vec<u8>>| {
            entries.get(key).map_or_else(|| "nothing".to_owned(), |value| format!("'{}'", value.escape_ascii()))
        };
        Some(format!("of key '{}' one says {}, the store {}", key.escape_ascii(), told(&self.entries), told(store)))
    }

    pub(super) fn take(&mut self, partition: &TopicPartition, record: &OwnedRecord) -> Result<(), String> {
        let at = record.offset;
        match decode(partition, record)? {
            Entry::Incarnation(origin) if self.origin.is_none() => self.origin = Some(origin),
            _ if self.origin.is_none() => return Err(format!("{partition} does not begin with an incarnation")),
            Entry::Incarnation(_) => return Err(format!("{partition} was begun again at offset {at}")),
            Entry::Put { key, value } => drop(self.entries.insert(key.to_vec(), value.to_vec())),
            Entry::Delete { key } => drop(self.entries.remove(key)),
            Entry::Covered(covered) => {
                let goes_back = |(input, offset): &(TopicPartition, Offset)| {
                    covered.offset(input).is_none_or(|covered| covered < *offset)
                };
                if covered.sequence <= self.covered.sequence || self.covered.inputs.iter().any(goes_back) {
                    return Err(format!(
                        "two tasks wrote {partition} beside each other: at offset {at} it covers {covered:?}, behind {:?}",
                        self.covered
                    ));
                }
                self.covered = covered;
            }
        }
        Ok(())
    }
}

fn decode<'r>(partition: &TopicPartition, record: &'r OwnedRecord) -> Result<Entry<'r>, String> {
    let record = Record {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: crate::log::Headers::NONE,
    };
    changelog::decode(partition, &record).map_err(|error| error.to_string())
}

fn check_store(changelog: &TopicPartition, read: &Read, store: &StoreState) -> Result<(), String> {
    let Some(meta) = &store.meta else { return Ok(()) };
    // Behind an open transaction nothing is known yet.
    if meta.position > read.end {
        return Ok(());
    }
    let mut replayed = Replayed::default();
    for record in read.records.iter().take_while(|record| record.offset < meta.position) {
        replayed.take(changelog, record)?;
    }
    let name = &store.spec.name;
    if replayed.origin.is_some_and(|origin| origin.incarnation != meta.incarnation) {
        return Err(format!("store {name} is of another changelog than {changelog}"));
    }
    match replayed.differs(&store.entries) {
        Some(what) => Err(format!("store {name}: up to {} {changelog} and it differ: {what}", meta.position)),
        None => Ok(()),
    }
}
