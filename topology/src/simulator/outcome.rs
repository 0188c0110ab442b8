//! What a run has left in the log.

use std::collections::BTreeMap;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::test_driver::OwnedRecord;

/// What was committed in a run: the topics that were read and written, and what the stores hold.
#[derive(Debug)]
pub struct Outcome {
    pub(super) topics: BTreeMap<String, Vec<OwnedRecord>>,
}

type Entry<'a, K, V> = (Option<<K as crate::codec::Data>::Item<'a>>, Option<<V as crate::codec::Data>::Item<'a>>);

impl Outcome {
    /// The committed records of a topic: of its partitions one after the other, each in its order.
    pub fn records(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
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
        let mut by_key: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for (key, value) in expected {
            let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
            let unfit = |error| Error::stop(format!("what is expected of {topic} cannot be encoded: {error}"));
            K::encode(&key, &mut key_bytes).map_err(unfit)?;
            V::encode(&value, &mut value_bytes).map_err(unfit)?;
            by_key.entry(key_bytes).or_default().push(value_bytes);
        }
        let mut found: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
        for record in self.records(topic) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            found.entry(key.unwrap_or_default()).or_default().push(value.unwrap_or_default());
        }
        let keys = by_key.keys().map(Vec::as_slice).chain(found.keys().copied());
        for key in keys {
            let expected = by_key.get(key).map_or(&[][..], Vec::as_slice);
            let found = found.get(key).map_or(&[][..], Vec::as_slice);
            if expected.iter().map(Vec::as_slice).ne(found.iter().copied()) {
                return Err(differs(topic, key, expected, found));
            }
        }
        Ok(())
    }
}

fn differs(topic: &str, key: &[u8], expected: &[Vec<u8>], found: &[&[u8]]) -> Error {
    let first = expected.iter().zip(found).position(|(expected, found)| expected != found);
    let first = first.unwrap_or(expected.len().min(found.len()));
    let show =
        |value: Option<&[u8]>| value.map_or_else(|| "nothing".to_owned(), |value| value.escape_ascii().to_string());
    Error::stop(format!(
        "{topic}: of key '{}' there are {} records, {} expected; record {first} is {}, {} expected",
        key.escape_ascii(),
        found.len(),
        expected.len(),
        show(found.get(first).copied()),
        show(expected.get(first).map(Vec::as_slice)),
    ))
}
