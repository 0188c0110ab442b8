//! What a run has left in the log.

use std::collections::BTreeMap;

use super::checks::Replayed;
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
    pub(super) topics: BTreeMap<String, Vec<OwnedRecord>>,
    /// With what was aborted: the topics that the topology writes.
    pub(super) written: BTreeMap<String, Vec<OwnedRecord>>,
}

type Entry<'a, K, V> = (Option<<K as crate::codec::Data>::Item<'a>>, Option<<V as crate::codec::Data>::Item<'a>>);

impl Outcome {
    /// The committed records of a topic: of its partitions one after the other, each in its order.
    pub fn records(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// As [`Outcome::records`], with what was written and never committed: of a topic that the topology writes to.
    pub fn written(&self, topic: &str) -> &[OwnedRecord] {
        self.written.get(topic).map_or(&[], Vec::as_slice)
    }

    /// What a store holds, as its changelog says: of all its tasks, keys and values as bytes.
    pub fn stored(&self, store: &str) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let topic = changelog_topic(&self.application_id, store);
        let mut replayed: BTreeMap<i32, Replayed> = BTreeMap::new();
        for record in self.records(&topic) {
            let partition = TopicPartition::new(topic.as_str(), record.partition);
            replayed.entry(record.partition).or_default().take(&partition, record).map_err(Error::stop)?;
        }
        let entries = replayed.into_values().flat_map(|replayed| replayed.entries);
        let timed = |(key, value): (Vec<u8>, Vec<u8>)| Timed::split(&value).map(|timed| (key, timed.value.to_vec()));
        Ok(entries.filter_map(timed).collect())
    }

    /// Keys and values of a topic's records. An error where one is of another type.
    pub fn read<K: Codec + ?Sized, V: Codec + ?Sized>(&self, topic: &str) -> Result<Vec<Entry<'_, K, V>>> {
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

    /// Whether the topic holds these records and no others, those of each key in this order. The error says where not.
    pub fn expect<'a, K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        topic: &str,
        expected: impl IntoIterator<Item = (K::Item<'a>, V::Item<'a>)>,
    ) -> Result<()> {
        let mut by_key: ByKey<Vec<u8>> = BTreeMap::new();
        for (key, value) in expected {
            let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
            let unfit = |error| Error::stop(format!("what is expected of {topic} cannot be encoded: {error}"));
            K::encode(&key, &mut key_bytes).map_err(unfit)?;
            V::encode(&value, &mut value_bytes).map_err(unfit)?;
            by_key.entry(key_bytes).or_default().push(value_bytes);
        }
        compare(topic, &by_key, &self.by_key(topic))
    }

    /// Whether both have the same records in these topics, those of each key in the same order.
    pub(super) fn expect_same<'t>(&self, other: &Self, topics: impl Iterator<Item = &'t str>) -> Result<()> {
        for topic in topics {
            compare(topic, &other.by_key(topic), &self.by_key(topic))?;
        }
        Ok(())
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

/// The values of each key.
type ByKey<B> = BTreeMap<B, Vec<B>>;

fn compare<E: AsRef<[u8]>>(topic: &str, expected: &ByKey<E>, found: &ByKey<&[u8]>) -> Result<()> {
    let expected: ByKey<&[u8]> =
        expected.iter().map(|(key, values)| (key.as_ref(), values.iter().map(AsRef::as_ref).collect())).collect();
    let Some(key) = expected.keys().chain(found.keys()).find(|key| expected.get(*key) != found.get(*key)) else {
        return Ok(());
    };
    let (expected, found) = (expected.get(key).cloned(), found.get(key).cloned());
    let (expected, found) = (expected.unwrap_or_default(), found.unwrap_or_default());
    let first = expected.iter().zip(&found).position(|(expected, found)| expected != found);
    let first = first.unwrap_or(expected.len().min(found.len()));
    let show = |values: &[&[u8]]| {
        values.get(first).map_or_else(|| "nothing".to_owned(), |value| value.escape_ascii().to_string())
    };
    Err(Error::stop(format!(
        "{topic}: of key '{}' there are {} records, {} expected; record {first} is {}, {} expected",
        key.escape_ascii(),
        found.len(),
        expected.len(),
        show(&found),
        show(&expected),
    )))
}
