//! What only a real Kafka can show: fencing, timed-out transactions, static membership, stale fetches, brokers that are
//! not there. What all logs promise alike is in `log_contract`.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod admin;
mod consuming;
mod figures;
mod membership;
mod pausing;
mod producing;

use std::time::{Duration, Instant};

use test_cluster::{Cluster, unique};
use topology::log::kafka::{KafkaConsumer, KafkaLog, KafkaProducer, Options};
use topology::log::{
    Committed, Consumer, ConsumerOptions, Event, GroupOptions, GroupProtocol, Header, Isolation, Kind, Log,
    OffsetCommit, OutOfRange, Producer, ProducerOptions, ProducerRecord, Start, TopicPartition, TopicSpec,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap()
}

fn topic(log: &KafkaLog, partition_count: i32, config: &[(&str, &str)]) -> String {
    let name = unique("topic");
    // Records here are of 1970; by default Kafka deletes what is older than a week.
    let config = config.iter().chain(&[("retention.ms", "-1")]);
    let config = config.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = TopicSpec { name: name.clone(), partition_count, replication_factor: Some(1), config };
    log.create_topics(&[spec]).unwrap();
    name
}

fn record<'a>(topic: &'a str, partition: i32, key: &'a [u8], value: &'a [u8]) -> ProducerRecord<'a> {
    ProducerRecord {
        topic,
        partition: Some(partition),
        timestamp_ms: 1_000,
        key: Some(key),
        value: Some(value),
        headers: &[],
    }
}

fn producer_options(id: &str) -> ProducerOptions {
    ProducerOptions {
        transactional_id: id.to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "test-producer".to_owned(),
        track_topics: Vec::new(),
    }
}

fn producer(log: &KafkaLog, id: &str) -> KafkaProducer {
    let mut producer = log.producer(&producer_options(id)).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer
}

/// Commits `count` records with their number as value, in transactions of at most 5,000.
fn fill(log: &KafkaLog, topic: &str, partition: i32, count: usize) {
    let mut producer = producer(log, &unique("fill"));
    for start in (0..count).step_by(5_000) {
        producer.begin().unwrap();
        for number in start..count.min(start + 5_000) {
            producer.send(&record(topic, partition, b"k", number.to_string().as_bytes())).unwrap();
        }
        producer.commit(LONG).unwrap();
    }
}

fn consumer_options(isolation: Isolation) -> ConsumerOptions {
    ConsumerOptions {
        group: None,
        isolation,
        client_id: "test-consumer".to_owned(),
        batch_records: 1_000,
        prefetch_bytes: 8 << 20,
        out_of_range: OutOfRange::Earliest,
    }
}

fn reader(log: &KafkaLog, isolation: Isolation, start: &[(TopicPartition, Start)]) -> KafkaConsumer {
    let mut consumer = log.consumer(&consumer_options(isolation)).unwrap();
    consumer.assign(start).unwrap();
    consumer
}

fn member(log: &KafkaLog, group: &str, instance: Option<&str>, session_timeout_ms: u32) -> KafkaConsumer {
    let group = GroupOptions {
        id: group.to_owned(),
        instance_id: instance.map(str::to_owned),
        session_timeout_ms,
        protocol: GroupProtocol::Classic,
    };
    log.consumer(&ConsumerOptions { group: Some(group), ..consumer_options(Isolation::ReadCommitted) }).unwrap()
}

/// (partition, offset, value) of each record and (partition, offset) of each end, in the order they came.
#[derive(Default, Debug)]
struct Seen {
    records: Vec<(TopicPartition, i64, Vec<u8>)>,
    ends: Vec<(TopicPartition, i64)>,
    assigned: Vec<Vec<TopicPartition>>,
    revoked: Vec<(Vec<TopicPartition>, bool)>,
}

impl Seen {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Records { partition, records } => self.records.extend(
                records.iter().map(|record| (partition.clone(), record.offset, record.value.unwrap_or(b"").to_vec())),
            ),
            Event::EndOfPartition { partition, offset } => self.ends.push((partition.clone(), offset)),
            Event::Assigned(partitions) => self.assigned.push(partitions),
            Event::Revoked { partitions, lost } => self.revoked.push((partitions, lost)),
        }
    }

    fn values(&self) -> Vec<String> {
        self.records.iter().map(|(_, _, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

/// Polls until `done`, or fails after 30 s.
fn until(consumer: &mut KafkaConsumer, seen: &mut Seen, what: &str, mut done: impl FnMut(&Seen) -> bool) {
    let start = Instant::now();
    while !done(seen) {
        assert!(start.elapsed() < LONG, "not within 30 s: {what}; saw {} records, {seen:?}", seen.records.len());
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
}

/// Reads everything committed in a partition that no transaction is open in. A commit is done before its markers are
/// written, so the first end reported may be too low.
fn read_all(log: &KafkaLog, partition: &TopicPartition) -> Seen {
    let end = log.watermarks(partition, Isolation::ReadUncommitted).unwrap().high;
    let mut consumer = reader(log, Isolation::ReadCommitted, &[(partition.clone(), Start::Beginning)]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the end", |seen| seen.ends.last().is_some_and(|reached| reached.1 >= end));
    seen
}

/// Joins and answers the first assignment.
fn join(consumer: &mut KafkaConsumer, topic: &str) -> Vec<TopicPartition> {
    consumer.subscribe(&[topic.to_owned()]).unwrap();
    let mut seen = Seen::default();
    until(consumer, &mut seen, "an assignment", |seen| !seen.assigned.is_empty());
    answer(consumer, &seen.assigned[0]);
    seen.assigned.remove(0)
}

fn answer(consumer: &mut KafkaConsumer, partitions: &[TopicPartition]) {
    let partitions: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Start::Beginning)).collect();
    consumer.incremental_assign(&partitions).unwrap();
}
