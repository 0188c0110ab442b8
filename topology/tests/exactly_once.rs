//! The engine on the memory log, with commits that fail in every way: counts are exact, and outputs too.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fault_log::{Fault, FaultLog, Script};
use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::codec::{Bytes, I64};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Producer, ProducerOptions, ProducerRecord, Start,
    TopicPartition, TopicSpec,
};
use topology::processor::{Context, Processor, Record};
use topology::store::KeyValueStore;

struct Count {
    counts: KeyValueStore<Bytes, I64>,
}

impl Processor for Count {
    type Key = Bytes;
    type Value = Bytes;
    type KeyOut = Bytes;
    type ValueOut = I64;

    fn process(
        &mut self,
        record: &Record<'_, Bytes, Bytes>,
        context: &mut Context<'_, Bytes, I64>,
    ) -> topology::Result<()> {
        let Some(key) = record.key else { return Ok(()) };
        let count = self.counts.get(&key)?.unwrap_or(0) + 1;
        self.counts.put(&key, &count)?;
        context.forward(record.with(Some(key), Some(count)))
    }
}

fn memory_log() -> MemoryLog {
    let clock = SystemClock::new();
    MemoryLog::new(Arc::new(move || clock.now_ms()))
}

fn counting() -> Topology {
    let mut builder = Builder::new();
    let mut counting = builder.sub_topology("counting");
    let counts = counting.store(Store::rocksdb("counts", Bytes, I64));
    let input = counting.source("input", Topic::new("in"), Bytes, Bytes);
    let counted = counting
        .processor("count", &input)
        .with_store(&counts)
        .supply(move |wiring| Ok(Count { counts: wiring.store(&counts)? }));
    counting.sink("output", &counted, Topic::new("out").partitions(1), Bytes, I64);
    builder.build().unwrap()
}

fn produce(log: &impl Log, count: usize) {
    let spec = TopicSpec { name: "in".into(), partition_count: 1, replication_factor: None, config: Vec::new() };
    log.create_topics(&[spec]).unwrap();
    let options = ProducerOptions {
        transactional_id: "input".into(),
        transaction_timeout_ms: 10_000,
        client_id: "test".into(),
        track_topics: Vec::new(),
    };
    let mut producer = log.producer(&options).unwrap();
    let timeout = Duration::from_secs(10);
    producer.init_transactions(timeout).unwrap();
    producer.begin().unwrap();
    for index in 0..count {
        let key = format!("key-{}", index % 7);
        let record = ProducerRecord {
            topic: "in",
            partition: Some(0),
            timestamp_ms: 1_000 + index as i64,
            key: Some(key.as_bytes()),
            value: Some(b"x"),
            headers: &[],
        };
        producer.send(&record).unwrap();
    }
    producer.flush(timeout).unwrap();
    producer.commit(timeout).unwrap();
}

/// All committed records of the only partition of a topic.
fn read(log: &impl Log, topic: &str) -> Vec<(Vec<u8>, i64)> {
    let options = ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "test".into(),
        batch_records: 100,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    let mut consumer = log.consumer(&options).unwrap();
    consumer.assign(&[(TopicPartition::new(topic, 0), Start::Beginning)]).unwrap();
    let (mut found, mut ended) = (Vec::new(), false);
    while !ended {
        consumer
            .poll(Duration::from_millis(100), &mut |event| match event {
                Event::Records { records, .. } => found.extend(records.iter().map(|record| {
                    let count = i64::from_be_bytes(record.value.unwrap().try_into().unwrap());
                    (record.key.unwrap().to_vec(), count)
                })),
                Event::EndOfPartition { .. } => ended = true,
                _ => {}
            })
            .unwrap();
    }
    found
}

fn run_until_end(
    log: impl Log,
    directory: &std::path::Path,
    until: impl Fn(&mut Config),
) -> topology::metrics::Snapshot {
    let mut config = Config::new("app");
    config.state_directory = Some(directory.to_owned());
    config.until_end = true;
    config.batch_records = 10;
    config.commit_interval_ms = 0;
    until(&mut config);
    let mut client = Client::start(&counting(), log, config).unwrap();
    client.wait().unwrap();
    client.metrics()
}

/// Every key's outputs are 1, 2, 3 ... without a gap or a double.
fn assert_exact(log: &impl Log, records: usize) {
    let mut counts: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let outputs = read(log, "out");
    for (key, count) in &outputs {
        let seen = counts.entry(key.clone()).or_default();
        *seen += 1;
        assert_eq!(*count, *seen, "outputs of {}", String::from_utf8_lossy(key));
    }
    assert_eq!(outputs.len(), records);
}

fn script(faults: impl IntoIterator<Item = Fault>) -> Script {
    Arc::new(Mutex::new(VecDeque::from_iter(faults)))
}

#[test]
fn counts_are_exact_and_survive_a_restart_without_restoring_again() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, 100);
    run_until_end(log.clone(), directory.path(), |_| {});
    produce(&log, 100);
    let again = run_until_end(log.clone(), directory.path(), |_| {});
    assert_exact(&log, 200);
    assert_eq!((again.record_count, again.restored_record_count), (100, 0));
}

#[test]
fn records_that_arrive_during_a_run_until_the_end_are_left_for_the_next() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, 20);
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            for _ in 0..100 {
                produce(&log, 20);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        while !producing.is_finished() {
            run_until_end(log.clone(), directory.path(), |_| {});
        }
    });
    run_until_end(log.clone(), directory.path(), |_| {});
    assert_exact(&log, 101 * 20);
}

#[test]
fn a_lost_state_directory_comes_back_from_the_changelog() {
    let log = memory_log();
    produce(&log, 100);
    run_until_end(log.clone(), tempfile::tempdir().unwrap().path(), |_| {});
    produce(&log, 100);
    let again = run_until_end(log.clone(), tempfile::tempdir().unwrap().path(), |_| {});
    assert_exact(&log, 200);
    assert!(again.restored_record_count >= 7, "{again:?}");
}

#[test]
fn a_commit_that_fails_in_any_way_neither_loses_nor_doubles_anything() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, 100);
        let faults = script([Fault::None, fault, Fault::None, Fault::None, fault]);
        let metrics = run_until_end(FaultLog::new(log.clone(), faults), directory.path(), |_| {});
        assert_exact(&log, 100);
        assert_eq!(metrics.rewind_count, 2, "{fault:?}");
    }
}

#[test]
fn failures_in_a_row_leave_the_group_and_join_again_before_giving_up() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, 50);
    let faults = script([Fault::LostUnknown, Fault::LostUnknown, Fault::CommittedUnknown]);
    let metrics = run_until_end(FaultLog::new(log.clone(), faults), directory.path(), |_| {});
    assert_exact(&log, 50);
    assert_eq!(metrics.rewind_count, 3);
}

#[test]
fn a_commit_that_never_succeeds_stops_with_an_error_instead_of_turning_for_ever() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, 10);
    let faults = script(std::iter::repeat_n(Fault::Abort, 100));
    let mut config = Config::new("app");
    config.state_directory = Some(directory.path().to_owned());
    let mut client = Client::start(&counting(), FaultLog::new(log, faults), config).unwrap();
    let error = client.wait().unwrap_err();
    assert!(error.to_string().contains("failures in a row"), "{error}");
}
