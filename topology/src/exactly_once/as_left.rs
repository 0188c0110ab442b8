//! What a processor is told of its stores when it begins.

use std::sync::{Arc, Mutex};

use topology::clock::{Clock, ManualClock};
use topology::graph::{Builder, Store, Topic};
use topology::store::KeyValueStore;
use topology::{Class, Error};

use super::counting::{assert_exact, produce};
use super::steps::{Instance, turn_until};
use super::{config, count, memory_log, topics};

#[test]
fn stores_that_a_restore_read_into_are_not_as_left_however_often_it_is_begun() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 20);
    count(log.clone(), directory.path());
    // Another directory: all is read from the changelog, and the first beginning is put off behind that.
    let told: Arc<Mutex<Vec<bool>>> = Arc::default();
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(topics().input);
    let counts: Store<[u8], i64> = Store::rocksdb("counts");
    let hears = Arc::clone(&told);
    let functions = input.processor("asks").with_store(&counts).functions::<[u8], i64>();
    let output = functions
        .init(move |_, context| {
            let mut told = hears.lock().unwrap();
            told.push(context.are_stores_as_left());
            if told.len() == 1 { Err(Error::new(Class::Retry, "not now"))? } else { Ok(()) }
        })
        .process(|record, counts: &mut KeyValueStore<[u8], i64>, context| {
            let count = counts.update(&record.key.unwrap_or_default(), |count| Some(count.unwrap_or(0) + 1))?;
            context.forward(record.with(record.key, count))
        });
    output.sink(Topic::new(topics().output).partitions(1));
    let other = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(1_000_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let mut instance = Instance::of(&builder.build().unwrap(), &log, shared, "b", config(Some(other.path())));
    turn_until(&mut [&mut instance], |_| {
        clock.advance(50);
        told.lock().unwrap().len() == 2
    });
    assert_eq!(*told.lock().unwrap(), [false, false]);
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), 20);
}
