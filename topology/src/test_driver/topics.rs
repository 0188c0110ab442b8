//! The driver's topics: records by partition, in the order in which they became visible.

use std::collections::BTreeMap;

use super::OwnedRecord;
use crate::error::{Error, Result};
use crate::graph::{Topology, changelog_topic};
use crate::log::{Offset, partition_for_key};

/// A topic of the driver, or one of its partitions.
///
/// ```
/// use topology::test_driver::Place;
///
/// let (whole, third): (Place, Place) = ("orders".into(), ("orders", 2).into());
/// # assert_ne!(whole, third);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
}

impl<T: AsRef<str> + ?Sized> From<&T> for Place {
    fn from(topic: &T) -> Self {
        Self { topic: topic.as_ref().to_owned(), partition: None }
    }
}

impl From<(&str, i32)> for Place {
    fn from((topic, partition): (&str, i32)) -> Self {
        Self { topic: topic.to_owned(), partition: Some(partition) }
    }
}

/// All topics.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Of those that have not one partition.
    partition_counts: BTreeMap<String, i32>,
    logs: BTreeMap<String, TopicLog>,
}

/// The records of one topic.
#[derive(Debug, Default)]
struct TopicLog {
    records: Vec<OwnedRecord>,
    partitions: BTreeMap<i32, PartitionLog>,
}

#[derive(Debug, Default)]
struct PartitionLog {
    /// Places of its records in those of the topic.
    places: Vec<usize>,
    end: Offset,
}

impl Topics {
    /// Gives each topic as many partitions as the graph says.
    pub(super) fn adopt(&mut self, topology: &Topology, application_id: &str) {
        let asked = topology.sink_topics().into_iter();
        let asked = asked.filter_map(|topic| Some((topic.name().to_owned(), topic.partition_count()?)));
        self.partition_counts.extend(asked);
        for sub_topology in topology.sub_topologies.iter() {
            let count = sub_topology.partition_count();
            let changelogs = sub_topology.stores.iter().map(|store| changelog_topic(application_id, &store.name));
            let inputs = sub_topology.source_topics().into_iter().map(|topic| topic.name().to_owned());
            self.partition_counts.extend(inputs.chain(changelogs).map(|topic| (topic, count)));
        }
    }

    pub(super) fn partition_count(&self, topic: &str) -> i32 {
        self.partition_counts.get(topic).copied().unwrap_or(1)
    }

    /// Where a producer puts a record: into this partition, or by its key; the first one where there is none.
    pub(super) fn partition_of(&self, place: &Place, key: Option<&[u8]>) -> Result<i32> {
        let Place { topic, partition } = place;
        let count = self.partition_count(topic);
        let by_key = || {
            let place = key.and_then(|key| partition_for_key(key, usize::try_from(count).ok()?));
            place.and_then(|place| i32::try_from(place).ok()).unwrap_or(0)
        };
        let partition = partition.unwrap_or_else(by_key);
        match (0..count).contains(&partition) {
            true => Ok(partition),
            false => Err(Error::stop(format!("topic '{topic}' has no partition {partition}: it has {count}, from 0"))),
        }
    }

    /// The partitions of a topic that are meant.
    pub(super) fn partitions(&self, place: &Place) -> std::ops::Range<i32> {
        match place.partition {
            Some(partition) => partition..partition + 1,
            None => 0..self.partition_count(&place.topic),
        }
    }

    /// Adds a record to its partition, and says at which offset.
    pub(super) fn push(&mut self, topic: &str, record: OwnedRecord) -> Offset {
        let log = self.logs.entry(topic.to_owned()).or_default();
        let partition = log.partitions.entry(record.partition).or_default();
        let offset = partition.end;
        partition.end += 1;
        partition.places.push(log.records.len());
        log.records.push(OwnedRecord { offset, ..record });
        offset
    }

    /// All records of a topic.
    pub(super) fn records(&self, topic: &str) -> &[OwnedRecord] {
        self.logs.get(topic).map_or(&[], |log| &log.records)
    }

    /// Those of one partition from an offset on.
    pub(super) fn records_from(
        &self,
        topic: &str,
        partition: i32,
        from: Offset,
    ) -> impl Iterator<Item = &OwnedRecord> + use<'_> {
        let log = self.logs.get(topic);
        let of_partition = log.and_then(|log| Some((log, log.partitions.get(&partition)?)));
        of_partition.into_iter().flat_map(move |(log, partition)| {
            let begin = partition.places.partition_point(|place| log.records[*place].offset < from);
            partition.places[begin..].iter().map(|place| &log.records[*place])
        })
    }

    /// The first record of a partition, or its end where it has none, and its end.
    pub(super) fn bounds(&self, topic: &str, partition: i32) -> (Offset, Offset) {
        let end = self.logs.get(topic).and_then(|log| log.partitions.get(&partition)).map_or(0, |log| log.end);
        (self.records_from(topic, partition, 0).next().map_or(end, |record| record.offset), end)
    }

    pub(super) fn delete(&mut self, topic: &str) {
        self.logs.remove(topic);
    }

    pub(super) fn delete_records(&mut self, place: &Place, before: Offset) {
        let meant = self.partitions(place);
        let Some(log) = self.logs.get_mut(&place.topic) else { return };
        log.records.retain(|record| !meant.contains(&record.partition) || record.offset >= before);
        log.partitions.values_mut().for_each(|partition| partition.places.clear());
        for (place, record) in log.records.iter().enumerate() {
            log.partitions.entry(record.partition).or_default().places.push(place);
        }
    }
}
