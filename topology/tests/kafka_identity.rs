//! Topics that are exchanged under a client that runs, on a real broker: its client reads on in the new topic without a
//! word, and nothing of it may be committed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;

use std::time::Duration;

use counting::{Topics, assert_exact, produce, spec, topology};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use test_cluster::{Cluster, unique, until};
use topology::Class;
use topology::client::{Client, Config};
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

const PATIENCE: Duration = Duration::from_secs(60);

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap()
}

/// A client that has counted so many records.
fn counted(log: &KafkaLog, topics: &Topics, count: usize) -> Client {
    produce(log, topics, count);
    let client = Client::start_blocking(&topology(topics), log.clone(), Config::new(&topics.application)).unwrap();
    until("all is counted", || client.metrics().record_count == count as u64);
    client
}

/// How the client ends; what hangs fails.
fn end_of(client: &mut Client) -> topology::Error {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = async { tokio::time::timeout(PATIENCE, client.closed()).await };
    let error = runtime.block_on(ended).expect("it goes on").unwrap_err();
    println!("{error}");
    assert_eq!(error.class(), Class::Stop);
    error
}

fn make_anew(log: &KafkaLog, topic: &str) {
    log.delete_topics(&[topic.to_owned()]).unwrap();
    log.create_topics(&[spec(topic)]).unwrap();
}

#[test]
fn nothing_of_an_input_that_was_made_anew_while_running_is_committed() {
    // The new topic has fewer records than were read, as many, or more: only there Kafka's client reads on.
    for count in [10, 101, 500] {
        let (log, topics) = (log(), Topics::new(unique("identity")));
        let mut client = counted(&log, &topics, 100);
        make_anew(&log, &topics.input);
        produce(&log, &topics, count);
        let message = end_of(&mut client).to_string();
        assert!(message.contains(&format!("topic '{}' was deleted and made anew", topics.input)), "{message}");
        println!("{} records were handed over", client.metrics().record_count);
        assert_exact(&log, &topics, 100);
    }
}

#[test]
fn an_output_or_changelog_that_was_made_anew_stops_the_client() {
    let log = log();
    for suffix in ["out", "counts-changelog", "in-dead-letters"] {
        let topics = Topics::new(unique("identity"));
        let topic = format!("{}-{suffix}", topics.application);
        let mut client = counted(&log, &topics, 10);
        make_anew(&log, &topic);
        let message = end_of(&mut client).to_string();
        assert!(message.contains(&format!("topic '{topic}' was deleted and made anew")), "{message}");
    }
}

#[test]
fn a_partition_that_is_added_while_running_stops_the_client() {
    let log = log();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", Cluster::shared().brokers()).create().unwrap();
    for of_input in [true, false] {
        let topics = Topics::new(unique("identity"));
        let mut client = counted(&log, &topics, 10);
        let topic = if of_input { &topics.input } else { &topics.output };
        let added = block_on(admin.create_partitions(&[NewPartitions::new(topic, 2)], &AdminOptions::new())).unwrap();
        added[0].as_ref().unwrap();
        let message = end_of(&mut client).to_string();
        let what = format!("topic '{topic}' has 2 partitions now, 1 when this run began");
        assert!(message.contains(&what), "{message}");
        assert_exact(&log, &topics, 10);
    }
}
