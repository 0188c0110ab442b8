//! The embedded log after the end of its process, at any moment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{
    Consumer, ConsumerOptions, GroupOptions, GroupProtocol, Isolation, Kind, Log, OffsetCommit, Producer,
    TopicPartition,
};

use super::wall_clock;
use crate::harness::*;

const DIR: &str = "LOG_CONTRACT_CRASH_DIR";
const TOPIC: &str = "crash";
const GROUP: &str = "crash-group";
const PRODUCER: &str = "crash-producer";

fn open(dir: &Path) -> EmbeddedLog {
    EmbeddedLog::open(dir, &Options::default(), wall_clock()).unwrap()
}

/// Records of transaction `number` in each of the two partitions. Every fifth is so large that parts of it are
/// written before its commit.
fn records_of(number: i64) -> i64 {
    if number % 5 == 0 { 400 } else { 3 }
}

fn write_transaction(
    log: &EmbeddedLog,
    producer: &mut impl Producer<Group = topology::log::local::Group>,
    number: i64,
) {
    let group = GroupOptions {
        id: GROUP.to_owned(),
        instance_id: None,
        session_timeout_ms: 10_000,
        protocol: GroupProtocol::Classic,
    };
    let options = ConsumerOptions { group: Some(group), ..consumer_options(Isolation::ReadCommitted) };
    let membership = log.consumer(&options).unwrap().group().unwrap();
    producer.begin().unwrap();
    let text = format!("{number:<4000}");
    for _ in 0..records_of(number) {
        send(producer, TOPIC, 0, &[&text]);
        send(producer, TOPIC, 1, &[&text]);
    }
    let offset = OffsetCommit { partition: TopicPartition::new(TOPIC, 0), offset: number, metadata: String::new() };
    producer.send_offsets(&[offset], &membership).unwrap();
    producer.commit(CALL).unwrap();
}

/// Not a claim of its own: the process that is killed. Commits without end, and says so after each.
#[test]
#[ignore = "run by kill_9_loses_nothing_acknowledged_and_keeps_nothing_half"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let log = open(Path::new(&dir));
    let mut producer = producer_as(&log, PRODUCER);
    let last = log.committed(GROUP, &[TopicPartition::new(TOPIC, 0)]).unwrap();
    let mut number = last[0].as_ref().map_or(0, |committed| committed.offset);
    loop {
        number += 1;
        write_transaction(&log, &mut producer, number);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\ncommitted {number}").unwrap();
        out.flush().unwrap();
    }
}

/// Kills a child after so many acknowledged commits; gives the last one acknowledged.
fn run_and_kill(dir: &Path, commits: usize) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["on_disk::crash::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        if let Some(number) = line.unwrap().strip_prefix("committed ") {
            acknowledged.push(number.parse().unwrap());
        }
        if acknowledged.len() == commits {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= commits, "the child ended by itself");
    *acknowledged.last().unwrap()
}

/// The highest transaction in the log, after checking that each up to it is there, whole and in order.
fn check(log: &EmbeddedLog) -> i64 {
    let mut highest = [0, 0];
    for partition in [0, 1] {
        let high = decided(log, TOPIC, partition);
        let mut reader = reader(log, TOPIC, &[partition]);
        reader.until_end(partition, high);
        let numbers: Vec<i64> = reader.values().iter().map(|text| text.trim().parse().unwrap()).collect();
        let last = numbers.last().copied().unwrap_or(0);
        let expected: Vec<i64> =
            (1..=last).flat_map(|number| std::iter::repeat_n(number, records_of(number) as usize)).collect();
        assert!(
            numbers == expected,
            "partition {partition} does not hold each transaction up to {last} once and whole"
        );
        highest[partition as usize] = last;
    }
    assert_eq!(highest[0], highest[1], "both partitions have the same transactions");
    let committed = log.committed(GROUP, &[TopicPartition::new(TOPIC, 0)]).unwrap();
    assert_eq!(committed[0].as_ref().map_or(0, |committed| committed.offset), highest[0], "and so have the offsets");
    highest[0]
}

#[test]
fn kill_9_loses_nothing_acknowledged_and_keeps_nothing_half() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).create_topics(&[topic_spec(TOPIC, 2, &[])]).unwrap();
    for commits in [1, 4, 23, 9, 50] {
        let acknowledged = run_and_kill(dir.path(), commits);
        let log = open(dir.path());
        let highest = check(&log);
        assert!(highest >= acknowledged, "{acknowledged} was acknowledged, {highest} is the last that is there");
        let mut producer = producer_as(&log, PRODUCER);
        write_transaction(&log, &mut producer, highest + 1);
        assert_eq!(check(&log), highest + 1, "it goes on");
    }
}

#[test]
fn what_was_open_at_the_end_is_aborted_at_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let name;
    {
        let log = open(dir.path());
        name = topic(&log, 1);
        let mut producer = producer(&log);
        commit(&mut producer, &name, 0, &["a"]);
        abort(&mut producer, &name, 0, &["b"]);
        producer.begin().unwrap();
        send(&mut producer, &name, 0, &["c"]);
        producer.flush(CALL).unwrap();
        assert_eq!((stable(&log, &name, 0), end(&log, &name, 0)), (4, 5));
    }
    for _ in 0..2 {
        let log = open(dir.path());
        assert_eq!((stable(&log, &name, 0), end(&log, &name, 0)), (6, 6), "its marker is written once");
        assert_eq!(reader(&log, &name, &[0]).until_end(0, 6).values(), ["a"]);
        let options = consumer_options(Isolation::ReadUncommitted);
        assert_eq!(reader_with(&log, &options, &name, &[0]).until_end(0, 6).values(), ["a", "b", "c"]);
    }
}

#[test]
fn everything_is_there_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, deleted, id);
    {
        let log = open(dir.path());
        kept = topic_with(&log, 2, &[("cleanup.policy", "compact"), ("max.message.bytes", "5000")]);
        deleted = topic(&log, 1);
        id = log.describe_topic(&kept).unwrap().unwrap().id;
        let mut producer = producer(&log);
        producer.begin().unwrap();
        for (key, text) in [("k", "1"), ("l", "2"), ("k", "3")] {
            let mut record = value(&kept, 1, text);
            record.key = Some(key.as_bytes());
            producer.send(&record).unwrap();
        }
        send(&mut producer, &deleted, 0, &["x"]);
        producer.commit(CALL).unwrap();
        log.delete_records(&TopicPartition::new(&*kept, 1), 1).unwrap();
        log.delete_topics(std::slice::from_ref(&deleted)).unwrap();
    }
    let log = open(dir.path());
    let described = log.describe_topic(&kept).unwrap().unwrap();
    assert_eq!((described.id, described.partition_count, described.max_message_bytes), (id, 2, 5000));
    assert_eq!(described.cleanup_policy, "compact");
    assert_eq!(log.describe_topic(&deleted).unwrap(), None);
    let watermarks = log.watermarks(&TopicPartition::new(&*kept, 1), Isolation::ReadCommitted).unwrap();
    assert_eq!((watermarks.low, watermarks.high), (1, 4));
    assert_eq!(reader(&log, &kept, &[1]).until_end(1, 4).values(), ["2", "3"]);
    log.create_topics(&[topic_spec(&deleted, 1, &[])]).unwrap();
    assert_eq!(end(&log, &deleted, 0), 0, "a topic made anew is empty");
    commit(&mut producer(&log), &deleted, 0, &["y"]);
    assert_eq!(reader(&log, &deleted, &[0]).until_records(1).values(), ["y"]);
}

#[test]
fn the_directory_is_free_only_when_the_last_user_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let producer = producer(&log);
    drop(log);
    let refused = EmbeddedLog::open(dir.path(), &Options::default(), wall_clock()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Fatal);
    drop(producer);
    open(dir.path());
}
