//! What is written to the topics that a topology reads.

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::test_driver::{OwnedRecord, Place};

/// The input of a run, in the order in which it is written: records of one partition stay in it.
#[derive(Clone, Debug, Default)]
pub struct Input {
    pub(super) records: Vec<Planned>,
    pub(super) is_there_first: bool,
}

/// A record to be written.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) place: Place,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp_ms: i64,
}

impl Input {
    /// Of these topics these records, in their partitions.
    pub(super) fn of<'a>(records: impl Iterator<Item = (&'a str, &'a OwnedRecord)>) -> Self {
        let planned = records.map(|(topic, record)| Planned {
            place: Place { topic: topic.to_owned(), partition: Some(record.partition) },
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp_ms: record.timestamp_ms,
        });
        Self { records: planned.collect(), is_there_first: false }
    }

    /// A record for a topic, or for one of its partitions, stamped with this time in ms since 1970.
    pub fn send<K: Codec + ?Sized, V: Codec + ?Sized>(
        &mut self,
        place: impl Into<Place>,
        key: K::Item<'_>,
        value: V::Item<'_>,
        timestamp_ms: i64,
    ) -> Result<()> {
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        let unfit = |error| Error::stop(format!("a record for the input cannot be encoded: {error}"));
        K::encode(&key, &mut key_bytes).map_err(unfit)?;
        V::encode(&value, &mut value_bytes).map_err(unfit)?;
        self.send_bytes(place, Some(&key_bytes), Some(&value_bytes), timestamp_ms);
        Ok(())
    }

    /// As [`Input::send`], as bytes. It may lack a key, or a value.
    pub fn send_bytes(&mut self, place: impl Into<Place>, key: Option<&[u8]>, value: Option<&[u8]>, timestamp_ms: i64) {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        self.records.push(Planned { place: place.into(), key, value, timestamp_ms });
    }

    /// All of it is there before the first instance starts: for topologies whose output depends on when what arrives,
    /// as of one topic beside another.
    pub fn all_there_first(&mut self) {
        self.is_there_first = true;
    }
}
