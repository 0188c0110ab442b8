//! Tasks of one thread whose transactions are not one: each sub-topology that is a single writer has a producer of its
//! own.

use std::sync::Arc;
use std::time::Duration;

use topology::clock::ManualClock;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{Kind, Producer};
use topology::stream_thread::State;

use super::counting::{Topics, assert_exact, produce, read};
use super::steps::{Instance, create_topics, open_transaction, turn_until};
use super::{config, memory_log, topics};
use crate::fault_log::{Call, Fault, FaultLog, Script};

/// Counts in two sub-topologies that have nothing in common, the second with a producer of its own.
fn side_by_side() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("one").source::<[u8], [u8]>(topics().input);
    input.count(&Store::memory("counts")).sink(Topic::new(topics().output).partitions(1));
    let other = builder.sub_topology("other");
    other.single_writer("other-writer");
    other.source::<[u8], [u8]>("other-in").count(&Store::memory("others")).sink(Topic::new("other-out").partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_task_that_is_restored_while_another_fails_gets_a_producer_before_it_runs() {
    let log = memory_log();
    let clock = Arc::new(ManualClock::new(0));
    produce(&log, &topics(), 50);
    create_topics(&log);
    let mut somebody = open_transaction(&log, "app-others-changelog");
    let faults = FaultLog::new(log.clone(), &Script::commits([Fault::None, Fault::Abort]));
    let mut instance = Instance::of(&side_by_side(), &faults, clock.clone(), "a", config(None));
    // The backoff passes.
    let outputs = || {
        clock.advance(10);
        read(&log, &topics().output).len()
    };
    turn_until(&mut [&mut instance], |_| outputs() == 50);
    assert_eq!(instance.thread.state(), State::Restoring, "the other task waits for the open transaction");
    assert_eq!(instance.metrics.snapshot().rewind_count, 1);
    somebody.abort(Duration::from_secs(1)).unwrap();
    let other = Topics { input: "other-in".to_owned(), ..topics() };
    produce(&log, &other, 10);
    turn_until(&mut [&mut instance], |turning| {
        clock.advance(10);
        turning[0].metrics.snapshot().record_count >= 60
    });
    turn_until(&mut [&mut instance], |turning| turning[0].thread.state() == State::Running);
    assert_eq!(instance.metrics.snapshot().rewind_count, 1, "nothing had to be done again for want of a producer");
    assert_exact(&log, &topics(), 50);
}

#[test]
fn records_that_come_beside_a_failure_of_another_writer_are_kept() {
    let (input, output) = ("other-in".to_owned(), "other-out".to_owned());
    let other = Topics { input, output, ..topics() };
    for sends in 0..6 {
        let log = memory_log();
        let clock = Arc::new(ManualClock::new(0));
        create_topics(&log);
        let script = Script::default().refuse(Call::Send, sends, Kind::Abort);
        let faults = FaultLog::new(log.clone(), &script);
        let mut instance = Instance::of(&side_by_side(), &faults, clock.clone(), "a", config(None));
        turn_until(&mut [&mut instance], |turning| turning[0].thread.state() == State::Running);
        // Both tasks run; what is written now comes to them in one poll.
        for round in 1..=4 {
            produce(&log, &topics(), 5);
            produce(&log, &other, 5);
            turn_until(&mut [&mut instance], |_| {
                clock.advance(100);
                [&topics(), &other].iter().all(|topics| read(&log, &topics.output).len() == 5 * round)
            });
        }
        assert_eq!(script.refused_count(), 1, "{sends}");
        [&topics(), &other].iter().for_each(|topics| assert_exact(&log, topics, 20));
    }
}
