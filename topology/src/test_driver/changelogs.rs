//! Changelogs of a driver: stores come back from them, and others may write to them.

use super::{OwnedRecord, Place, TestDriver};
use crate::error::Result;
use crate::graph::changelog_topic;
use crate::log::{Header, ProducerRecord, Record, TopicPartition};
use crate::store::changelog::{INCARNATION_KEY, Origin, Timed, encode_key, encode_value};
use crate::store::{Fingerprint, Incarnation, Resources, StoreOptions, Stores};
use crate::updater::{WholeChangelog, restore_whole};

/// All applications of a driver have the same.
const FINGERPRINT: Fingerprint = [0; 32];

impl TestDriver {
    /// The stores that a task begins with: those that its predecessor left, or new ones, brought up to their
    /// changelogs.
    pub(super) fn restored_stores(&mut self, index: usize) -> Result<Stores> {
        let drive = &mut self.drives[index];
        let specs = &self.topology.sub_topologies[drive.sub_topology].stores;
        let resources = Resources::without_thread(StoreOptions::default());
        let left = drive.stores.take().map_or_else(|| Stores::in_memory(specs.clone(), FINGERPRINT, &resources), Ok);
        let (mut stores, partition) = (left?, drive.id.partition);
        stores.discard();
        stores.empty_unlogged()?;
        let changelogs = drive.outputs.changelogs.iter().map(|target| Some(drive.outputs.names[(*target)?.0].clone()));
        for (store, topic) in changelogs.collect::<Vec<_>>().into_iter().enumerate() {
            let Some(topic) = topic else { continue };
            let new_incarnation = self.new_incarnation();
            let topics = &self.broker.topics;
            let records: Vec<&OwnedRecord> = topics.records_from(&topic, partition, 0).collect();
            let headers: Vec<Vec<Header<'_>>> = records.iter().map(|record| record.borrow_headers()).collect();
            let records: Vec<Record<'_>> =
                records.iter().zip(&headers).map(|(record, headers)| record.borrow(headers)).collect();
            let (low, end) = topics.bounds(&topic, partition);
            let partition = TopicPartition::new(topic, partition);
            let changelog = WholeChangelog { partition, new_incarnation, low, end, records: &records };
            restore_whole(&mut stores, store, changelog, self.now_ms)?;
        }
        Ok(stores)
    }

    /// Another program writes a value of a store into its changelog, past the task, or with `None` deletes it: of the
    /// partition that is named with the store, or else the first. The store has it when the task begins again.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::test_driver::TestDriver;
    /// # let builder = Builder::new();
    /// # let counts: Store<str, i64> = Store::memory("counts");
    /// # builder.sub_topology("counting").source::<str, ()>("words").count(&counts).sink("totals");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.input::<str, ()>("words").pipe("tea", ())?;
    /// driver.commit()?;
    /// driver.write_changelog("counts", b"tea", Some(&41_i64.to_be_bytes()))?;
    /// driver.abort()?; // the task begins again
    /// assert_eq!(driver.store(&counts)?.get(&"tea")?, Some(41));
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn write_changelog(&mut self, store: impl Into<Place>, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let Place { topic: store, partition } = store.into();
        let place = Place { topic: changelog_topic(&self.application_id, &store), partition };
        let partition = self.broker.topics.partition_of(&place, None)?;
        let timestamp_ms = self.now_ms;
        let topic = place.topic.as_str();
        let record = |key: &[u8], value: Option<&[u8]>| {
            let key = Some(key);
            let record = ProducerRecord { topic, partition: Some(partition), timestamp_ms, key, value, headers: &[] };
            OwnedRecord::produced(partition, &record)
        };
        if self.broker.topics.bounds(topic, partition).1 == 0 {
            let origin = Origin { incarnation: self.new_incarnation(), fingerprint: FINGERPRINT };
            self.broker.topics.push(topic, record(INCARNATION_KEY, Some(&origin.encode())));
        }
        let (mut bytes, mut key_bytes) = (Vec::new(), Vec::new());
        encode_key(key, &mut key_bytes);
        let value = value.map(|value| {
            encode_value(&[&Timed::head(timestamp_ms)[..], value].concat(), &mut bytes);
            &bytes[..]
        });
        self.broker.topics.push(topic, record(&key_bytes, value));
        Ok(())
    }

    /// Unlike that of any other changelog, also of one that was deleted.
    fn new_incarnation(&mut self) -> Incarnation {
        self.changelog_count += 1;
        let mut incarnation = [0; 16];
        incarnation[..8].copy_from_slice(&self.changelog_count.to_be_bytes());
        incarnation
    }
}
