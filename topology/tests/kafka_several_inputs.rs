//! A task that reads two topics, on a real broker: their records are merged by time, though the broker hands them out
//! as it likes and commits fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens on another thread.
#![allow(clippy::disallowed_methods)]

mod counting;
#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;
mod joining;

use fault_log::{Fault, FaultLog, Script};
use joining::{Topics, create, expected, produce, told, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config};
use topology::log::kafka::{KafkaLog, Options};

fn run(topics: &Topics, log: &KafkaLog, config: Config, faults: &[Fault]) -> topology::metrics::Snapshot {
    let faulty = FaultLog::new(log.clone(), &Script::commits(faults.iter().copied()));
    let mut client = Client::start_blocking(&topology(topics), faulty, Config { until_end: true, ..config }).unwrap();
    client.wait().unwrap();
    client.metrics()
}

/// Times that rise and fall: the number `n` of this topic.
fn time_ms(n: i64, step: i64) -> i64 {
    1_000_000 + n * step + (n * 7_919) % 97
}

#[test]
fn two_topics_are_merged_by_time_in_one_task_whatever_the_broker_sends_first_and_though_commits_fail() {
    let topics = Topics::new(unique("joining"));
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    create(&log, &topics);
    let orders: Vec<i64> = (0..20_000).map(|n| time_ms(n, 3)).collect();
    let payments: Vec<i64> = (0..30_000).map(|n| time_ms(n, 2)).collect();
    // Several transactions each, so that there are markers between records.
    for part in orders.chunks(7_000) {
        produce(&log, &topics.orders, part);
    }
    for part in payments.chunks(11_000) {
        produce(&log, &topics.payments, part);
    }
    // Room for a few hundred records: each topic is paused and read on again and again.
    let config = || Config {
        queue_max_bytes: 64 << 10,
        commit_interval_ms: 20,
        batch_records: 500,
        ..Config::new(topics.application.clone())
    };
    let faults = [Fault::None, Fault::LostUnknown, Fault::None, Fault::None, Fault::CommittedUnknown, Fault::None];
    let metrics = run(&topics, &log, config(), &faults);
    assert_eq!(metrics.rewind_count, 2, "{metrics:?}");
    assert_eq!(told(&log, &topics), expected(&orders, &payments));

    // Another process goes on behind what was committed of each, with the state of both.
    let later: Vec<i64> = (0..1_000).map(|n| 2_000_000 + n).collect();
    produce(&log, &topics.payments, &later);
    let metrics = run(&topics, &log, config(), &[]);
    assert_eq!(metrics.record_count, 1_000, "nothing is taken twice");
    let all: Vec<i64> = payments.iter().chain(&later).copied().collect();
    assert_eq!(told(&log, &topics), expected(&orders, &all));
}
