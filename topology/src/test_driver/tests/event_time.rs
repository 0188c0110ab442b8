//! Event times that a source's function tells.

use super::*;
use crate::graph::Store;
use crate::processor::{HEADER_OFFSET, HEADER_REASON, Punctuation, Reaction, Schedule};

/// Tells each record's time and stream time at it, and each ten ms of stream time.
struct Told;

impl Processor for Told {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        context.schedule(Schedule::StreamTime { interval_ms: 10 });
        Ok(())
    }

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        let stream_time_ms = context.stream_time_ms().unwrap_or(-1);
        context.forward(record.with(record.key, Some(record.timestamp_ms * 1_000 + stream_time_ms)))
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Output<'_>) -> Result {
        context.forward(Record::new(None, due.timestamp_ms, None, Some(-due.timestamp_ms)))
    }
}

/// The time of a record is its value.
fn telling(topics: &[&str], handle: impl FnOnce(&Builder)) -> Topology {
    let builder = Builder::new();
    handle(&builder);
    let sub = builder.sub_topology("sub");
    let input =
        sub.source_with_time::<[u8], i64>(topics.to_vec(), |record| record.value.unwrap_or(record.timestamp_ms));
    input.processor("told").supply(|()| Told).sink("out");
    builder.build().unwrap()
}

#[test]
fn the_time_that_a_function_tells_is_the_records_and_moves_stream_time_and_punctuations() {
    for one_by_one in [false, true] {
        let mut driver = driver(&telling(&["in"], |builder| {
            if one_by_one {
                builder.on_processing_error(|_| Reaction::Fail);
            }
        }));
        // All have the timestamp 0.
        append(&mut driver, [Some(1), Some(12), Some(3), None, Some(25)]);
        driver.run().unwrap();
        driver.commit().unwrap();
        assert_eq!(numbers(driver.read("out")), [1_001, 12_012, -12, 3_012, 25_025, -25]);
        let times: Vec<i64> = driver.read("out").iter().map(|record| record.timestamp_ms).collect();
        assert_eq!(times, [1, 12, 12, 3, 25, 25]);
        // Stream time goes on from what was committed.
        driver.abort().unwrap();
        append(&mut driver, [Some(9)]);
        driver.run().unwrap();
        driver.commit().unwrap();
        assert_eq!(numbers(&driver.read("out")[6..]), [9_025]);
    }
}

#[test]
fn several_inputs_are_merged_by_the_time_that_the_function_tells() {
    let mut driver = driver(&telling(&["a", "b"], |_| ()));
    for (topic, time_ms, timestamp_ms) in [("a", 5_i64, 0), ("a", 8, 1), ("b", 6, 100), ("b", 7, 101)] {
        driver.append(topic, None, Some(&time_ms.to_be_bytes()), timestamp_ms).unwrap();
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [5_005, 6_006, 7_007, 8_008]);
}

#[test]
fn a_time_that_is_none_is_the_records_fault() {
    let mut failing = driver(&telling(&["in"], |_| ()));
    append(&mut failing, [Some(4), Some(-3)]);
    let error = error_of(failing.run());
    assert!(error.contains("offset 1 of in-0") && error.contains("tells -3 as its time"), "{error}");
    let mut passing = driver(&telling(&["in"], |builder| builder.on_processing_error(|_| Reaction::DeadLetter)));
    append(&mut passing, [Some(4), Some(-3), Some(5)]);
    passing.run().unwrap();
    passing.commit().unwrap();
    assert_eq!(numbers(passing.read("out")), [4_004, 5_005]);
    let [letter] = passing.read("in-dead-letters") else { panic!("{:?}", passing.read("in-dead-letters")) };
    assert_eq!(letter.header(HEADER_OFFSET).as_deref(), Some("1"));
    assert!(letter.header(HEADER_REASON).unwrap().contains("tells -3"));
}

#[test]
fn values_are_stored_as_of_the_time_that_the_function_tells() {
    let builder = Builder::new();
    let counts: Store<[u8], i64> = Store::memory("counts");
    let input = builder.sub_topology("sub").source_with_time::<[u8], i64>("in", |record| record.value.unwrap_or(0));
    input.count(&counts).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    driver.pipe("in", Some(b"k"), Some(&77_i64.to_be_bytes()), 5).unwrap();
    assert_eq!(driver.store(&counts).unwrap().get_timed(&&b"k"[..]).unwrap(), Some((1, 77)));
}
