//! What a processor is told of its stores when it begins.

use std::sync::{Arc, Mutex};

use topology::clock::{Clock, ManualClock};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::store::KeyValueStore;
use topology::{Class, Error};

use super::counting::{assert_exact, produce, read};
use super::steps::{Instance, turn_until};
use super::{config, count, memory_log, topics};
use crate::fault_log::{Fault, FaultLog, Script};

/// What each beginning of the task was told.
type Told = Arc<Mutex<Vec<bool>>>;

/// Counts, and has a store beside the counts that nothing is written to. The first beginning can be put off.
fn asking(told: &Told, put_off: bool) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(topics().input);
    let counts: Store<[u8], i64> = Store::rocksdb("counts");
    let others: Store<[u8], i64> = Store::rocksdb("others");
    let hears = Arc::clone(told);
    let functions = input.processor("asks").with_store(&counts).with_store(&others).functions::<[u8], i64>();
    let output = functions
        .init(move |_, context| {
            let mut told = hears.lock().unwrap();
            told.push(context.are_stores_as_left());
            if put_off && told.len() == 1 { Err(Error::new(Class::Retry, "not now"))? } else { Ok(()) }
        })
        .process(|record, (counts, _): &mut (KeyValueStore<[u8], i64>, KeyValueStore<[u8], i64>), context| {
            let count = counts.update(&record.key.unwrap_or_default(), |count| Some(count.unwrap_or(0) + 1))?;
            context.forward(record.with(record.key, count))
        });
    output.sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn stores_that_a_restore_read_into_are_not_as_left_however_often_it_is_begun() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 20);
    count(log.clone(), directory.path());
    // Another directory: all is read from the changelog, and the first beginning is put off behind that.
    let (told, other) = (Told::default(), tempfile::tempdir().unwrap());
    let clock = ManualClock::new(1_000_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let mut instance = Instance::of(&asking(&told, true), &log, shared, "b", config(Some(other.path())));
    turn_until(&mut [&mut instance], |_| {
        clock.advance(50);
        told.lock().unwrap().len() == 2
    });
    assert_eq!(*told.lock().unwrap(), [false, false]);
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), 20);
}

#[test]
fn after_a_commit_that_failed_stores_are_as_left_also_beside_one_that_nothing_was_written_to() {
    let (log, directory, told) = (memory_log(), tempfile::tempdir().unwrap(), Told::default());
    produce(&log, &topics(), 40);
    let faults = FaultLog::new(log.clone(), &Script::commits([Fault::None, Fault::Abort]));
    let clock = ManualClock::new(1_000_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let mut instance = Instance::of(&asking(&told, false), &faults, shared, "a", config(Some(directory.path())));
    turn_until(&mut [&mut instance], |_| {
        clock.advance(50);
        told.lock().unwrap().len() == 2
    });
    assert_eq!(*told.lock().unwrap(), [false, true]);
    turn_until(&mut [&mut instance], |_| {
        clock.advance(50);
        read(&log, &topics().output).len() == 40
    });
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), 40);
}
