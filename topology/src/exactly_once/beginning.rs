//! What is done before the first record is taken, and where that is: the same for a client and in the test driver.

use topology::client::Config;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{Log, TopicPartition};
use topology::processor::{self, Context, Position, Record};
use topology::store::KeyValueStore;
use topology::test_driver::TestDriver;

use super::counting::{produce, read};
use super::stages::commit_offset;
use super::{config, memory_log, run_until_end, topics};
use crate::fault_log::{Fault, FaultLog, Script};

/// Key in the state: the next offset to take. The steps have the keys 0 to 2.
const NEXT: i64 = 100;

/// Whether one of three steps was left to write; a commit comes behind each.
fn step(state: &KeyValueStore<i64, i64>, context: &mut Context<'_, [u8], i64>) -> processor::Result<bool> {
    for step in 0..3 {
        if state.get(&step)?.is_none() {
            state.put(&step, &1)?;
            let value = Some(-1 - step);
            context.forward(Record::new(None, 0, None, value))?;
            context.request_commit();
            return Ok(true);
        }
    }
    Ok(false)
}

/// Commits three steps of its own, then takes one record between two commits: each is delivered once more, and taken
/// then.
fn careful() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], [u8]>(topics().input);
    let mut waits = false;
    input
        .with_store(&Store::rocksdb("state"))
        .functions()
        .init(|state, context| {
            context.begin_at(Position::new(0, state.get(&NEXT)?.unwrap_or(0)))?;
            if step(state, context)? {
                context.suspend_from(context.next_position(0));
            }
            Ok(())
        })
        .committed(|state, context| {
            if context.is_suspended() && !step(state, context)? {
                context.resume();
            }
            Ok(())
        })
        .process(move |record, state, context| {
            waits = !waits;
            if waits {
                // Nothing is to be committed, and yet there is a commit.
                context.suspend_from(record.position());
                context.request_commit();
                return Ok(());
            }
            state.put(&NEXT, &(record.offset + 1))?;
            context.forward(record.with(record.key, Some(record.offset)))
        })
        .sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

fn outputs(log: &impl Log) -> Vec<i64> {
    let records = read(log, &topics().output);
    records.iter().map(|(_, _, value)| i64::from_be_bytes(value[..].try_into().unwrap())).collect()
}

#[test]
fn steps_before_the_first_record_and_commits_of_nothing_are_the_same_for_a_client_and_in_the_driver() {
    let mut driver = TestDriver::new(&careful(), "app", 0).unwrap();
    for _ in 0..5 {
        driver.pipe(&topics().input, Some(b"k"), Some(b"v"), 0).unwrap();
    }
    driver.commit().unwrap();
    let number = |value: &[u8]| i64::from_be_bytes(value.try_into().unwrap());
    let driven: Vec<i64> =
        driver.read(&topics().output).iter().map(|record| number(record.value.as_deref().unwrap())).collect();

    let log = memory_log();
    produce(&log, &topics(), 5);
    // Asked for, a commit does not wait for the interval.
    let config = Config { commit_interval_ms: 4_000, ..config(None) };
    run_until_end(&careful(), log.clone(), config).unwrap();
    assert_eq!(driven, [-1, -2, -3, 0, 1, 2, 3, 4]);
    assert_eq!(outputs(&log), driven);
}

#[test]
fn steps_whose_commit_fails_are_done_once() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        for at in 0..6 {
            let log = memory_log();
            produce(&log, &topics(), 3);
            let script = Script::commits((0..at).map(|_| Fault::None).chain([fault]));
            run_until_end(&careful(), FaultLog::new(log.clone(), &script), config(None)).unwrap();
            assert_eq!(outputs(&log), [-1, -2, -3, 0, 1, 2], "{fault:?} at commit {at}");
        }
    }
}

#[test]
fn the_state_says_where_input_goes_on_wherever_somebody_moved_the_offset() {
    // With fewer records than the offset says, and with the end of the topic in between.
    for moved_to in [0, 3, 6, 9, 1_000] {
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, &topics(), 5);
        run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap();
        produce(&log, &topics(), 4);
        commit_offset(&log, moved_to);
        run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap();
        // A marker lies behind the first five.
        assert_eq!(outputs(&log), [-1, -2, -3, 0, 1, 2, 3, 4, 6, 7, 8, 9], "moved to {moved_to}");
    }
}

#[test]
fn input_that_was_deleted_behind_the_state_is_passed_over() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 5);
    run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap();
    produce(&log, &topics(), 4);
    log.delete_records(&TopicPartition::new(topics().input, 0), 8).unwrap();
    run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap();
    assert_eq!(outputs(&log), [-1, -2, -3, 0, 1, 2, 3, 4, 8, 9]);
}

#[test]
fn input_that_ends_before_the_state_stops_the_client() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 5);
    run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap();
    log.delete_topics(&[topics().input]).unwrap();
    produce(&log, &topics(), 2);
    let error = run_until_end(&careful(), log.clone(), config(Some(directory.path()))).unwrap_err();
    assert!(
        error.to_string().contains("the state has taken app-in-0 up to offset 5, but the topic ends at 3"),
        "{error}"
    );
    assert_eq!(outputs(&log).len(), 8);
}
