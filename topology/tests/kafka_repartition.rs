//! Records that move to the task of another key, on a real broker: four partitions of input, three of the repartition
//! topic, a count; commits fail, and the broker deletes what was read.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens on another thread.
#![allow(clippy::disallowed_methods)]

mod counting;
#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;
mod moving;

use counting::{Topics, assert_exact, create};
use fault_log::{Fault, FaultLog, Script};
use moving::{PARTITIONS, assert_kept, moved, produce, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config, internal_topics};
use topology::graph::Topology;
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};
use topology::reset::Plan;

fn run(topology: &Topology, log: &impl Log, config: Config) -> topology::metrics::Snapshot {
    let mut client = Client::start_blocking(topology, log.clone(), Config { until_end: true, ..config }).unwrap();
    client.wait().unwrap();
    client.metrics()
}

#[test]
fn records_move_to_the_task_of_their_word_are_counted_once_and_deleted_and_a_reset_takes_the_topic_away() {
    let topics = Topics::new(unique("moving"));
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    let topology = topology(&topics, Some(3));
    create(&log, &topics, PARTITIONS);
    // Several transactions, so that there are markers between records.
    (0..3).for_each(|_| produce(&log, &topics, 4_000));
    let config = || Config {
        commit_interval_ms: 20,
        batch_records: 300,
        repartition_purge_interval_ms: 50,
        ..Config::new(topics.application.clone())
    };
    let faults = [Fault::None, Fault::LostUnknown, Fault::None, Fault::CommittedUnknown, Fault::Abort];
    let metrics = run(&topology, &FaultLog::new(log.clone(), &Script::commits(faults)), config());
    assert_eq!(metrics.rewind_count, 3, "{metrics:?}");
    assert_exact(&log, &topics, 12_000);
    assert_kept(&log, &topics);
    assert!(moved(&log, &topics).iter().any(|moved| moved.low > 0), "{:?}", moved(&log, &topics));

    // Another process goes on behind what was committed of both stages. Its deletions are the broker's own.
    produce(&log, &topics, 2_000);
    let metrics = run(&topology, &log, Config { repartition_purge_interval_ms: 30_000, ..config() });
    assert_eq!(metrics.record_count, 4_000, "each record is taken once in each stage");
    assert_exact(&log, &topics, 14_000);
    let ended = moved(&log, &topics);
    assert!(ended.len() == 3 && ended.iter().all(|moved| moved.low == moved.committed.unwrap_or(0)), "{ended:?}");

    let internal = internal_topics(&topology, &topics.application);
    assert_eq!(internal.len(), 2);
    let reset = Plan::look(&topology, &log, &topics.application, None).unwrap();
    assert_eq!(reset.topics(), internal);
    reset.carry_out(&log).unwrap();
    assert!(internal.iter().all(|topic| log.describe_topic(topic).unwrap().is_none()));
    assert!(log.describe_topic(&topics.output).unwrap().is_some());
}
