//! Delivery reports of one producer: the first failure, and how far tracked topics got.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rdkafka::types::RDKafkaErrorCode;

use super::native::Code;
use crate::log::Offset;

/// Partitions per block; blocks are made when first used.
const BLOCK_PARTITIONS: usize = 256;
/// Blocks per topic: partitions beyond their product are not tracked (Kafka clusters hold fewer).
const BLOCKS: usize = 1024;
/// Nothing delivered yet.
const NONE: Offset = -1;
/// Of a record whose batch the broker refuses for another one in it.
const OTHERS_FAULT: Code = RDKafkaErrorCode::InvalidDifferentRecord as Code;

/// A record that was not delivered.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) has_key: bool,
}

/// Delivery reports since the last [`Deliveries::clear`]. Reports of records take no lock unless they failed.
pub(super) struct Deliveries {
    topics: Vec<Topic>,
    has_failed: AtomicBool,
    first_failure: Mutex<Option<Failure>>,
}

/// Highest delivered offset per partition of a topic.
struct Topic {
    name: String,
    blocks: Vec<OnceLock<Box<[AtomicI64]>>>,
}

impl Deliveries {
    pub(super) fn new(topics: &[String]) -> Self {
        let topics = topics
            .iter()
            .map(|name| Topic { name: name.clone(), blocks: (0..BLOCKS).map(|_| OnceLock::new()).collect() })
            .collect();
        Self { topics, has_failed: AtomicBool::new(false), first_failure: Mutex::new(None) }
    }

    /// The number under which a tracked topic's deliveries are reported.
    pub(super) fn tracked(&self, topic: &str) -> Option<usize> {
        self.topics.iter().position(|tracked| tracked.name == topic)
    }

    /// A record of a tracked topic was delivered.
    pub(super) fn delivered(&self, topic: usize, partition: i32, offset: Offset) {
        if let Some(highest) = self.topics.get(topic).and_then(|topic| topic.cell(partition, true)) {
            highest.fetch_max(offset, Ordering::Relaxed);
        }
    }

    /// Highest offset delivered to a partition of a tracked topic.
    pub(super) fn highest(&self, topic: &str, partition: i32) -> Option<Offset> {
        let topic = self.topics.get(self.tracked(topic)?)?;
        let offset = topic.cell(partition, false)?.load(Ordering::Relaxed);
        (offset > NONE).then_some(offset)
    }

    /// A record was not delivered. Only the first failure is kept, for the others follow from it; but for one that
    /// another record of its batch has caused.
    pub(super) fn failed(&self, code: Code, failure: impl FnOnce() -> Failure) {
        self.has_failed.store(true, Ordering::Relaxed);
        let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|first| first.code == OTHERS_FAULT && code != OTHERS_FAULT) {
            *first = Some(failure());
        }
    }

    /// The first record that was not delivered.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.has_failed.load(Ordering::Relaxed) {
            return None;
        }
        self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets everything: a new transaction begins.
    pub(super) fn clear(&self) {
        for cell in self.topics.iter().flat_map(|topic| &topic.blocks).filter_map(OnceLock::get).flatten() {
            cell.store(NONE, Ordering::Relaxed);
        }
        if self.has_failed.swap(false, Ordering::Relaxed) {
            self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

impl Topic {
    fn cell(&self, partition: i32, create: bool) -> Option<&AtomicI64> {
        let partition = usize::try_from(partition).ok()?;
        let block = self.blocks.get(partition / BLOCK_PARTITIONS)?;
        let block = if create {
            block.get_or_init(|| (0..BLOCK_PARTITIONS).map(|_| AtomicI64::new(NONE)).collect())
        } else {
            block.get()?
        };
        block.get(partition % BLOCK_PARTITIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: RDKafkaErrorCode, topic: &str, partition: i32) -> Failure {
        Failure { code: code as Code, topic: topic.to_owned(), partition, has_key: true }
    }

    /// A record to a topic was not delivered.
    fn fail(deliveries: &Deliveries, code: RDKafkaErrorCode, topic: &str, partition: i32) {
        deliveries.failed(code as Code, || failure(code, topic, partition));
    }

    #[test]
    fn the_highest_offset_per_partition_counts_until_it_is_cleared() {
        let deliveries = Deliveries::new(&["a".to_owned(), "b".to_owned()]);
        let b = deliveries.tracked("b").unwrap();
        for (partition, offset) in [(0, 5), (0, 7), (0, 6), (700, 1)] {
            deliveries.delivered(b, partition, offset);
        }
        assert_eq!(deliveries.highest("b", 0), Some(7));
        assert_eq!(deliveries.highest("b", 700), Some(1));
        assert_eq!(deliveries.highest("b", 1), None);
        assert_eq!(deliveries.highest("a", 0), None);
        assert_eq!(deliveries.highest("untracked", 0), None);
        deliveries.clear();
        assert_eq!(deliveries.highest("b", 0), None);
    }

    #[test]
    fn partitions_that_cannot_be_are_ignored() {
        let deliveries = Deliveries::new(&["a".to_owned()]);
        deliveries.delivered(0, -1, 5);
        deliveries.delivered(0, i32::MAX, 5);
        deliveries.delivered(9, 0, 5);
        assert_eq!(deliveries.highest("a", i32::MAX), None);
    }

    #[test]
    fn the_first_failure_is_kept() {
        let deliveries = Deliveries::new(&[]);
        assert!(deliveries.failure().is_none());
        let too_large = RDKafkaErrorCode::MessageSizeTooLarge as Code;
        fail(&deliveries, RDKafkaErrorCode::MessageSizeTooLarge, "a", 3);
        fail(&deliveries, RDKafkaErrorCode::PurgeQueue, "b", 0);
        let failure = deliveries.failure().unwrap();
        assert_eq!((failure.code, failure.topic.as_str(), failure.partition), (too_large, "a", 3));
        deliveries.clear();
        assert!(deliveries.failure().is_none());
    }

    #[test]
    fn of_a_batch_that_was_refused_for_some_records_one_of_those_is_kept() {
        let deliveries = Deliveries::new(&[]);
        for (code, partition) in [
            (RDKafkaErrorCode::InvalidDifferentRecord, 1),
            (RDKafkaErrorCode::InvalidRecord, 2),
            (RDKafkaErrorCode::InvalidDifferentRecord, 3),
            (RDKafkaErrorCode::InvalidRecord, 4),
        ] {
            fail(&deliveries, code, "a", partition);
        }
        assert_eq!(deliveries.failure().unwrap().partition, 2);
    }
}
