//! What the examples run on: a log in this process's memory, with records into it and out of it.
//!
//! On a cluster `KafkaLog::new(kafka::Options::new("localhost:9092"))` takes its place, with the records of other
//! programs; the graphs stay as they are.

use std::sync::Arc;
use std::time::Duration;

use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::codec::{Codec, Data};
use topology::graph::Topology;
use topology::log::memory::MemoryLog;
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Producer, ProducerOptions, ProducerRecord, Start,
    TopicPartition, TopicSpec,
};

/// Any error: of the log, of the engine, of an item that cannot be bytes.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An empty log.
pub(crate) fn log() -> MemoryLog {
    let clock = SystemClock::new();
    MemoryLog::new(Arc::new(move || clock.now_ms()))
}

/// Adds records to a topic, which is made where it is not there: key, value and event time in ms, one after the other.
pub(crate) fn write<V>(log: &MemoryLog, topic: &str, records: &[(&str, V::Item<'_>, i64)]) -> Result
where
    V: Codec + ?Sized,
{
    let (name, partition_count) = (topic.to_owned(), 1);
    log.create_topics(&[TopicSpec { name, partition_count, replication_factor: None, config: Vec::new() }])?;
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: "example".to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "example".to_owned(),
        track_topics: Vec::new(),
    })?;
    producer.init_transactions(TIMEOUT)?;
    producer.begin()?;
    for (key, item, timestamp_ms) in records {
        let mut value = Vec::new();
        V::encode(item, &mut value)?;
        let (key, value, timestamp_ms) = (Some(key.as_bytes()), Some(&value[..]), *timestamp_ms);
        producer.send(&ProducerRecord { topic, partition: None, timestamp_ms, key, value, headers: &[] })?;
    }
    Ok(producer.commit(TIMEOUT)?)
}

/// Runs an application until it has processed all there is.
pub(crate) fn run(topology: &Topology, log: &MemoryLog, application_id: &str) -> Result {
    let config = Config { until_end: true, ..Config::new(application_id) };
    Ok(Client::start_blocking(topology, log.clone(), config)?.wait()?)
}

/// The records of a topic's first partition that are there now: key and value.
pub(crate) fn read<V>(log: &MemoryLog, topic: &str) -> Result<Vec<(String, V)>>
where
    V: Codec + for<'a> Data<Item<'a> = V>,
{
    let partition = TopicPartition::new(topic, 0);
    let mut consumer = log.consumer(&ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "example".to_owned(),
        batch_records: 100,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    })?;
    consumer.assign(&[(partition, Start::Beginning)])?;
    let (mut found, mut is_at_end) = (Vec::new(), false);
    while !is_at_end {
        consumer.poll(TIMEOUT, &mut |event| match event {
            Event::Records { records, .. } => found.extend(records.iter().map(|record| {
                let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
                V::decode(record.value.unwrap_or_default()).map(|value| (key, value))
            })),
            Event::EndOfPartition { .. } => is_at_end = true,
            _ => {}
        })?;
    }
    Ok(found.into_iter().collect::<std::result::Result<_, _>>()?)
}
