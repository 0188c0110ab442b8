//! The engine on the memory log: whatever fails, and whichever members come and go, counts are exact, and outputs too.
//!
//! ```text
//! mod        commits and restarts
//! refusals   calls that fail
//! leaving    what is left behind for others
//! as_left    whether stores are as the process left them
//! beginning  what is done before the first record, and where that is
//! clocks     a log whose clock is not ours
//! damage     stores whose files are not what they were
//! group      other members
//! rebalances  members that come and go while others process
//! handles    handles of queries while tasks begin and move, and threads come and go
//! identity   topics that are not the ones they were
//! pace       records that take long
//! queries    what other threads see of stores meanwhile
//! repartitions  records that move to the task of another key
//! several_inputs  tasks that read several topics
//! room       stores that are written more slowly than input comes
//! silence    restores that do not go on
//! stages     graphs of more than one stage; input that is not what it was
//! standbys   what one instance keeps warm of what another has
//! suspending  tasks that take no input for a while
//! steps      turn by turn, with a clock that is told the time
//! threads    several in one process; tasks and threads that panic
//! unlogged   stores without a changelog
//! vouching   state and offset that vouch for each other
//! writers    producers beside the thread's own
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]
// Tests measure real time: what they wait for happens on another thread.
#![allow(clippy::disallowed_methods)]

mod as_left;
mod beginning;
mod clocks;
#[path = "../../tests/counting/mod.rs"]
mod counting;
mod damage;
mod group;
mod handles;
mod identity;
#[path = "../../tests/joining/mod.rs"]
mod joining;
mod leaving;
#[path = "../../tests/moving/mod.rs"]
mod moving;
mod pace;
mod queries;
mod rebalances;
mod refusals;
mod repartitions;
mod room;
mod several_inputs;
mod silence;
mod stages;
mod standbys;
mod steps;
mod suspending;
mod threads;
mod unlogged;
mod vouching;
mod writers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::fault_log::{Fault, FaultLog, Script};
use counting::{Topics, assert_exact, produce, topology};
use test_cluster::until;
use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::graph::Topology;
use topology::log::Log;
use topology::log::memory::MemoryLog;
use topology::metrics::Snapshot;

fn memory_log() -> MemoryLog {
    let clock = SystemClock::new();
    MemoryLog::new(Arc::new(move || clock.now_ms()))
}

fn topics() -> Topics {
    Topics::new("app".to_owned())
}

/// Small batches and a commit after each.
fn config(directory: Option<&Path>) -> Config {
    Config {
        state_directory: directory.map(Path::to_owned),
        batch_records: 10,
        commit_interval_ms: 0,
        ..Config::new(topics().application)
    }
}

fn run_until_end(topology: &Topology, log: impl Log, config: Config) -> topology::Result<Snapshot> {
    let mut client = Client::start_blocking(topology, log, Config { until_end: true, ..config })?;
    wait(&mut client).map(|()| client.metrics())
}

/// Counts until the end of the input.
fn count(log: impl Log, directory: &Path) -> Snapshot {
    run_until_end(&topology(&topics()), log, config(Some(directory))).unwrap()
}

/// Waits for the end; what hangs fails.
fn wait(client: &mut Client) -> topology::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), client.closed()).await };
    runtime.block_on(ended).expect("it hangs")
}

#[test]
fn counts_are_exact_and_survive_a_restart_without_restoring_again() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 100);
    count(log.clone(), directory.path());
    produce(&log, &topics(), 100);
    let again = count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 200);
    assert_eq!((again.record_count, again.restored_record_count), (100, 0));
}

#[test]
fn records_that_arrive_during_a_run_until_the_end_are_left_for_the_next() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 20);
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            for _ in 0..100 {
                produce(&log, &topics(), 20);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        while !producing.is_finished() {
            count(log.clone(), directory.path());
        }
    });
    count(log.clone(), directory.path());
    assert_exact(&log, &topics(), 101 * 20);
}

#[test]
fn a_lost_state_directory_comes_back_from_the_changelog() {
    let log = memory_log();
    produce(&log, &topics(), 100);
    count(log.clone(), tempfile::tempdir().unwrap().path());
    produce(&log, &topics(), 100);
    let again = count(log.clone(), tempfile::tempdir().unwrap().path());
    assert_exact(&log, &topics(), 200);
    assert!(again.restored_record_count >= 7, "{again:?}");
}

#[test]
fn a_commit_that_fails_in_any_way_neither_loses_nor_doubles_anything() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, &topics(), 100);
        let faults = Script::commits([Fault::None, fault, Fault::None, Fault::None, fault]);
        let metrics = count(FaultLog::new(log.clone(), &faults), directory.path());
        assert_exact(&log, &topics(), 100);
        assert_eq!(metrics.rewind_count, 2, "{fault:?}");
    }
}

#[test]
fn failures_in_a_row_leave_the_group_and_join_again_before_giving_up() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 50);
    let faults = Script::commits([Fault::LostUnknown, Fault::LostUnknown, Fault::CommittedUnknown]);
    let metrics = count(FaultLog::new(log.clone(), &faults), directory.path());
    assert_exact(&log, &topics(), 50);
    assert_eq!(metrics.rewind_count, 3);
}
