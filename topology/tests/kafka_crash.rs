//! Crashes at exactly chosen points of a commit, on the real broker and on the embedded log: counts stay exact, and a
//! start restores no more than what was committed since the store was last on the disk.
//!
//! A process cannot be stopped at an instruction from outside. So this test binary runs itself as a child, in a role
//! that an environment variable names: there the count topology works on a log whose producers end the process at the
//! chosen commit.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod counting;
#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counting::{Topics, changelog_count, last_offset, produce};
use fault_log::{Fault, FaultLog, Script};
use serde_json::{Value, json};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::log::embedded::{self, EmbeddedLog};
use topology::log::kafka::{self, KafkaLog};
use topology::log::{GroupProtocol, Log, TopicPartition};
use topology::metrics::Snapshot;

const ROLE: &str = "TOPOLOGY_TEST_ROLE";
const COUNTS: &str = "counts: ";

fn embedded(directory: &Path) -> EmbeddedLog {
    let clock = SystemClock::new();
    EmbeddedLog::open(directory, &embedded::Options::default(), Arc::new(move || clock.now_ms())).unwrap()
}

fn kafka(brokers: &str) -> KafkaLog {
    KafkaLog::new(kafka::Options::new(brokers)).unwrap()
}

fn broker() -> KafkaLog {
    kafka(Cluster::shared().brokers())
}

/// An application, its topics, and the log they are on.
struct World {
    topics: Topics,
    log: Value,
    protocol: GroupProtocol,
    directory: tempfile::TempDir,
}

impl World {
    fn on_kafka() -> Self {
        Self::on(Cluster::shared(), GroupProtocol::Classic)
    }

    fn on(cluster: &Cluster, protocol: GroupProtocol) -> Self {
        let log = json!({ "brokers": cluster.brokers() });
        Self { topics: Topics::new(unique("crash")), log, protocol, directory: tempfile::tempdir().unwrap() }
    }

    fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = json!({ "embedded": directory.path().join("log") });
        Self { topics: Topics::new("crash".to_owned()), log, protocol: GroupProtocol::Classic, directory }
    }

    fn state(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a child on this state directory with these faults; `None` if it died at one of them.
    fn child(&self, state: &str, faults: &[Fault], until_offset: Option<i64>) -> Option<Counts> {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
        let role = json!({
            "log": self.log, "application": self.topics.application, "state": self.state(state), "faults": faults,
            "until_offset": until_offset, "is_classic": self.protocol == GroupProtocol::Classic,
        });
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_child_in_its_role", "--nocapture"]).env(ROLE, role.to_string());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.lines().find_map(|line| Some(line.split_once(COUNTS)?.1.to_owned()));
        let died = output.status.code().is_none();
        assert!(died != told.is_some(), "{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_str(&told?).unwrap();
        let count = |name: &str| told[name].as_u64().unwrap();
        Some(Counts { records: count("records"), restored: count("restored"), rewinds: count("rewinds") })
    }

    /// A child that must end well.
    fn whole_child(&self, state: &str) -> Counts {
        self.child(state, &[], None).expect("it died")
    }

    /// Asks the log, on which no other client works at the moment.
    fn ask<T>(&self, ask: impl FnOnce(&dyn Questions) -> T) -> T {
        match self.log["embedded"].as_str() {
            Some(directory) => ask(&embedded(Path::new(directory))),
            None => ask(&kafka(self.log["brokers"].as_str().unwrap())),
        }
    }

    fn produce(&self, count: usize) {
        self.ask(|log| log.produce(&self.topics, count));
    }

    fn changelog_count(&self) -> u64 {
        self.ask(|log| log.changelog_count(&self.topics))
    }

    fn assert_exact(&self, records: usize) {
        self.ask(|log| log.assert_exact(&self.topics, records));
    }
}

/// What a child tells of its run.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    records: u64,
    restored: u64,
    rewinds: u64,
}

/// What is asked of either log.
trait Questions {
    fn produce(&self, topics: &Topics, count: usize);
    fn changelog_count(&self, topics: &Topics) -> u64;
    fn assert_exact(&self, topics: &Topics, records: usize);
}

impl<L: Log> Questions for L {
    fn produce(&self, topics: &Topics, count: usize) {
        produce(self, topics, count);
    }

    fn changelog_count(&self, topics: &Topics) -> u64 {
        changelog_count(self, topics)
    }

    fn assert_exact(&self, topics: &Topics, records: usize) {
        counting::assert_exact(self, topics, records);
    }
}

/// No test by itself: what a child process does.
#[test]
fn a_child_in_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let role: Value = serde_json::from_str(&role).unwrap();
    let metrics = match role["log"]["embedded"].as_str() {
        Some(directory) => work(embedded(Path::new(directory)), &role),
        None => work(kafka(role["log"]["brokers"].as_str().unwrap()), &role),
    };
    let Snapshot { record_count, restored_record_count, rewind_count, .. } = metrics;
    let counts = json!({ "records": record_count, "restored": restored_record_count, "rewinds": rewind_count });
    println!("{COUNTS}{counts}");
}

fn work(log: impl Log, role: &Value) -> Snapshot {
    let faults = role["faults"].as_array().unwrap().iter().map(|name| fault(name.as_str().unwrap()));
    let script = Script::commits(faults);
    let topics = Topics::new(role["application"].as_str().unwrap().to_owned());
    let mut config = config(&topics, Path::new(role["state"].as_str().unwrap()));
    let until_offset = role["until_offset"].as_i64();
    config.until_end = until_offset.is_none();
    if role["is_classic"] == false {
        config.group_protocol = GroupProtocol::Consumer;
    }
    let mut client =
        Client::start_blocking(&counting::topology(&topics), FaultLog::new(log.clone(), &script), config).unwrap();
    if let Some(until_offset) = until_offset {
        let input = [TopicPartition::new(&topics.input, 0)];
        while committed(&log, &topics, &input).is_none_or(|offset| offset <= until_offset) {
            std::thread::sleep(Duration::from_millis(50));
        }
        client.stop();
    }
    client.wait().unwrap();
    client.metrics()
}

/// `None` also while a transaction that holds the answer is open.
fn committed(log: &impl Log, topics: &Topics, input: &[TopicPartition]) -> Option<i64> {
    Some(log.committed(&topics.application, input).ok()?.pop()??.offset)
}

fn config(topics: &Topics, state: &Path) -> Config {
    let mut config = Config::new(&topics.application);
    config.state_directory = Some(state.to_owned());
    config.batch_records = 10;
    config.commit_interval_ms = 0;
    config.session_timeout_ms = 2_000;
    config.transaction_timeout_ms = 4_000;
    config
}

fn fault(name: &str) -> Fault {
    let all = [Fault::None, Fault::DieBefore, Fault::DieAfter];
    all.into_iter().find(|fault| format!("{fault:?}") == name).unwrap()
}

fn a_crash_between_commit_and_store_write_restores_only_the_delta(world: &World) {
    world.produce(100);
    assert_eq!(world.whole_child("state"), Counts { records: 100, restored: 0, rewinds: 0 });
    world.produce(100);
    let before = world.changelog_count();
    assert_eq!(world.child("state", &[Fault::None, Fault::None, Fault::DieAfter], None), None);
    let delta = world.changelog_count() - before;
    assert!(delta > 0, "the commit before the crash reached the changelog");
    assert_eq!(world.whole_child("state").restored, delta);
    world.assert_exact(200);
}

fn a_crash_with_a_transaction_open_loses_only_work(world: &World) {
    world.produce(100);
    world.whole_child("state");
    world.produce(100);
    assert_eq!(world.child("state", &[Fault::DieBefore], None), None);
    assert_eq!(world.whole_child("state"), Counts { records: 100, restored: 0, rewinds: 0 });
    world.assert_exact(200);
}

#[test]
fn on_kafka_a_crash_between_commit_and_store_write_restores_only_the_delta() {
    a_crash_between_commit_and_store_write_restores_only_the_delta(&World::on_kafka());
}

#[test]
fn on_the_embedded_log_a_crash_between_commit_and_store_write_restores_only_the_delta() {
    a_crash_between_commit_and_store_write_restores_only_the_delta(&World::embedded());
}

#[test]
fn on_kafka_a_crash_with_a_transaction_open_loses_only_work() {
    a_crash_with_a_transaction_open_loses_only_work(&World::on_kafka());
}

#[test]
fn on_the_embedded_log_a_crash_with_a_transaction_open_loses_only_work() {
    a_crash_with_a_transaction_open_loses_only_work(&World::embedded());
}

#[test]
fn another_instance_takes_over_from_one_that_died_with_a_transaction_open() {
    for faults in [&[Fault::DieBefore][..], &[Fault::None, Fault::None, Fault::DieBefore], &[Fault::DieAfter]] {
        let world = World::on_kafka();
        world.produce(100);
        let last = last_offset(&broker(), &world.topics);
        assert_eq!(world.child("state", faults, None), None);
        let committed = world.changelog_count();
        let other = world.child("other-state", &[], Some(last)).expect("it died");
        assert_eq!((other.restored, other.rewinds), (committed, 0), "{faults:?}");
        world.assert_exact(100);
    }
}

#[test]
fn a_killed_member_of_the_consumer_protocol_comes_back_as_another_once_its_session_is_over() {
    if Cluster::version() < (4, 0) {
        println!("this Kafka has no consumer protocol");
        return;
    }
    let cluster = Cluster::start_with(&[
        "group.consumer.min.session.timeout.ms=3000",
        "group.consumer.session.timeout.ms=3000",
        "group.consumer.min.heartbeat.interval.ms=500",
        "group.consumer.heartbeat.interval.ms=500",
    ]);
    for faults in [&[Fault::DieBefore][..], &[Fault::None, Fault::DieAfter]] {
        let world = World::on(&cluster, GroupProtocol::Consumer);
        world.produce(100);
        let last = last_offset(&kafka(cluster.brokers()), &world.topics);
        assert_eq!(world.child("state", faults, None), None);
        // Not a bounded run: the killed one is still a member, so that would not have the group for itself.
        let again = world.child("state", &[], Some(last)).expect("it died");
        assert!(again.records > 0 && again.rewinds == 0, "{faults:?}: {again:?}");
        world.assert_exact(100);
    }
}

#[test]
fn on_kafka_a_commit_with_unknown_outcome_neither_loses_nor_doubles_anything() {
    for fault in [Fault::CommittedUnknown, Fault::LostUnknown, Fault::Abort] {
        let world = World::on_kafka();
        world.produce(100);
        let faults = [Fault::None, fault, Fault::None, Fault::None, fault];
        let log = FaultLog::new(broker(), &Script::commits(faults));
        let mut config = config(&world.topics, &world.state("state"));
        config.until_end = true;
        let mut client = Client::start_blocking(&counting::topology(&world.topics), log, config).unwrap();
        client.wait().unwrap();
        assert_eq!(client.metrics().rewind_count, 2, "{fault:?}");
        world.assert_exact(100);
    }
}
