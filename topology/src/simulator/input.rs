//! What is written to the topics that a topology reads.

use std::collections::BTreeSet;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::test_driver::{OwnedRecord, Place};

/// The input of a run, in the order in which it is written: records of one partition stay in it.
#[derive(Clone, Debug, Default)]
pub struct Input {
    pub(super) records: Vec<Planned>,
    pub(super) is_there_first: bool,
    /// Topics that are read, though by no source.
    read_otherwise: BTreeSet<String>,
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
    /// Of these topics these records, in their partitions: of a run that has checked who reads them.
    pub(super) fn of<'a>(records: impl Iterator<Item = (&'a str, &'a OwnedRecord)>) -> Self {
        let planned = records.map(|(topic, record)| Planned {
            place: Place { topic: topic.to_owned(), partition: Some(record.partition) },
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp_ms: record.timestamp_ms,
        });
        let records: Vec<_> = planned.collect();
        let read_otherwise = records.iter().map(|record| record.place.topic.clone()).collect();
        Self { records, is_there_first: false, read_otherwise }
    }

    /// A record for a topic, or for one of its partitions, stamped with this time in ms since 1970. A source must read
    /// the topic, or the run fails; of others say [`Input::read_otherwise`].
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

    /// Records for this topic are meant, though no source reads it: as where a processor asks the log itself.
    pub fn read_otherwise(&mut self, topic: &str) {
        self.read_otherwise.insert(topic.to_owned());
    }

    /// To which topics it writes.
    pub(super) fn topics(&self) -> BTreeSet<String> {
        self.records.iter().map(|record| record.place.topic.clone()).collect()
    }

    /// Whether all of it is read. A topic that no source reads is most likely misspelt, and all checks would hold of
    /// it.
    pub(super) fn check(&self, topology: &Topology, application_id: &str) -> Result<(), String> {
        let is_matched = topology.wanted(application_id);
        let repartitioned = topology.repartition_topics(application_id);
        let sources = topology.source_topics();
        let mut named: Vec<&str> =
            sources.iter().filter(|topic| !topic.is_repartition()).map(|topic| topic.name()).collect();
        let is_read = |topic: &String| {
            let is_named = named.contains(&topic.as_str()) || repartitioned.contains(topic);
            is_named || is_matched(topic) || self.read_otherwise.contains(topic)
        };
        let Some(unread) = self.topics().into_iter().find(|topic| !is_read(topic)) else { return Ok(()) };
        if topology.has_patterns() {
            named.push("what patterns match");
        }
        let there = named.join(", ");
        Err(format!(
            "the input writes topic '{unread}', which no source reads: there are {there}; if something else reads it, \
             tell Input::read_otherwise"
        ))
    }
}
