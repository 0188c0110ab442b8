//! State and the group's offset vouch for each other: what was lost or moved is refused and named, and nothing that
//! merely crashed ever is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use topology::client::Config;
use topology::clock::ManualClock;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{Committed, Log, Producer, ProducerRecord, TopicPartition};
use topology::processor::{self, Context, Processor, Record};
use topology::store::changelog::COVERED_KEY;
use topology::store::{Covered, KeyValueStore};
use topology::stream_thread::State;

use super::counting::{assert_exact, in_transaction, produce, read, spec, topology};
use super::stages::{commit_offset, commit_offset_with};
use super::steps::{Instance, turn_until};
use super::{config, count, memory_log, run_until_end, topics};
use crate::fault_log::{Fault, FaultLog, Script};

const CHANGELOG: &str = "app-counts-changelog";

/// A log and a state directory in which 100 records are counted.
fn counted() -> (MemoryLog, tempfile::TempDir) {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 100);
    count(log.clone(), directory.path());
    (log, directory)
}

fn committed(log: &impl Log) -> Committed {
    let partition = TopicPartition::new(topics().input, 0);
    log.committed(&topics().application, &[partition]).unwrap().remove(0).unwrap()
}

/// How far the state takes the input, as its changelog says.
fn state_end(log: &impl Log) -> i64 {
    let records = read(log, CHANGELOG);
    let (_, _, value) = records.iter().rev().find(|(_, key, _)| key == COVERED_KEY).unwrap();
    Covered::decode(&value[1..]).unwrap().offset(&TopicPartition::new(topics().input, 0)).unwrap()
}

/// With its stores, and with the changelogs alone, a run is refused and says all this; and it has not counted.
fn assert_refused(log: &MemoryLog, directory: &Path, parts: &[&str]) {
    let before = read(log, &topics().output).len();
    for removes_stores in [false, true] {
        if removes_stores {
            fs::remove_dir_all(directory.join(topics().application)).unwrap();
        }
        let error = run_until_end(&topology(&topics()), log.clone(), config(Some(directory))).unwrap_err();
        assert_eq!(error.class(), topology::Class::Stop);
        for part in parts.iter().chain(&["reset the application"]) {
            assert!(error.to_string().contains(part), "'{error}' lacks '{part}'");
        }
        assert_eq!(read(log, &topics().output).len(), before);
    }
}

/// What a reset does.
fn reset(log: &MemoryLog, directory: &Path) {
    log.delete_topics(&[CHANGELOG.to_owned()]).unwrap();
    log.delete_group(&topics().application).unwrap();
    let state = directory.join(topics().application);
    if state.exists() {
        fs::remove_dir_all(state).unwrap();
    }
}

fn last_count(log: &MemoryLog) -> i64 {
    i64::from_be_bytes(read(log, &topics().output).last().unwrap().2[..].try_into().unwrap())
}

#[test]
fn lost_offsets_are_refused_and_can_be_put_where_the_state_ends() {
    let (log, directory) = counted();
    let end = state_end(&log);
    log.delete_group(&topics().application).unwrap();
    produce(&log, &topics(), 100);
    let ends = format!("to {end}, where the state ends");
    assert_refused(&log, directory.path(), &["no committed offset for app-in-0", CHANGELOG, &ends]);
    commit_offset(&log, end);
    count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 200);
}

#[test]
fn an_offset_that_a_tool_moved_is_refused_both_ways_and_with_its_metadata() {
    let (log, directory) = counted();
    produce(&log, &topics(), 100);
    let (Committed { offset, metadata }, end) = (committed(&log), state_end(&log));
    for (moved_by, metadata) in [(-1, ""), (-50, ""), (1, ""), (60, ""), (7, metadata.as_str()), (-7, &metadata)] {
        commit_offset_with(&log, end + moved_by, metadata);
        let what = if moved_by < 0 { "count records twice" } else { "leave records out" };
        let moved = format!("offset {} of app-in-0", end + moved_by);
        assert_refused(&log, directory.path(), &[&moved, what, &format!("Set it to {end}")]);
    }
    commit_offset_with(&log, offset, &metadata);
    count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 200);
}

#[test]
fn a_deleted_changelog_is_refused_and_a_reset_means_it() {
    let (log, directory) = counted();
    produce(&log, &topics(), 10);
    log.delete_topics(&[CHANGELOG.to_owned()]).unwrap();
    assert_refused(&log, directory.path(), &["state of store 'counts' is lost", "changelog is empty now"]);
    reset(&log, directory.path());
    count(log.clone(), directory.path());
    assert_eq!(read(&log, &topics().output).len(), 210);
    assert_eq!(last_count(&log), 16, "key 2 has 14 of the hundred and 2 of the ten");
}

#[test]
fn both_lost_at_once_begin_anew() {
    let (log, directory) = counted();
    log.delete_topics(&[CHANGELOG.to_owned()]).unwrap();
    log.delete_group(&topics().application).unwrap();
    // The stores alone, which nothing vouches for, are emptied.
    count(log.clone(), directory.path());
    assert_eq!((read(&log, &topics().output).len(), last_count(&log)), (200, 15));
}

/// Writes a changelog as it was at another time.
fn put_back(log: &MemoryLog, records: &[(i64, Vec<u8>, Vec<u8>)]) {
    log.delete_topics(&[CHANGELOG.to_owned()]).unwrap();
    let mut compacted = spec(CHANGELOG);
    for (name, value) in [("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")] {
        compacted.config.push((name.to_owned(), value.to_owned()));
    }
    log.create_topics(&[compacted]).unwrap();
    in_transaction(log, "backup", |producer| {
        for (_, key, value) in records {
            let (key, value) = (Some(&key[..]), Some(&value[..]));
            let record =
                ProducerRecord { topic: CHANGELOG, partition: Some(0), timestamp_ms: 0, key, value, headers: &[] };
            producer.send(&record).unwrap();
        }
    });
}

#[test]
fn an_older_backup_of_either_is_refused_and_both_together_are_not() {
    let (log, directory) = counted();
    let (old_changelog, old_offset) = (read(&log, CHANGELOG), committed(&log));
    produce(&log, &topics(), 100);
    count(log.clone(), directory.path());
    let (changelog, offset) = (read(&log, CHANGELOG), committed(&log));

    commit_offset_with(&log, old_offset.offset, &old_offset.metadata);
    assert_refused(&log, directory.path(), &["is ahead of the group's offset", "count records twice", CHANGELOG]);
    commit_offset_with(&log, offset.offset, &offset.metadata);
    put_back(&log, &old_changelog);
    assert_refused(&log, directory.path(), &["is behind the group's offset", "leave records out", CHANGELOG]);
    put_back(&log, &changelog);
    produce(&log, &topics(), 10);
    count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 210);
    // As of one moment both are right, and all since is taken again.
    put_back(&log, &old_changelog);
    commit_offset_with(&log, old_offset.offset, &old_offset.metadata);
    fs::remove_dir_all(directory.path().join(topics().application)).unwrap();
    count(log.clone(), directory.path());
    assert_eq!((read(&log, &topics().output).len(), last_count(&log)), (210 + 110, 30));
}

#[test]
fn a_changelog_or_offset_of_another_cluster_is_refused() {
    let (log, directory) = counted();
    let (other, _) = counted();
    produce(&log, &topics(), 100);
    let (changelog, offset) = (read(&log, CHANGELOG), committed(&log));
    put_back(&log, &read(&other, CHANGELOG));
    assert_refused(&log, directory.path(), &["is another one than the group's offset", CHANGELOG]);
    put_back(&log, &changelog);
    let theirs = committed(&other);
    commit_offset_with(&log, theirs.offset, &theirs.metadata);
    assert_refused(&log, directory.path(), &["is another one than the group's offset", CHANGELOG]);
    commit_offset_with(&log, offset.offset, &offset.metadata);
    count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 200);
}

#[test]
fn a_process_that_dies_at_any_moment_and_commits_of_unknown_outcome_are_never_refused() {
    const FAULTS: [Fault; 6] =
        [Fault::None, Fault::None, Fault::None, Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown];
    for seed in 0..12u64 {
        println!("seed {seed}");
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, &topics(), 100);
        for _ in 0..8 {
            let faults: Vec<Fault> = (0..8).map(|_| FAULTS[random(FAULTS.len())]).collect();
            let faulty = FaultLog::new(log.clone(), &Script::commits(faults));
            let clock = Arc::new(ManualClock::new(1_000_000_000));
            let mut doomed = Instance::new(&faulty, clock.clone(), "a", config(Some(directory.path())));
            for _ in 0..random(40) {
                clock.advance(20);
                let turn = doomed.thread.run_once().unwrap();
                let is_idle = turn.record_count == 0 && !turn.committed;
                if is_idle && doomed.thread.state() == State::Running {
                    break;
                }
            }
            match random(4) {
                // All that is not committed is lost with it; the next one fences it.
                0 | 1 => drop(doomed),
                2 => doomed.thread.close().unwrap(),
                _ => {
                    drop(doomed);
                    fs::remove_dir_all(directory.path().join(topics().application)).unwrap();
                }
            }
            if random(3) == 0 {
                log.compact(CHANGELOG).unwrap();
            }
        }
        let (clock, until_end) = (Arc::new(ManualClock::new(1_000_000_000)), true);
        let config = Config { until_end, ..config(Some(directory.path())) };
        let mut last = Instance::new(&log, clock.clone(), "a", config);
        turn_until(&mut [&mut last], |turning| {
            clock.advance(20);
            turning[0].thread.state() == State::Finished
        });
        assert_exact(&log, &topics(), 100);
    }
}

/// Counts the records whose offsets are multiples of fifty, and writes nothing for others.
struct Rare {
    seen: KeyValueStore<i64, i64>,
}

impl Processor for Rare {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
        if record.offset % 50 == 0 {
            let seen = self.seen.update(&0, |seen| Some(seen.unwrap_or(0) + 1))?;
            context.forward(record.with(record.key, seen))?;
        }
        Ok(())
    }
}

/// With another store, which is written whenever the task begins, or without.
fn rare(with_other: bool) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], [u8]>(topics().input);
    let rare = input.processor("rare").with_store(&Store::rocksdb("counts"));
    let rare = match with_other {
        false => rare.supply(|seen| Rare { seen }),
        true => rare.with_store(&Store::<i64, i64>::rocksdb("another")).try_supply(|(seen, other)| {
            other.put(&1, &1)?;
            Ok(Rare { seen })
        }),
    };
    rare.sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_store_that_was_not_written_for_long_agrees_with_an_offset_far_ahead() {
    for loses_directory in [false, true] {
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        let run = |directory: &Path| run_until_end(&rare(false), log.clone(), config(Some(directory))).unwrap();
        for round in 0..6 {
            // One transaction of 20 records and its marker: offsets 0 to 20.
            produce(&log, &topics(), 20);
            run(directory.path());
            if loses_directory {
                fs::remove_dir_all(directory.path().join(topics().application)).unwrap();
            }
            if round % 2 == 1 {
                log.compact(CHANGELOG).unwrap();
            }
        }
        let outputs: Vec<i64> = read(&log, &topics().output)
            .iter()
            .map(|(_, _, seen)| i64::from_be_bytes(seen[..].try_into().unwrap()))
            .collect();
        assert_eq!(outputs, [1, 2, 3], "offsets 0, 50 and 100");
        // A tool may put the offset where the state ends: what comes again wrote nothing the first time.
        let end = committed(&log).offset;
        log.delete_group(&topics().application).unwrap();
        let error = run_until_end(&rare(false), log.clone(), config(Some(directory.path()))).unwrap_err().to_string();
        let at: i64 = error.split("offset to ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        assert!(100 < at && at < end, "{error}");
        commit_offset(&log, at);
        run(directory.path());
        assert_eq!(read(&log, &topics().output).len(), 3);
    }
}

#[test]
fn a_store_may_be_added_and_taken_out_and_one_that_comes_back_is_refused() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let run = |with_other| run_until_end(&rare(with_other), log.clone(), config(Some(directory.path())));
    for with_other in [false, true, true, false] {
        produce(&log, &topics(), 60);
        run(with_other).unwrap();
    }
    assert_eq!(read(&log, &topics().output).len(), 5, "offsets 0, 50, 100, 150, 200");
    let error = run(true).unwrap_err().to_string();
    assert!(error.contains("app-another-changelog holds state that the group's offset"), "{error}");
    log.delete_topics(&["app-another-changelog".to_owned()]).unwrap();
    run(true).unwrap();
}

#[test]
fn more_stores_than_an_offset_can_name_are_refused_at_the_start() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], [u8]>(topics().input);
    let stores: Vec<_> = (0..100).map(|number| Store::memory(format!("store-{number}"))).collect();
    input.processor("rare").with_stores(&stores).supply(|mut stores| Rare { seen: stores.remove(0) });
    let error = run_until_end(&builder.build().unwrap(), memory_log(), config(None)).unwrap_err().to_string();
    assert!(error.contains("sub-topology sub has 100 stores") && error.contains("brokers take 4096"), "{error}");
}
