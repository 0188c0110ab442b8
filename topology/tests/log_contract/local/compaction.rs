//! Compaction against a model that forgets nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use topology::log::memory::MemoryLog;
use topology::log::{Log, Offset, Producer, ProducerRecord};

use super::ManualClock;
use crate::harness::*;

const RETENTION_MS: i64 = 1000;

/// A log that can be told to compact.
pub(crate) trait Compacting: Log {
    fn compact_now(&self, topic: &str);
}

impl Compacting for MemoryLog {
    fn compact_now(&self, topic: &str) {
        self.compact(topic).unwrap();
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Keys, and values or tombstones.
    Commit(Vec<(u8, Option<u16>)>),
    Abort(Vec<(u8, Option<u16>)>),
    /// By another producer, committed at the end of it all.
    LeaveOpen(Vec<(u8, Option<u16>)>),
    DeleteRecords(u8),
    Compact,
    Wait(i64),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let records = || proptest::collection::vec((0u8..12, proptest::option::weighted(0.8, any::<u16>())), 1..30);
    let step = prop_oneof![
        6 => records().prop_map(Step::Commit),
        2 => records().prop_map(Step::Abort),
        1 => records().prop_map(Step::LeaveOpen),
        1 => (0u8..40).prop_map(Step::DeleteRecords),
        3 => Just(Step::Compact),
        2 => (1i64..1500).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..30)
}

fn send_all<P: Producer>(producer: &mut P, topic: &str, records: &[(u8, Option<u16>)]) {
    for (key, value) in records {
        let (key, value) = ([*key], value.map(u16::to_be_bytes));
        let value = value.as_ref().map(<[u8; 2]>::as_slice);
        producer
            .send(&ProducerRecord {
                topic,
                partition: Some(0),
                timestamp_ms: THEN_MS,
                key: Some(&key),
                value,
                headers: &[],
            })
            .unwrap();
    }
}

type Entry = (Offset, u8, Option<Vec<u8>>);

fn read<L: Log>(log: &L, topic: &str) -> Vec<Entry> {
    let mut reader = reader(log, topic, &[0]);
    let stable = stable(log, topic, 0);
    reader.until_end(0, stable);
    reader.records.iter().map(|read| (read.offset, read.key.as_ref().unwrap()[0], read.value.clone())).collect()
}

/// Runs the steps on a compacted topic and on one that keeps everything, and compares.
pub(crate) fn check<L: Compacting>(log: &L, clock: &ManualClock, steps: &[Step]) {
    let retention = RETENTION_MS.to_string();
    let compacted = topic_with(log, 1, &[("cleanup.policy", "compact"), ("delete.retention.ms", &retention)]);
    let complete = topic(log, 1);
    let (mut writer, mut other) = (producer(log), producer(log));
    let mut left_open = false;
    let mut tombstone_seen_ms: BTreeMap<Offset, i64> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Commit(records) | Step::Abort(records) => {
                writer.begin().unwrap();
                send_all(&mut writer, &compacted, records);
                send_all(&mut writer, &complete, records);
                if matches!(step, Step::Commit(_)) {
                    writer.commit(CALL).unwrap();
                } else {
                    writer.flush(CALL).unwrap();
                    writer.abort(CALL).unwrap();
                }
            }
            Step::LeaveOpen(records) => {
                if !left_open {
                    other.begin().unwrap();
                    left_open = true;
                }
                send_all(&mut other, &compacted, records);
                send_all(&mut other, &complete, records);
                other.flush(CALL).unwrap();
            }
            Step::DeleteRecords(percent) => {
                for topic in [&compacted, &complete] {
                    let before = stable(log, topic, 0) * i64::from(*percent) / 100;
                    log.delete_records(&topology::log::TopicPartition::new(topic.as_str(), 0), before).unwrap();
                }
            }
            Step::Compact => {
                log.compact_now(&compacted);
                compare(log, &compacted, &complete, clock, &mut tombstone_seen_ms);
            }
            Step::Wait(ms) => clock.advance_ms(*ms),
        }
        assert_eq!(end(log, &compacted, 0), end(log, &complete, 0), "compaction changes no offset");
    }
    if left_open {
        other.commit(CALL).unwrap();
    }
    log.compact_now(&compacted);
    compare(log, &compacted, &complete, clock, &mut tombstone_seen_ms);
    clock.advance_ms(RETENTION_MS);
    log.compact_now(&compacted);
    let latest = latest(&read(log, &complete));
    let live: Vec<Entry> = latest.into_iter().filter(|(_, _, value)| value.is_some()).collect();
    assert_eq!(read(log, &compacted), live, "at last only what is alive is there");
}

/// The latest record of each key, in offset order.
fn latest(all: &[Entry]) -> Vec<Entry> {
    let by_key: BTreeMap<u8, &Entry> = all.iter().map(|entry| (entry.1, entry)).collect();
    let mut latest: Vec<Entry> = by_key.into_values().cloned().collect();
    latest.sort();
    latest
}

/// Right after a compaction: the latest of each key, and nothing else, but that a tombstone may be gone if it was met
/// by a compaction at least the retention time ago, and must be there otherwise.
fn compare<L: Log>(log: &L, compacted: &str, complete: &str, clock: &ManualClock, seen_ms: &mut BTreeMap<Offset, i64>) {
    let now_ms = clock.now_ms();
    let expected: Vec<Entry> = latest(&read(log, complete))
        .into_iter()
        .filter(|(offset, _, value)| {
            let since_ms = *seen_ms.entry(*offset).or_insert(now_ms);
            value.is_some() || now_ms - since_ms < RETENTION_MS
        })
        .collect();
    assert_eq!(read(log, compacted), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_memory_log_holds_the_latest_of_each_key(steps in steps()) {
        let clock = ManualClock::default();
        check(&MemoryLog::new(clock.clock()), &clock, &steps);
    }
}

fn overwrite<L: Log>(log: &L, topic: &str, rounds: u32) {
    let mut producer = producer(log);
    let value = vec![7; 1000];
    for _ in 0..rounds {
        producer.begin().unwrap();
        for key in 0u32..1000 {
            let key = key.to_be_bytes();
            let record = ProducerRecord {
                topic,
                partition: Some(0),
                timestamp_ms: THEN_MS,
                key: Some(&key),
                value: Some(&value),
                headers: &[],
            };
            producer.send(&record).unwrap();
        }
        producer.commit(CALL).unwrap();
    }
}

#[test]
fn a_topic_that_is_overwritten_again_and_again_is_compacted_unasked() {
    let log = super::memory().log;
    let topic = topic_with(&log, 1, &[("cleanup.policy", "compact")]);
    overwrite(&log, &topic, 30);
    let mut reader = reader(&log, &topic, &[0]);
    reader.until_end(0, stable(&log, &topic, 0));
    assert!(reader.records.len() < 15_000, "{} of 30000 records are still there", reader.records.len());
    let keys: std::collections::BTreeSet<_> = reader.records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys.len(), 1000);
}

#[test]
fn a_topic_that_is_not_compacted_keeps_everything() {
    let log = super::memory().log;
    let topic = topic(&log, 1);
    overwrite(&log, &topic, 5);
    log.compact(&topic).unwrap();
    assert_eq!(reader(&log, &topic, &[0]).until_end(0, stable(&log, &topic, 0)).records.len(), 5000);
}

#[test]
fn records_younger_than_the_lag_are_left_alone() {
    let clock = ManualClock::default();
    clock.advance_ms(THEN_MS + 500);
    let log = MemoryLog::new(clock.clock());
    let topic = topic_with(&log, 1, &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "1000")]);
    overwrite(&log, &topic, 2);
    log.compact(&topic).unwrap();
    assert_eq!(read_count(&log, &topic), 2000);
    clock.advance_ms(500);
    log.compact(&topic).unwrap();
    assert_eq!(read_count(&log, &topic), 1000);
}

fn read_count<L: Log>(log: &L, topic: &str) -> usize {
    reader(log, topic, &[0]).until_end(0, stable(log, topic, 0)).records.len()
}

#[test]
fn a_reader_in_the_midst_of_a_compaction_misses_no_key() {
    let log = super::memory().log;
    let topic = topic_with(&log, 1, &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "1.0")]);
    overwrite(&log, &topic, 10);
    let mut options = consumer_options(topology::log::Isolation::ReadCommitted);
    (options.batch_records, options.prefetch_bytes) = (100, 1);
    let mut reader = reader_with(&log, &options, &topic, &[0]);
    reader.until_records(1500);
    log.compact(&topic).unwrap();
    reader.until_end(0, stable(&log, &topic, 0));
    let offsets: Vec<Offset> = reader.records.iter().map(|record| record.offset).collect();
    assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]));
    let last: BTreeMap<_, _> = reader.records.iter().map(|record| (record.key.clone(), record.offset)).collect();
    assert_eq!(last.len(), 1000);
    assert!(last.values().all(|offset| *offset > 9 * 1001 - 1), "of each key it has the latest");
}
