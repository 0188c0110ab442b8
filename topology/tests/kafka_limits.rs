//! What topics take, and how a client keeps to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;

use counting::{Topics, assert_exact, produce, read, spec, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config};
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

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
    // One transaction for all: what is sent goes out in batches as large as they may be.
    let config = Config { until_end: true, commit_interval_ms: 4_000, ..Config::new(topics.application.clone()) };
    Client::start(&topology(topics), log.clone(), config)?.wait()?;
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
