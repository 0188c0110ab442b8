use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use super::super::producer::Producer;
use super::super::storage::{Changes, Found, PartitionId, Storage};
use super::super::{Broker, Clock};
use crate::log::memory::MemoryStorage;
use crate::log::{
    Isolation, Offset, Producer as _, ProducerOptions, ProducerRecord, Result, TopicPartition, TopicSpec,
};

const LAG_MS: i64 = 1_000;

/// Counts reads.
struct Counting {
    storage: MemoryStorage,
    read_count: Arc<AtomicUsize>,
}

impl Storage for Counting {
    fn write(&self, changes: &Changes<'_>) -> Result<()> {
        self.storage.write(changes)
    }

    fn read(&self, partition: PartitionId, from: Offset, until: Offset, bytes_max: usize) -> Result<Found> {
        self.read_count.fetch_add(1, Ordering::SeqCst);
        self.storage.read(partition, from, until, bytes_max)
    }
}

/// Commits records of one key, of this age, as many bytes as make a partition worth compacting.
fn commit(producer: &mut Producer, timestamp_ms: i64) {
    producer.begin().unwrap();
    for _ in 0..3 {
        let record = ProducerRecord {
            topic: "t",
            partition: Some(0),
            timestamp_ms,
            key: Some(b"key"),
            value: Some(&[7; 600_000]),
            headers: &[],
        };
        producer.send(&record).unwrap();
    }
    producer.commit(Duration::ZERO).unwrap();
}

fn stored_bytes(broker: &Broker) -> usize {
    let high = broker.watermarks(&TopicPartition::new("t", 0), Isolation::ReadCommitted).unwrap().high;
    let id = PartitionId { topic: 0, partition: 0 };
    broker.storage.read(id, 0, high, usize::MAX).unwrap().chunks.iter().map(|chunk| chunk.len()).sum()
}

#[test]
fn commits_to_a_partition_whose_records_are_all_too_young_read_nothing() {
    let (now_ms, read_count) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicUsize::new(0)));
    let clock: Clock = Arc::new({
        let now_ms = Arc::clone(&now_ms);
        move || now_ms.load(Ordering::SeqCst)
    });
    let storage = Counting { storage: MemoryStorage::default(), read_count: Arc::clone(&read_count) };
    let broker = Arc::new(Broker::new(Box::new(storage), clock));
    let config = [("cleanup.policy", "compact"), ("min.compaction.lag.ms", "1000"), ("max.message.bytes", "2000000")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let spec = TopicSpec { name: "t".to_owned(), partition_count: 1, replication_factor: None, config };
    broker.create_topics(&[spec]).unwrap();
    let options = ProducerOptions {
        transactional_id: "id".to_owned(),
        transaction_timeout_ms: 60_000,
        client_id: "c".to_owned(),
        track_topics: Vec::new(),
    };
    let mut producer = Producer::new(Arc::clone(&broker), options);
    producer.init_transactions(Duration::ZERO).unwrap();

    commit(&mut producer, 1);
    let read_at_first = read_count.swap(0, Ordering::SeqCst);
    assert!(read_at_first > 0, "the first time it has to be found out");
    for _ in 0..5 {
        commit(&mut producer, 1);
    }
    assert_eq!(read_count.load(Ordering::SeqCst), 0);

    // One lag and a half later all of it has come of age, but for what is written then.
    now_ms.fetch_add(LAG_MS + LAG_MS / 2, Ordering::SeqCst);
    let before = stored_bytes(&broker);
    for _ in 0..5 {
        commit(&mut producer, now_ms.load(Ordering::SeqCst));
    }
    let after = stored_bytes(&broker);
    assert!(after < before, "{before} bytes were stored and {after} are after compaction and 9 MB more");
}
