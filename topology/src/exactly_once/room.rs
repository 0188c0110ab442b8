//! Stores that are written more slowly than input comes.

use std::sync::Arc;

use topology::clock::{Clock, ManualClock};
use topology::log::memory::MemoryLog;
use topology::store::{Resources, StoreOptions};
use topology::stream_thread::State;
use topology::watch;

use super::counting::{assert_exact, produce, topology};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, topics};

const RECORD_COUNT: usize = 2_000;

fn record_count(instance: &Instance<MemoryLog>) -> u64 {
    instance.metrics.snapshot().record_count
}

#[test]
fn while_nothing_is_written_a_thread_takes_input_up_to_its_memory_and_never_waits() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_000_000_000));
    produce(&log, &topics(), RECORD_COUNT);
    // Some ten commits of a few keys fill this.
    let resources = Resources::stepped(StoreOptions { memory_bytes: 32 << 10, ..StoreOptions::default() });
    let shared = (watch::Intervals::default(), resources.clone());
    let config = config(Some(directory.path()));
    let mut instance = Instance::with(&topology(&topics()), &log, clock, "a", config, shared);
    turn_until(&mut [&mut instance], |_| !resources.has_room());

    let (taken, bytes) = (record_count(&instance), resources.segment_bytes());
    assert!((20..RECORD_COUNT as u64).contains(&taken), "{taken} records");
    assert!(bytes < 2 * resources.budget().full_bytes(), "{bytes} bytes: one commit may come on top");
    // It goes on turning, so the group has its answers, and commits what it has; but it takes nothing more.
    for _ in 0..50 {
        instance.thread.run_once().unwrap();
    }
    assert_eq!((record_count(&instance), instance.thread.state()), (taken, State::Running));
    assert_exact(&log, &topics(), taken as usize);
    assert_eq!(resources.wait_count(), 0);

    // Now they are written, step by step, and what was left is taken: nothing twice, nothing not at all.
    turn_until(&mut [&mut instance], |turning| {
        while resources.step() {}
        record_count(turning[0]) == RECORD_COUNT as u64
    });
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), RECORD_COUNT);
}
