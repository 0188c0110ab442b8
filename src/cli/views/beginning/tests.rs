use std::sync::{Arc, Mutex};

use topology::clock::ManualClock;
use topology::log::memory::MemoryLog;
use topology::log::{
    Consumer, ConsumerOptions, Event, GroupOptions, GroupProtocol, OffsetCommit, OutOfRange, Producer, ProducerOptions,
    TopicSpec,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A transaction with an offset of the group, and who began it, and is in the group.
struct Open {
    producer: <MemoryLog as Log>::Producer,
    _consumer: <MemoryLog as Log>::Consumer,
}

/// As an instance leaves it that is killed in its first commit.
fn begun(log: &MemoryLog, partition: &TopicPartition, offset: Offset) -> Open {
    let name = partition.topic.clone();
    log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }]).unwrap();
    let id = "view".to_owned();
    let protocol = GroupProtocol::Classic;
    let group = GroupOptions { id, instance_id: None, session_timeout_ms: 10_000, protocol };
    let mut consumer = log
        .consumer(&ConsumerOptions {
            group: Some(group),
            isolation: Isolation::ReadCommitted,
            client_id: "killed".to_owned(),
            batch_records: 1,
            prefetch_bytes: 1 << 20,
            out_of_range: OutOfRange::Earliest,
        })
        .unwrap();
    consumer.subscribe(std::slice::from_ref(&partition.topic)).unwrap();
    let mut is_assigned = false;
    while !is_assigned {
        consumer.poll(Duration::ZERO, &mut |event| is_assigned |= matches!(event, Event::Assigned(_))).unwrap();
    }
    let (transactional_id, client_id) = ("killed".to_owned(), "killed".to_owned());
    let options =
        ProducerOptions { transactional_id, transaction_timeout_ms: 10_000, client_id, track_topics: Vec::new() };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(SECOND).unwrap();
    producer.begin().unwrap();
    let offsets = [OffsetCommit { partition: partition.clone(), offset, metadata: String::new() }];
    producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
    Open { producer, _consumer: consumer }
}

/// Time of which each pause takes nine seconds. In the second one the transaction ends.
struct Pausing {
    time: ManualClock,
    open: Mutex<(u32, Option<Open>)>,
}

impl Clock for Pausing {
    fn now_ms(&self) -> i64 {
        self.time.now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        self.time.monotonic_ms()
    }

    fn sleep(&self, _: Duration) {
        self.time.advance(9_000);
        let mut open = self.open.lock().unwrap();
        open.0 += 1;
        if open.0 == 2
            && let Some(mut open) = open.1.take()
        {
            open.producer.commit(SECOND).unwrap();
        }
    }
}

#[test]
fn the_transaction_of_an_instance_that_was_killed_is_waited_for_as_long_as_it_may_last() {
    let (log, partition) = (MemoryLog::new(Arc::new(|| 0)), TopicPartition::new("blockchain", 0));
    let open = begun(&log, &partition, 7);
    let clock = Pausing { time: ManualClock::new(0), open: Mutex::new((0, Some(open))) };
    assert_eq!(settled_offset(&log, &clock, "view", partition).unwrap(), Some(7));
    assert_eq!(clock.monotonic_ms(), 18_000);
}

#[test]
fn a_transaction_that_never_ends_is_not_waited_for_for_ever_and_its_offset_is_not_guessed() {
    let (log, partition) = (MemoryLog::new(Arc::new(|| 0)), TopicPartition::new("blockchain", 0));
    let _open = begun(&log, &partition, 7);
    let clock = Pausing { time: ManualClock::new(0), open: Mutex::new((0, None)) };
    let refusal = settled_offset(&log, &clock, "view", partition).unwrap_err().to_string();
    assert!(refusal.contains("an open transaction has offsets of the group 'view'"), "{refusal}");
    assert!(refusal.ends_with("start the view again later"), "{refusal}");
    assert_eq!(clock.monotonic_ms(), 36_000);
}
