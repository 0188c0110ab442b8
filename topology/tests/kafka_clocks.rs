//! Brokers whose clock is not this machine's: what the engine writes of its own is taken all the same, and what is
//! refused is refused with what both clocks say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;
mod moving;

use std::time::Duration;

use counting::{Topics, assert_exact, create, in_transaction, producer, read, send, spec};
use test_cluster::{Cluster, unique};
use topology::Class;
use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::graph::{Builder, Store, Topology};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Log, Producer, ProducerRecord};

const HOUR_MS: i64 = 3_600_000;

fn log_of(cluster: &Cluster) -> KafkaLog {
    KafkaLog::new(Options::new(cluster.brokers())).unwrap()
}

fn run(topology: &Topology, log: &KafkaLog, topics: &Topics) -> topology::Result<()> {
    let config = Config { until_end: true, ..Config::new(topics.application.clone()) };
    Client::start_blocking(topology, log.clone(), config)?.wait()
}

/// The broker's topics take what is of its last second, unless they say otherwise: to all else it is as if it were
/// hours off.
#[test]
fn changelogs_dead_letters_and_repartition_topics_take_what_the_engine_writes_whatever_the_clocks_say() {
    let cluster =
        Cluster::start_with(&["log.message.timestamp.before.max.ms=1000", "log.message.timestamp.after.max.ms=1000"]);
    let (log, topics) = (log_of(&cluster), Topics::new(unique("clocks")));
    let mut any_time = [spec(&topics.input), spec(&topics.output)];
    for topic in &mut any_time {
        let open = topology::log::TIMESTAMP_BOUNDS.map(|name| (name.to_owned(), topology::log::ANY_TIME.to_owned()));
        topic.config.extend(open);
        topic.partition_count = if topic.name == topics.input { moving::PARTITIONS } else { 1 };
    }
    log.create_topics(&any_time).unwrap();
    // Event times of 1970: they go through the repartition topic.
    moving::produce(&log, &topics, 500);
    let topology = moving::topology(&topics, Some(3));
    run(&topology, &log, &topics).unwrap();
    assert_exact(&log, &topics, 500);
    for own in [format!("{}-counts-changelog", topics.application), format!("{}-dead-letters", topics.input)] {
        assert_eq!(log.describe_topic(&own).unwrap().unwrap().timestamp_type, "LogAppendTime", "{own}");
    }
    // The broker has told its time with what went to the changelog.
    assert_eq!(log.clock_ahead_ms(), Some(0));
}

/// What an error says of the clocks: this machine's and the broker's.
fn clocks_in(error: &str) -> [i64; 2] {
    let number = |behind: &str| -> i64 {
        let (_, rest) = error.split_once(behind).unwrap_or_else(|| panic!("no '{behind}' in: {error}"));
        rest.split(|digit: char| !digit.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    [number("this machine's clock says "), number("and the broker's ")]
}

fn assert_both_clocks(error: &str) {
    println!("{error}");
    assert!(error.contains("too far from the broker's clock"), "{error}");
    let now_ms = SystemClock::new().now_ms();
    for told_ms in clocks_in(error) {
        assert!((now_ms - told_ms).abs() < 60_000, "{told_ms} is not about {now_ms}: {error}");
    }
}

/// A broker tells its clock with records to a topic that gets its time.
fn hear_of_the_clock(log: &KafkaLog, topics: &Topics) {
    let appended = Topics { input: format!("{}-appended", topics.input), ..Topics::new(topics.application.clone()) };
    let mut spec = spec(&appended.input);
    spec.config.push(("message.timestamp.type".to_owned(), "LogAppendTime".to_owned()));
    log.create_topics(&[spec]).unwrap();
    assert_eq!(log.clock_ahead_ms(), None);
    in_transaction(log, "appended", |producer| send(producer, &appended, 0, b"key", 1));
    assert_eq!(log.clock_ahead_ms(), Some(0));
}

#[test]
fn a_record_of_a_machine_whose_clock_is_three_hours_ahead_is_refused_with_both_clocks() {
    let (log, topics) = (log_of(Cluster::shared()), Topics::new(unique("clocks")));
    let mut bounded = spec(&topics.input);
    bounded.config.push(("message.timestamp.after.max.ms".to_owned(), HOUR_MS.to_string()));
    log.create_topics(&[bounded]).unwrap();
    hear_of_the_clock(&log, &topics);
    let now_ms = SystemClock::new().now_ms();
    // One alone, several, and some among others: the broker has another code for each.
    for ahead_hours in [&[3][..], &[3, 3, 3], &[0, 3, 0, 3, 0]] {
        let mut producer = producer(&log, &topics.application);
        producer.begin().unwrap();
        for hours in ahead_hours {
            send(&mut producer, &topics, 0, b"key", now_ms + hours * HOUR_MS);
        }
        let error = producer.flush(Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.class(), Class::Stop, "{error}");
        assert_both_clocks(&error.to_string());
    }
}

#[test]
fn an_output_that_the_brokers_clock_refuses_stops_the_application_with_both_clocks() {
    let (log, topics) = (log_of(Cluster::shared()), Topics::new(unique("clocks")));
    create(&log, &topics, 1);
    let bounded = format!("{}-bounded", topics.output);
    let mut bounded_spec = spec(&bounded);
    bounded_spec.config.push(("message.timestamp.after.max.ms".to_owned(), HOUR_MS.to_string()));
    log.create_topics(&[bounded_spec]).unwrap();
    let now_ms = SystemClock::new().now_ms();
    in_transaction(&log, "input", |producer| send(producer, &topics, 0, b"key", now_ms));
    let builder = Builder::new();
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(topics.input.as_str());
    // What goes to the changelog tells the broker's clock.
    input.count(&Store::memory("counts"));
    // As a machine does whose clock is three hours ahead.
    let ahead = input.process_fn::<[u8], [u8]>(|record, context| {
        let timestamp_ms = context.now_ms() + 3 * HOUR_MS;
        context.forward(topology::processor::Record { timestamp_ms, ..record.with(record.key, record.value) })
    });
    ahead.sink(bounded.as_str());
    let error = run(&builder.build().unwrap(), &log, &topics).unwrap_err();
    assert_eq!(error.class(), Class::Stop, "{error}");
    assert!(error.to_string().contains(&bounded), "{error}");
    assert_both_clocks(&error.to_string());
    assert!(read(&log, &bounded).is_empty());
}

#[test]
fn a_record_without_a_key_that_a_compacted_topic_refuses_is_not_taken_for_one_of_the_wrong_time() {
    let (log, topics) = (log_of(Cluster::shared()), Topics::new(unique("clocks")));
    let mut compacted = spec(&topics.input);
    compacted.config.push(("cleanup.policy".to_owned(), "compact".to_owned()));
    log.create_topics(&[compacted]).unwrap();
    let mut producer = producer(&log, &topics.application);
    producer.begin().unwrap();
    let (topic, value) = (topics.input.as_str(), Some(&b"x"[..]));
    for _ in 0..2 {
        let record = ProducerRecord { topic, partition: Some(0), timestamp_ms: 1, key: None, value, headers: &[] };
        producer.send(&record).unwrap();
    }
    let error = producer.flush(Duration::from_secs(10)).unwrap_err().to_string();
    println!("{error}");
    assert!(error.contains("it has no key, which a compacted topic does not take"), "{error}");
}
