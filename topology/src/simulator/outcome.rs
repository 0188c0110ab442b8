//! What a run has left in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::checks::Replayed;
use super::differences::{ByKey, Shown};
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::graph::changelog_topic;
use crate::log::TopicPartition;
use crate::store::changelog::Timed;
use crate::test_driver::OwnedRecord;

/// What was committed in a run: the topics that were read and written, and what the stores hold.
#[derive(Debug)]
pub struct Outcome {
    pub(super) application_id: String,
    /// To which topics the input was written.
    pub(super) inputs: BTreeSet<String>,
    /// All that there were, those without a record as well.
    pub(super) topics: BTreeMap<String, Vec<OwnedRecord>>,
    /// With what was aborted: the topics that the topology writes.
    pub(super) written: BTreeMap<String, Vec<OwnedRecord>>,
}

type Entry<'a, K, V> = (Option<<K as crate::codec::Data>::Item<'a>>, Option<<V as crate::codec::Data>::Item<'a>>);

impl Outcome {
    /// The committed records of a topic: of its partitions one after the other, each in its order. Of a topic that this
    /// run does not know there are none: where its name may be wrong, [`Outcome::read`] and [`Outcome::expect`] say so.
    pub fn records(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// As [`Outcome::records`], with what was written and never committed: of a topic that the topology writes to.
    pub fn written(&self, topic: &str) -> &[OwnedRecord] {
        self.written.get(topic).map_or(&[], Vec::as_slice)
    }

    /// What a store holds, as its changelog says: of all its tasks, keys and values as bytes. An error where no store
    /// of this name has a changelog.
    pub fn stored(&self, store: &str) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let topic = changelog_topic(&self.application_id, store);
        if !self.topics.contains_key(&topic) {
            return Err(Error::stop(format!("no store '{store}' with a changelog in this run")));
        }
        let mut replayed: BTreeMap<i32, Replayed> = BTreeMap::new();
        for record in self.records(&topic) {
            let partition = TopicPartition::new(topic.as_str(), record.partition);
            replayed.entry(record.partition).or_default().take(&partition, record).map_err(Error::stop)?;
        }
        let entries = replayed.into_values().flat_map(|replayed| replayed.entries);
        let timed = |(key, value): (Vec<u8>, Vec<u8>)| Timed::split(&value).map(|timed| (key, timed.value.to_vec()));
        Ok(entries.filter_map(timed).collect())
    }

    /// Keys and values of a topic's records. An error where one is of another type, and where there is no such topic.
    pub fn read<K: Codec + ?Sized, V: Codec + ?Sized>(&self, topic: &str) -> Result<Vec<Entry<'_, K, V>>> {
        self.check_known(topic)?;
        let unfit = |record: &OwnedRecord, error| {
            let OwnedRecord { partition, offset, .. } = record;
            Error::stop(format!("the record at offset {offset} of {topic}-{partition} is of other types: {error}"))
        };
        let mut entries = Vec::with_capacity(self.records(topic).len());
        for record in self.records(topic) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let key = key.map(K::decode).transpose().map_err(|error| unfit(record, error))?;
            let value = value.map(V::decode).transpose().map_err(|error| unfit(record, error))?;
            entries.push((key, value));
        }
        Ok(entries)
    }

    /// Whether the topic holds these records and no others, those of each key in this order. The error says where not;
    /// there must be such a topic, if only an empty one.
    pub fn expect<'a, K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        topic: &str,
        expected: impl IntoIterator<Item = (K::Item<'a>, V::Item<'a>)>,
    ) -> Result<()>
    where
        for<'b> K::Item<'b>: Debug,
        for<'b> V::Item<'b>: Debug,
    {
        self.check_known(topic)?;
        let mut by_key: ByKey<Vec<u8>> = BTreeMap::new();
        for (key, value) in expected {
            let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
            let unfit = |error| Error::stop(format!("what is expected of {topic} cannot be encoded: {error}"));
            K::encode(&key, &mut key_bytes).map_err(unfit)?;
            V::encode(&value, &mut value_bytes).map_err(unfit)?;
            by_key.entry(key_bytes).or_default().push(value_bytes);
        }
        Shown::of::<K, V>().compare(topic, &by_key, &self.by_key(topic))
    }

    /// Whether both have the same records in these topics, those of each key in the same order.
    pub(super) fn expect_same<'t>(&self, other: &Self, topics: impl Iterator<Item = &'t str>) -> Result<()> {
        for topic in topics {
            Shown::bytes().compare(topic, &other.by_key(topic), &self.by_key(topic))?;
        }
        Ok(())
    }

    /// A name that no topic has is most likely misspelt, and all checks would hold of it.
    fn check_known(&self, topic: &str) -> Result<()> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        let known = self.topics.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(Error::stop(format!("no topic '{topic}' in this run: there are {known}")))
    }

    fn by_key(&self, topic: &str) -> ByKey<&[u8]> {
        let mut by_key: ByKey<&[u8]> = BTreeMap::new();
        for record in self.records(topic) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            by_key.entry(key.unwrap_or_default()).or_default().push(value.unwrap_or_default());
        }
        by_key
    }
}
