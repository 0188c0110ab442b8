//! Sources that read all topics whose names match: at the start, at a restart with others, and while a run goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]
// Tests measure real time: what they wait for happens on another thread.
#![allow(clippy::disallowed_methods)]

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../fault_log/mod.rs"]
#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;
#[path = "../kafka_waiting/lines.rs"]
mod lines;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counting::{Topics, assert_exact, in_transaction, read, send, spec};
use fault_log::{Fault, FaultLog, Script};
use topology::client::{Client, Config};
use topology::graph::{Builder, Pattern, Store, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{Log, Producer, ProducerRecord, TopicSpec};
use topology::reset::Plan;

fn topics() -> Topics {
    Topics::new("app".to_owned())
}

/// Counts the records of each key, of all topics that match.
fn counting() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], u8>(Pattern::new("app-(in|out).*|__.*"));
    input.count(&Store::rocksdb("counts")).sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

fn config(directory: &Path) -> Config {
    let state_directory = Some(directory.to_owned());
    Config { state_directory, batch_records: 10, commit_interval_ms: 0, ..Config::new("app") }
}

fn run_until_end(log: impl Log, directory: &Path) -> topology::Result<()> {
    let config = Config { until_end: true, ..config(directory) };
    let mut client = Client::start_blocking(&counting(), log, config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), client.closed()).await }).expect("it hangs")
}

/// Commits records of seven keys to a topic, each one byte long, which is made where it is not there.
fn produce(log: &impl Log, topic: &str, count: usize) {
    log.create_topics(&[spec(topic)]).unwrap();
    let topics = Topics { input: topic.to_owned(), ..topics() };
    in_transaction(log, "input", |producer| {
        for index in 0..count {
            send(producer, &topics, 0, format!("key-{}", index % 7).as_bytes(), 1_000 + index as i64);
        }
    });
}

fn memory_log() -> MemoryLog {
    MemoryLog::new(Arc::new(|| 0))
}

#[test]
fn all_topics_that_match_are_read_and_none_that_the_application_writes() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    for topic in ["app-in-a", "app-in-b", "elsewhere", "__internal", "app-in-z-dead-letters"] {
        produce(&log, topic, 20);
    }
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_exact(&log, &topics(), 40);
    // Outputs and dead letters match the pattern, too, and are there now.
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_exact(&log, &topics(), 40);
}

#[test]
fn a_topic_that_is_new_at_a_restart_joins_the_state_that_there_is_whatever_becomes_of_the_commits() {
    for fault in [Fault::None, Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        for at in 0..3 {
            let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
            produce(&log, "app-in-b", 30);
            run_until_end(log.clone(), directory.path()).unwrap();
            // It comes first, so what was input 0 is input 1 now.
            produce(&log, "app-in-a", 30);
            produce(&log, "app-in-b", 10);
            let script = Script::commits((0..at).map(|_| Fault::None).chain([fault]));
            run_until_end(FaultLog::new(log.clone(), &script), directory.path()).unwrap();
            assert_exact(&log, &topics(), 70);
            // And once more without it ever having been read alone.
            produce(&log, "app-in-a", 5);
            run_until_end(log.clone(), directory.path()).unwrap();
            assert_exact(&log, &topics(), 75);
        }
    }
}

#[test]
fn a_new_topic_has_dead_letters_of_its_own() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, "app-in-b", 5);
    run_until_end(log.clone(), directory.path()).unwrap();
    log.create_topics(&[spec("app-in-a")]).unwrap();
    in_transaction(&log, "input", |producer| {
        let (key, value, timestamp_ms) = (Some(&b"key"[..]), Some(&b"two bytes at least"[..]), 0);
        producer
            .send(&ProducerRecord { topic: "app-in-a", partition: Some(0), timestamp_ms, key, value, headers: &[] })
            .unwrap();
    });
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_eq!(read(&log, "app-in-a-dead-letters").len(), 1);
    assert!(read(&log, "app-in-b-dead-letters").is_empty());
    assert_exact(&log, &topics(), 5);
}

#[test]
fn without_a_topic_that_is_gone_at_a_restart_the_others_go_on_and_its_records_stay_counted() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, "app-in-a", 20);
    produce(&log, "app-in-b", 20);
    run_until_end(log.clone(), directory.path()).unwrap();
    log.delete_topics(&["app-in-a".to_owned()]).unwrap();
    produce(&log, "app-in-b", 10);
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_exact(&log, &topics(), 50);
    // A topic of that name that is made anew is a new one.
    produce(&log, "app-in-a", 10);
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_exact(&log, &topics(), 60);
}

#[test]
fn a_start_without_a_topic_that_matches_says_which_pattern_it_is() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let error = run_until_end(log, directory.path()).unwrap_err().to_string();
    assert!(error.contains("no topic matches 'app-(in|out).*|__.*', which source 'pattern' reads"), "{error}");
}

#[test]
fn a_broker_that_is_behind_is_asked_again() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, "app-in-a", 20);
    let script = Script::default();
    script.hide("app-in-a", 3);
    run_until_end(FaultLog::new(log.clone(), &script), directory.path()).unwrap();
    assert_exact(&log, &topics(), 20);
}

#[test]
fn topics_that_match_and_have_other_numbers_of_partitions_are_refused_by_name() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    log.create_topics(&[spec("app-in-a"), TopicSpec { partition_count: 2, ..spec("app-in-b") }]).unwrap();
    let error = run_until_end(log, directory.path()).unwrap_err().to_string();
    assert!(error.contains("reads topic 'app-in-a' with 1 partitions and topic 'app-in-b' with 2"), "{error}");
}

#[test]
fn a_topic_that_comes_to_match_while_a_run_goes_on_is_told_and_read_after_a_restart() {
    lines::keep();
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, "app-in-a", 20);
    let mut client = Client::start_blocking(&counting(), log.clone(), config(directory.path())).unwrap();
    produce(&log, "app-in-late", 10);
    produce(&log, "other", 10);
    let said = lines::until(1, &["topic=\"app-in-late\"", "it is not read. Start all instances again"]);
    assert_eq!(said.len(), 1);
    assert!(lines::with(&["topic=\"other\"", "is not read"]).is_empty());
    client.stop();
    client.wait().unwrap();
    run_until_end(log.clone(), directory.path()).unwrap();
    assert_exact(&log, &topics(), 30);
}

#[test]
fn a_reset_forgets_the_offsets_of_all_topics_that_match() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, "app-in-a", 20);
    run_until_end(log.clone(), directory.path()).unwrap();
    let plan = Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap();
    assert!(plan.has_offsets());
    plan.carry_out(&log).unwrap();
    assert!(Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap().is_empty());
}
