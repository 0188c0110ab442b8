use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::client::{Client, Config};
use crate::graph::{Builder, Store, Topic};
use crate::log::memory::MemoryLog;
use crate::log::{
    Consumer, ConsumerOptions, GroupOptions, GroupProtocol, Isolation, OutOfRange, Producer, ProducerOptions,
    ProducerRecord, TopicSpec,
};
use crate::store::InstanceId;

fn counting() -> Topology {
    let builder = Builder::new();
    let words = builder.sub_topology("counting").source::<[u8], [u8]>("words");
    words.count(&Store::rocksdb("counts")).sink(Topic::new("totals").partitions(1));
    builder.build().unwrap()
}

/// A log with five words that were counted, by an application that ended.
fn counted(root: &Path) -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| 0));
    let spec = TopicSpec { name: "words".into(), partition_count: 1, replication_factor: None, config: Vec::new() };
    log.create_topics(&[spec]).unwrap();
    let options = ProducerOptions {
        transactional_id: "words".into(),
        transaction_timeout_ms: 10_000,
        client_id: "test".into(),
        track_topics: Vec::new(),
    };
    let (mut producer, timeout) = (log.producer(&options).unwrap(), Duration::from_secs(1));
    producer.init_transactions(timeout).unwrap();
    producer.begin().unwrap();
    for _ in 0..5 {
        let record = ProducerRecord {
            topic: "words",
            partition: Some(0),
            timestamp_ms: 0,
            key: Some(b"tea"),
            value: Some(b""),
            headers: &[],
        };
        producer.send(&record).unwrap();
    }
    producer.commit(timeout).unwrap();
    run(&log, root);
    log
}

fn run(log: &MemoryLog, root: &Path) {
    let config = Config { until_end: true, state_directory: Some(root.to_owned()), ..Config::new("app") };
    Client::start_blocking(&counting(), log.clone(), config).unwrap().wait().unwrap();
}

/// The end of the topic that the application writes.
fn written(log: &MemoryLog) -> i64 {
    log.watermarks(&TopicPartition::new("totals", 0), Isolation::ReadCommitted).unwrap().high
}

#[test]
fn what_was_reset_starts_again_from_the_beginning_and_topics_of_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let log = counted(directory.path());
    let look = || Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap();
    let plan = look();
    let stores = directory.path().join("app");
    let lines = format!("topic app-counts-changelog\nthe offsets of group app\nthe stores in {}", stores.display());
    assert_eq!(plan.to_string(), lines);
    assert_eq!(look(), plan, "looking changes nothing");
    plan.carry_out(&log).unwrap();
    assert!(look().is_empty() && !stores.exists());
    plan.carry_out(&log).unwrap();
    let before = written(&log);
    run(&log, directory.path());
    // Five counts and the marker of their transaction, as the first time: none goes on from 5.
    assert_eq!(written(&log), 2 * before);
}

#[test]
fn a_reset_is_refused_while_the_group_has_members() {
    let directory = tempfile::tempdir().unwrap();
    let log = counted(directory.path());
    let group = GroupOptions {
        id: "app".into(),
        instance_id: None,
        session_timeout_ms: 10_000,
        protocol: GroupProtocol::default(),
    };
    let options = ConsumerOptions {
        group: Some(group),
        isolation: Isolation::ReadCommitted,
        client_id: "test".into(),
        batch_records: 1,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    let mut member = log.consumer(&options).unwrap();
    member.subscribe(&["words".to_owned()]).unwrap();
    member.poll(Duration::from_millis(1), &mut |_| ()).unwrap();
    let plan = Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap();
    let error = plan.carry_out(&log).unwrap_err().to_string();
    assert!(error.contains("group 'app' has 1 member: stop all instances"), "{error}");
    assert_eq!(Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap(), plan);
    member.leave().unwrap();
    plan.carry_out(&log).unwrap();
}

#[test]
fn a_directory_that_no_run_has_made_is_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let log = counted(directory.path());
    let theirs = directory.path().join("app2").join("letters.txt");
    std::fs::create_dir(theirs.parent().unwrap()).unwrap();
    std::fs::write(&theirs, "dear").unwrap();
    let plan = Plan::look(&counting(), &log, "app2", Some(directory.path())).unwrap();
    let error = plan.carry_out(&log).unwrap_err().to_string();
    assert!(error.contains("app2 is no state directory"), "{error}");
    assert!(theirs.exists());
}

#[test]
fn what_a_reset_that_died_has_left_the_next_one_deletes() {
    let directory = tempfile::tempdir().unwrap();
    let log = counted(directory.path());
    let plan = Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap();
    let stores = directory.path().join("app");
    // All but the last file.
    std::fs::remove_dir_all(stores.join("counting_0")).unwrap();
    std::fs::remove_file(stores.join("instance")).unwrap();
    plan.carry_out(&log).unwrap();
    assert!(!stores.exists());
}

#[test]
fn a_reset_is_refused_while_the_state_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let log = counted(directory.path());
    let plan = Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap();
    let used = StateDirectory::open(directory.path(), "app", InstanceId::new(0, 0)).unwrap();
    assert!(plan.carry_out(&log).is_err());
    assert_eq!(Plan::look(&counting(), &log, "app", Some(directory.path())).unwrap(), plan, "nothing was deleted");
    drop(used);
    plan.carry_out(&log).unwrap();
}
