//! What topics take, and how a client keeps to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;

use counting::{Topics, assert_exact, in_transaction, produce, read, spec, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::graph::Builder;
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Log, Producer, ProducerRecord};
use topology::processor::Reaction;

/// Counts to the end of the input, with an output or changelog that takes `max_message_bytes`.
fn run(topics: &Topics, limited: &str, max_message_bytes: &str) -> topology::Result<KafkaLog> {
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers()))?;
    let mut small = spec(limited);
    small.config.push(("max.message.bytes".to_owned(), max_message_bytes.to_owned()));
    if limited.ends_with("-changelog") {
        for (name, value) in [("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")] {
            small.config.push((name.to_owned(), value.to_owned()));
        }
    }
    log.create_topics(&[small])?;
    produce(&log, topics, 5_000);
    // One transaction for all: its records go out in batches as large as they may be.
    let config = Config { until_end: true, commit_interval_ms: 4_000, ..Config::new(topics.application.clone()) };
    Client::start_blocking(&topology(topics), log.clone(), config)?.wait()?;
    Ok(log)
}

#[test]
fn topics_that_take_small_batches_get_small_batches() {
    for changelog in [false, true] {
        let topics = Topics::new(unique("limits"));
        let changelog = changelog.then(|| format!("{}-counts-changelog", topics.application));
        let log = run(&topics, changelog.as_deref().unwrap_or(&topics.output), "1000").unwrap();
        assert_exact(&log, &topics, 5_000);
    }
}

#[test]
fn a_record_that_a_topic_can_never_take_stops_with_the_topic_and_the_setting() {
    let topics = Topics::new(unique("limits"));
    let error = run(&topics, &topics.output, "80").err().unwrap().to_string();
    assert!(error.contains(&topics.output) && error.contains("max.message.bytes"), "{error}");
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    assert!(read(&log, &topics.output).is_empty());
}

const AGE_MAX_MS: i64 = 60_000;

/// Records that the output takes, and between them some that it does not: by their size or their time. Returns how
/// many.
fn produce_misfits(log: &KafkaLog, topics: &Topics) -> (usize, usize) {
    let now_ms = SystemClock::new().now_ms();
    let (mut fits, mut misfits) = (0, 0);
    in_transaction(log, &format!("{}-input", topics.application), |producer| {
        for index in 0..3_000_usize {
            let value = vec![b'x'; if index % 100 == 7 { 500 } else { 50 }];
            let age_ms = if index % 100 == 9 { 2 * AGE_MAX_MS } else { 0 };
            let is_misfit = value.len() > 50 || age_ms > 0;
            (fits, misfits) = (fits + usize::from(!is_misfit), misfits + usize::from(is_misfit));
            let record = ProducerRecord {
                topic: &topics.input,
                partition: Some(0),
                timestamp_ms: now_ms - age_ms,
                key: Some(b"key"),
                value: Some(&value),
                headers: &[],
            };
            producer.send(&record).unwrap();
        }
    });
    (fits, misfits)
}

/// What is left out beforehand is what this broker refuses: without a handler its topic's first misfit stops the run.
#[test]
fn records_that_the_broker_would_refuse_become_dead_letters_and_the_rest_of_the_transaction_is_committed() {
    let topics = Topics::new(unique("limits"));
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    let mut output = spec(&topics.output);
    let age_max_ms = AGE_MAX_MS.to_string();
    for (name, value) in [("max.message.bytes", "300"), ("message.timestamp.before.max.ms", age_max_ms.as_str())] {
        output.config.push((name.to_owned(), value.to_owned()));
    }
    log.create_topics(&[spec(&topics.input), output]).unwrap();
    let (fits, misfits) = produce_misfits(&log, &topics);
    for reaction in [Reaction::Fail, Reaction::DeadLetter] {
        let builder = Builder::new();
        builder.on_production_error(move |_| reaction);
        builder.sub_topology("copying").source::<[u8], [u8]>(topics.input.as_str()).sink(topics.output.as_str());
        let config = Config { until_end: true, ..Config::new(topics.application.clone()) };
        let mut client = Client::start_blocking(&builder.build().unwrap(), log.clone(), config).unwrap();
        match reaction {
            Reaction::Fail => {
                assert!(client.wait().unwrap_err().to_string().contains("max.message.bytes"));
                assert!(read(&log, &topics.output).is_empty());
            }
            _ => {
                client.wait().unwrap();
                assert_eq!(client.metrics().dead_letter_count, misfits as u64);
                assert_eq!(read(&log, &topics.output).len(), fits);
                assert_eq!(read(&log, &format!("{}-dead-letters", topics.input)).len(), misfits);
            }
        }
    }
}
