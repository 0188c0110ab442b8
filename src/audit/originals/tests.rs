use std::time::Duration;

use topology::clock::SystemClock;
use topology::log::memory::MemoryLog;
use topology::log::{Isolation, Producer, ProducerOptions, ProducerRecord, Start, TopicSpec};

use super::*;

const COUNT: i32 = 9;
const RECORDS: i64 = 4_000;

/// A topic whose partitions have all as many records, but for the last, which has none.
fn log() -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| 0));
    let name = "transactions".to_owned();
    log.create_topics(&[TopicSpec { name, partition_count: COUNT, replication_factor: None, config: Vec::new() }])
        .unwrap();
    let (transactional_id, client_id) = ("p".to_owned(), "p".to_owned());
    let options =
        ProducerOptions { transactional_id, transaction_timeout_ms: 10_000, client_id, track_topics: Vec::new() };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(Duration::from_secs(1)).unwrap();
    producer.begin().unwrap();
    for n in 0..RECORDS {
        for partition in 0..COUNT - 1 {
            let value = format!("{partition}-{n}");
            let (partition, value) = (Some(partition), Some(value.as_bytes()));
            let (topic, timestamp_ms) = ("transactions", 0);
            producer.send(&ProducerRecord { topic, partition, timestamp_ms, key: None, value, headers: &[] }).unwrap();
        }
    }
    producer.commit(Duration::from_secs(1)).unwrap();
    log
}

fn extents(log: &MemoryLog) -> Vec<Extent> {
    let reader = Reader::new(log, &SystemClock::new(), "test").partitions("transactions").unwrap().unwrap();
    let extent = |partition: &TopicPartition| {
        Reader::new(log, &SystemClock::new(), "test")
            .extent(partition, Start::Beginning, Isolation::ReadCommitted)
            .unwrap()
    };
    reader.iter().map(extent).collect()
}

/// Asks for batches in the order of `turns`, each the place of a partition, until all were read; what each partition
/// gave.
fn read_in_turns(turns: impl Iterator<Item = i32>) -> Vec<Vec<i64>> {
    let (log, clock) = (log(), SystemClock::new());
    let mut found = vec![Vec::new(); COUNT as usize];
    std::thread::scope(|scope| {
        let mut originals = Originals::read(scope, (&log, &clock), "test", extents(&log)).unwrap();
        let mut largest_bytes = 0;
        for partition in turns {
            let Some(batch) = originals.next(partition).unwrap() else { continue };
            let batch_bytes: usize = batch.iter().map(size_bytes).sum();
            largest_bytes = largest_bytes.max(batch_bytes);
            let waiting_bytes = originals.shared.lock().size_bytes;
            // What one poll brings, and what the next one does before the first is counted.
            assert!(waiting_bytes <= AHEAD_BYTES + 2 * 1_000 * size_of::<Entry>() + largest_bytes, "{waiting_bytes}");
            assert!(batch.iter().all(|entry| entry.origin.partition == partition));
            found[partition as usize].extend(batch.iter().map(|entry| entry.origin.offset));
        }
    });
    found
}

#[test]
fn partitions_are_read_in_whatever_order_they_are_asked_for_and_what_waits_is_bounded() {
    // One after the other, from the last one on; and all in turn.
    let one_by_one = (0..COUNT).rev().flat_map(|partition| std::iter::repeat_n(partition, RECORDS as usize));
    let in_turn = (0..RECORDS as i32).flat_map(|_| 0..COUNT);
    for found in [read_in_turns(one_by_one), read_in_turns(in_turn)] {
        let all: Vec<i64> = (0..RECORDS).collect();
        assert!(found[..COUNT as usize - 1].iter().all(|offsets| *offsets == all));
        assert!(found[COUNT as usize - 1].is_empty());
    }
}

#[test]
fn the_thread_ends_when_nobody_asks_any_more() {
    let (log, clock) = (log(), SystemClock::new());
    // The scope waits for it.
    std::thread::scope(|scope| {
        let mut originals = Originals::read(scope, (&log, &clock), "test", extents(&log)).unwrap();
        assert!(originals.next(3).unwrap().is_some());
    });
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_end() {
    let (log, clock) = (log(), SystemClock::new());
    let extents = extents(&log);
    log.delete_topics(&["transactions".to_owned()]).unwrap();
    std::thread::scope(|scope| {
        let mut originals = Originals::read(scope, (&log, &clock), "test", extents).unwrap();
        originals.next(0).unwrap_err();
    });
}
