//! All that was ever committed to some topics, compacted or not.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::memory::MemoryLog;
use crate::log::{self, Consumer, ConsumerOptions, Event, Isolation, Log, Offset, OutOfRange, Start, TopicPartition};
use crate::test_driver::OwnedRecord;

/// The committed records of partitions, in order.
#[derive(Debug, Default)]
pub(super) struct History {
    partitions: BTreeMap<TopicPartition, Read>,
}

#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) records: Vec<OwnedRecord>,
    /// Everything below was read.
    pub(super) end: Offset,
}

impl History {
    /// Of these partitions.
    pub(super) fn new(partitions: &[TopicPartition]) -> Self {
        let unread = |partition: &TopicPartition| (partition.clone(), Read::default());
        Self { partitions: partitions.iter().map(unread).collect() }
    }

    /// Reads what was committed since.
    pub(super) fn read_on(&mut self, log: &MemoryLog) -> log::Result<()> {
        let starts: Vec<_> =
            self.partitions.iter().map(|(partition, read)| (partition.clone(), Start::At(read.end))).collect();
        let mut consumer = log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: "history".to_owned(),
            batch_records: 10_000,
            prefetch_bytes: 1 << 20,
            out_of_range: OutOfRange::Fail,
        })?;
        consumer.assign(&starts)?;
        let mut left = self.partitions.len();
        while left > 0 {
            consumer.poll(Duration::ZERO, &mut |event| match event {
                Event::Records { partition, records } => {
                    let read = self.partitions.entry(partition.clone()).or_default();
                    read.records.extend(records.iter().map(|record| OwnedRecord::copy(partition.partition, record)));
                }
                Event::EndOfPartition { partition, offset } => {
                    self.partitions.entry(partition.clone()).or_default().end = offset;
                    left -= 1;
                }
                Event::Assigned(_) | Event::Revoked { .. } => {}
            })?;
        }
        Ok(())
    }

    /// What was read of a partition.
    pub(super) fn of(&self, partition: &TopicPartition) -> Option<&Read> {
        self.partitions.get(partition)
    }

    /// By topic, of its partitions one after the other.
    pub(super) fn into_topics(self) -> BTreeMap<String, Vec<OwnedRecord>> {
        let mut topics: BTreeMap<String, Vec<OwnedRecord>> = BTreeMap::new();
        for (partition, read) in self.partitions {
            topics.entry(partition.topic).or_default().extend(read.records);
        }
        topics
    }
}
