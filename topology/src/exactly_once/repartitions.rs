//! Records that move to the task of another key, over a repartition topic from which goes what was read.

use std::path::Path;
use std::time::Duration;

use topology::client::{Client, Config};
use topology::log::memory::MemoryLog;
use topology::log::{Isolation, Kind, Log, TopicPartition, TopicSpec};
use topology::reset::Plan;

use super::counting::{assert_exact, create, read, spec};
use super::moving::{PARTITIONS, assert_kept, moved, produce, topology};
use super::{config, memory_log, run_until_end, topics, until, wait};
use crate::fault_log::{Call, Fault, FaultLog, Script};

/// Deletes what was read at once.
fn purging(directory: Option<&Path>) -> Config {
    Config { repartition_purge_interval_ms: 0, ..config(directory) }
}

fn filled(count: usize) -> MemoryLog {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    produce(&log, &topics(), count);
    log
}

#[test]
fn records_of_a_word_are_counted_by_one_task_whatever_partitions_they_came_from() {
    for partitions in [None, Some(3), Some(1)] {
        let log = filled(200);
        run_until_end(&topology(&topics(), partitions), log.clone(), config(None)).unwrap();
        assert_exact(&log, &topics(), 200);
        let count = log.describe_topic("app-counts-changelog").unwrap().unwrap().partition_count;
        assert_eq!(count, partitions.unwrap_or(PARTITIONS));
        assert_eq!(moved(&log, &topics()).len(), count as usize);
    }
}

#[test]
fn the_log_is_told_of_each_topic_that_is_written_and_of_no_other() {
    let (log, script) = (filled(20), Script::default());
    run_until_end(&topology(&topics(), Some(3)), FaultLog::new(log.clone(), &script), config(None)).unwrap();
    let end = |name: &String| {
        let partitions = 0..log.describe_topic(name).unwrap().unwrap().partition_count;
        let end = |number| log.watermarks(&TopicPartition::new(name, number), Isolation::ReadUncommitted).unwrap().high;
        partitions.map(end).sum::<i64>()
    };
    let written = script.written().unwrap();
    let there = log.list_topics(Duration::ZERO).unwrap();
    let full: Vec<&String> = there.iter().filter(|name| **name != topics().input && end(name) > 0).collect();
    assert!(full.len() >= 3 && full.iter().all(|name| written.contains(name)), "{full:?}, told: {written:?}");
    assert!(!written.contains(&topics().input) && written.iter().all(|name| there.contains(name)), "{written:?}");
}

#[test]
fn a_client_that_ends_lets_the_log_rest_once_unless_its_threads_have_records_deleted_then() {
    let script = Script::default();
    run_until_end(&topology(&topics(), Some(3)), FaultLog::new(filled(20), &script), config(None)).unwrap();
    assert_eq!(script.rest_count(), 0, "it has a repartition topic");

    let counting = super::topology(&super::topics());
    let script = Script::default();
    let log = FaultLog::new(super::memory_log(), &script);
    super::counting::produce(&log, &super::topics(), 20);
    run_until_end(&counting, log.clone(), config(None)).unwrap();
    assert_eq!(script.rest_count(), 1, "a bounded run");
    let mut client = Client::start_blocking(&counting, log, config(None)).unwrap();
    client.stop();
    client.stop();
    client.wait().unwrap();
    assert_eq!(script.rest_count(), 2, "one that is told to stop twice");
}

#[test]
fn a_run_that_dies_between_the_two_stages_is_gone_on_with_and_nothing_is_counted_twice() {
    for after in 0..12 {
        for stays in [true, false] {
            let (log, directory) = (filled(120), tempfile::tempdir().unwrap());
            let topology = topology(&topics(), Some(3));
            let script = Script::default().refuse(Call::SendOffsets, after, Kind::Fatal);
            let died = run_until_end(&topology, FaultLog::new(log.clone(), &script), purging(Some(directory.path())));
            assert_eq!(died.is_err(), script.refused_count() > 0);
            assert_kept(&log, &topics());
            let other = tempfile::tempdir().unwrap();
            let directory = if stays { directory.path() } else { other.path() };
            run_until_end(&topology, log.clone(), purging(Some(directory))).unwrap();
            assert_exact(&log, &topics(), 120);
            assert_kept(&log, &topics());
        }
    }
}

#[test]
fn commits_that_fail_in_any_way_neither_lose_nor_double_what_moves() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        for at in 0..8 {
            let log = filled(100);
            let script = Script::commits((0..at).map(|_| Fault::None).chain([fault, Fault::None, fault]));
            let faulty = FaultLog::new(log.clone(), &script);
            run_until_end(&topology(&topics(), Some(3)), faulty, purging(None)).unwrap();
            assert_exact(&log, &topics(), 100);
            assert_kept(&log, &topics());
        }
    }
}

#[test]
fn what_was_read_is_deleted_at_the_latest_when_a_run_ends() {
    let log = filled(100);
    let topology = topology(&topics(), Some(3));
    for round in 1..=3 {
        run_until_end(&topology, log.clone(), config(None)).unwrap();
        assert_exact(&log, &topics(), 100 * round);
        let moved = moved(&log, &topics());
        assert!(moved.iter().all(|moved| moved.low == moved.committed.unwrap_or(0)), "{moved:?}");
        produce(&log, &topics(), 100);
    }
}

#[test]
fn what_cannot_be_deleted_stops_nobody_and_is_deleted_later() {
    let log = filled(100);
    let script = (0..3).fold(Script::default(), |script, _| script.refuse(Call::DeleteRecords, 0, Kind::Retry));
    let faulty = FaultLog::new(log.clone(), &script);
    run_until_end(&topology(&topics(), Some(3)), faulty.clone(), purging(None)).unwrap();
    assert_exact(&log, &topics(), 100);
    assert!(script.refused_count() > 0);
    run_until_end(&topology(&topics(), Some(3)), faulty, purging(None)).unwrap();
    assert!(moved(&log, &topics()).iter().all(|moved| moved.low == moved.committed.unwrap_or(0)));
}

#[test]
fn instances_that_come_and_go_share_both_stages() {
    let log = filled(100);
    let (topology, none) = (topology(&topics(), Some(3)), purging(None));
    let start = || Client::start_blocking(&topology, log.clone(), none.clone()).unwrap();
    let counted = |count| until("it is counted", || read(&log, &topics().output).len() >= count);
    let mut first = start();
    counted(100);
    let mut second = start();
    for round in 1..=10 {
        produce(&log, &topics(), 50);
        if round == 5 {
            first.stop();
            wait(&mut first).unwrap();
            first = start();
        }
    }
    counted(600);
    for client in [&mut first, &mut second] {
        client.stop();
        wait(client).unwrap();
    }
    assert_exact(&log, &topics(), 600);
    assert_kept(&log, &topics());
}

#[test]
fn input_that_a_broker_shows_late_has_the_partitions_that_it_has() {
    for answers in [1, 3] {
        let log = filled(40);
        let script = Script::default();
        script.hide(&topics().input, answers);
        run_until_end(&topology(&topics(), None), FaultLog::new(log.clone(), &script), config(None)).unwrap();
        assert_exact(&log, &topics(), 40);
        assert_eq!(moved(&log, &topics()).len(), PARTITIONS as usize, "planned anew when it was seen");
    }
}

#[test]
fn a_repartition_topic_that_is_there_with_other_partitions_is_refused_before_anything_is_made() {
    let log = filled(10);
    let other = TopicSpec { partition_count: 2, ..spec("app-by-word-repartition") };
    log.create_topics(&[other]).unwrap();
    let run = |partitions| run_until_end(&topology(&topics(), partitions), log.clone(), config(None));
    let error = run(Some(3)).unwrap_err().to_string();
    assert!(error.contains("topic 'app-by-word-repartition' has 2 partitions, 3 needed: ask for 2"), "{error}");
    assert!(log.describe_topic("app-counts-changelog").unwrap().is_none());
    run(None).unwrap();
    assert_exact(&log, &topics(), 10);
}

#[test]
fn a_reset_takes_repartition_topics_away_and_the_next_run_begins_anew() {
    let (log, directory) = (filled(70), tempfile::tempdir().unwrap());
    let topology = topology(&topics(), Some(3));
    // It dies with records that were moved and not counted.
    let script = Script::default().refuse(Call::SendOffsets, 2, Kind::Fatal);
    run_until_end(&topology, FaultLog::new(log.clone(), &script), config(Some(directory.path()))).unwrap_err();
    let counted = read(&log, &topics().output).len();
    let plan = Plan::look(&topology, &log, "app", Some(directory.path())).unwrap();
    assert_eq!(plan.topics(), ["app-counts-changelog", "app-by-word-repartition"]);
    plan.carry_out(&log).unwrap();
    assert!(moved(&log, &topics()).is_empty());
    run_until_end(&topology, log.clone(), config(Some(directory.path()))).unwrap();
    let outputs = read(&log, &topics().output);
    assert_eq!(outputs.len() - counted, 70, "what was left of the first run is not counted");
}
