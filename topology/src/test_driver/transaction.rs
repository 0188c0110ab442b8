//! The one transaction of a driver: what all its tasks did since the last commit.

use std::collections::BTreeMap;

use super::mishaps::Voucher;
use super::topics::{Place, Topics};
use super::{OwnedRecord, TestDriver};
use crate::error::Result;
use crate::log::{Committed, Offset, OffsetCommit, ProducerRecord, TopicPartition};
use crate::processor::{Outputs, Vouch};
use crate::task::{Task, cycle};

/// What is committed and what is not, as the log has it.
#[derive(Debug, Default)]
pub(super) struct Broker {
    /// What is committed.
    pub(super) topics: Topics,
    /// The group's offsets.
    pub(super) offsets: BTreeMap<TopicPartition, Committed>,
    /// What was produced since the last commit, by topic.
    pub(super) uncommitted: Vec<(String, OwnedRecord)>,
    /// What was produced and then aborted.
    pub(super) aborted: Vec<(String, OwnedRecord)>,
}

impl Broker {
    /// Takes what a task wants produced, each record into the partition to which a producer sends it.
    pub(super) fn send(&mut self, outputs: &mut Outputs, now_ms: i64) -> Result<()> {
        let Self { topics, uncommitted, .. } = self;
        outputs.drain(|records| {
            for record in records {
                let place = Place { topic: record.topic.to_owned(), partition: record.partition };
                let partition = topics.partition_of(&place, record.key)?;
                let timestamp_ms =
                    if record.timestamp_ms == ProducerRecord::NOW { now_ms } else { record.timestamp_ms };
                uncommitted
                    .push((place.topic, OwnedRecord { timestamp_ms, ..OwnedRecord::produced(partition, record) }));
            }
            Ok(())
        })
    }

    /// What is not committed is void.
    pub(super) fn abort(&mut self) {
        self.aborted.append(&mut self.uncommitted);
    }
}

/// The transaction while it is committed.
struct Committing<'d> {
    broker: &'d mut Broker,
    vouch: Voucher,
    now_ms: i64,
    delivered: BTreeMap<TopicPartition, Offset>,
}

impl cycle::Transaction for Committing<'_> {
    fn send(&mut self, outputs: &mut Outputs) -> Result<()> {
        self.broker.send(outputs, self.now_ms)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        self.vouch.vouch()?;
        let Broker { topics, offsets: group, uncommitted, .. } = &mut *self.broker;
        for (topic, record) in uncommitted.drain(..) {
            let partition = TopicPartition::new(topic, record.partition);
            let offset = topics.push(&partition.topic, record);
            self.delivered.insert(partition, offset);
        }
        for OffsetCommit { partition, offset, metadata } in offsets.iter().cloned() {
            group.insert(partition, Committed { offset, metadata });
        }
        Ok(())
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.delivered.get(partition).copied()
    }
}

impl TestDriver {
    /// Commits what all tasks did, and takes what they want produced on hearing of it.
    pub(super) fn commit_all(&mut self) -> Result<()> {
        let vouch = self.voucher(self.drives.iter().flat_map(|drive| drive.sources.iter().cloned()).collect());
        let Self { drives, broker, now_ms, .. } = self;
        let mut tasks: Vec<&mut Task> = drives.iter_mut().filter_map(|drive| drive.task.as_mut()).collect();
        let mut transaction = Committing { broker, vouch, now_ms: *now_ms, delivered: BTreeMap::new() };
        cycle::commit(&mut tasks, &mut transaction, *now_ms)?;
        (0..self.drives.len()).try_for_each(|index| self.collect(index))
    }

    /// Takes what a task wants produced.
    pub(super) fn collect(&mut self, index: usize) -> Result<()> {
        match &mut self.drives[index].task {
            Some(task) => self.broker.send(task.outputs(), self.now_ms),
            None => Ok(()),
        }
    }
}
