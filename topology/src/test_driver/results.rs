//! What came of the input: records, and how far it was taken.

use super::{OwnedRecord, Place, TestDriver};
use crate::error::{Error, Result};
use crate::log::{Offset, TopicPartition};

impl TestDriver {
    /// The committed records of a topic, of all its partitions, in the order in which they became visible. None of a
    /// topic that there is not: where nothing shall come out, [`TestDriver::output`] finds a mistyped name.
    pub fn read(&self, topic: &str) -> &[OwnedRecord] {
        self.broker.topics.records(topic)
    }

    /// What was produced since the last commit, with its topics, in order. Offsets are not known yet, and changelog
    /// records are made by the commit.
    pub fn uncommitted(&self) -> &[(String, OwnedRecord)] {
        &self.broker.uncommitted
    }

    /// What was produced and then aborted, in order: a reader of uncommitted data would have seen it.
    pub fn aborted(&self) -> &[(String, OwnedRecord)] {
        &self.broker.aborted
    }

    /// The committed offset of a source topic's partition, of the first one where none is named; `None` before the
    /// first commit.
    pub fn committed_offset(&self, place: impl Into<Place>) -> Option<Offset> {
        let Place { topic, partition } = place.into();
        self.broker.offsets.get(&TopicPartition::new(topic, partition.unwrap_or(0))).map(|committed| committed.offset)
    }

    /// The offset of the record that a task processes next of a topic's partition, of the first one where none is
    /// named. Other than the committed offset it counts what is not committed yet, and what processors hold.
    pub fn position(&self, place: impl Into<Place>) -> Result<Offset> {
        let place = place.into();
        let (index, input) = self.input_at(&place)?;
        let task = self.drives[index].task.as_ref();
        task.map(|task| task.next_offset(input)).ok_or_else(|| Error::stop("the task could not begin"))
    }

    /// Where a topic's partition ends, the first one where none is named: the offset of the record that arrives next.
    pub fn end_offset(&self, place: impl Into<Place>) -> Offset {
        let Place { topic, partition } = place.into();
        self.broker.topics.bounds(&topic, partition.unwrap_or(0)).1
    }
}
