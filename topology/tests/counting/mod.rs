//! The topology that counts the records of each key, its input, and what it promises: outputs of a key are 1, 2, 3 ...
//! without a gap or a double. Uses the crate's public side alone.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod watched;

use std::collections::BTreeMap;
use std::time::Duration;

use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Producer, ProducerOptions, ProducerRecord, Start,
    TopicPartition, TopicSpec,
};

/// An application and its topics.
pub(crate) struct Topics {
    pub(crate) application: String,
    pub(crate) input: String,
    pub(crate) output: String,
}

impl Topics {
    pub(crate) fn new(application: String) -> Self {
        let (input, output) = (format!("{application}-in"), format!("{application}-out"));
        Self { application, input, output }
    }
}

/// Counts the records of each key in a store, and sends each count on.
pub(crate) fn topology(topics: &Topics) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(topics.input.as_str());
    input.count(&Store::rocksdb("counts")).sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

/// A topic as the tests need it. Records here are of 1970; by default Kafka deletes what is older than a week.
pub(crate) fn spec(name: &str) -> TopicSpec {
    let config = vec![("retention.ms".to_owned(), "-1".to_owned())];
    TopicSpec { name: name.to_owned(), partition_count: 1, replication_factor: Some(1), config }
}

/// Makes input and output, the input of so many partitions. The client makes the other topics.
pub(crate) fn create(log: &impl Log, topics: &Topics, partition_count: i32) {
    let input = TopicSpec { partition_count, ..spec(&topics.input) };
    log.create_topics(&[input, spec(&topics.output)]).unwrap();
}

/// Sends a record to a partition of the input; where none is said, to that of its key.
pub(crate) fn send(
    producer: &mut impl Producer,
    topics: &Topics,
    partition: impl Into<Option<i32>>,
    key: &[u8],
    timestamp_ms: i64,
) {
    let (topic, partition) = (topics.input.as_str(), partition.into());
    let (key, value) = (Some(key), Some(&b"x"[..]));
    producer.send(&ProducerRecord { topic, partition, timestamp_ms, key, value, headers: &[] }).unwrap();
}

/// Commits records of seven keys in one transaction.
pub(crate) fn produce(log: &impl Log, topics: &Topics, count: usize) {
    create(log, topics, 1);
    in_transaction(log, &format!("{}-input", topics.application), |producer| {
        for index in 0..count {
            send(producer, topics, 0, format!("key-{}", index % 7).as_bytes(), 1_000 + index as i64);
        }
    });
}

const TIMEOUT: Duration = Duration::from_secs(10);

/// Commits one transaction of a producer of its own.
pub(crate) fn in_transaction<L: Log>(log: &L, transactional_id: &str, work: impl FnOnce(&mut L::Producer)) {
    transact(&mut producer(log, transactional_id), work);
}

/// A producer that can begin.
pub(crate) fn producer<L: Log>(log: &L, transactional_id: &str) -> L::Producer {
    let options = ProducerOptions {
        transactional_id: transactional_id.to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "test".to_owned(),
        track_topics: Vec::new(),
    };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    producer
}

/// Commits one transaction.
pub(crate) fn transact<P: Producer>(producer: &mut P, work: impl FnOnce(&mut P)) {
    producer.begin().unwrap();
    work(producer);
    producer.flush(TIMEOUT).unwrap();
    producer.commit(TIMEOUT).unwrap();
}

/// All committed records of a topic's only partition: offset, key, value. What an open transaction holds back is waited
/// for.
pub(crate) fn read(log: &impl Log, topic: &str) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let options = ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "test".into(),
        batch_records: 100,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    let partition = TopicPartition::new(topic, 0);
    let high = log.watermarks(&partition, Isolation::ReadUncommitted).unwrap().high;
    let mut consumer = log.consumer(&options).unwrap();
    consumer.assign(&[(partition, Start::Beginning)]).unwrap();
    let (mut found, mut ended) = (Vec::new(), false);
    while !ended {
        consumer
            .poll(Duration::from_millis(100), &mut |event| match event {
                Event::Records { records, .. } => found.extend(records.iter().map(|record| {
                    let bytes = |part: Option<&[u8]>| part.unwrap_or_default().to_vec();
                    (record.offset, bytes(record.key), bytes(record.value))
                })),
                Event::EndOfPartition { offset, .. } => ended = offset >= high,
                _ => {}
            })
            .unwrap();
    }
    found
}

/// The offset of the last record of the input.
pub(crate) fn last_offset(log: &impl Log, topics: &Topics) -> i64 {
    read(log, &topics.input).last().unwrap().0
}

/// How many records of counts are committed in the changelog; others tell its incarnation and what it covers.
pub(crate) fn changelog_count(log: &impl Log, topics: &Topics) -> u64 {
    let records = read(log, &format!("{}-counts-changelog", topics.application));
    records.iter().filter(|(_, key, _)| key.first() == Some(&1)).count() as u64
}

/// Every key's outputs are 1, 2, 3 ... without a gap or a double.
pub(crate) fn assert_exact(log: &impl Log, topics: &Topics, records: usize) {
    let mut counts: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let outputs = read(log, &topics.output);
    for (_, key, count) in &outputs {
        let seen = counts.entry(key.clone()).or_default();
        *seen += 1;
        let count = i64::from_be_bytes(count.as_slice().try_into().unwrap());
        assert_eq!(count, *seen, "outputs of {}", String::from_utf8_lossy(key));
    }
    assert_eq!(outputs.len(), records);
}
