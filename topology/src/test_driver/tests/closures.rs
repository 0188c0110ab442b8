//! What functions given to a stream promise, and that no result depends on where the input is cut into runs.

use proptest::prelude::*;

use super::*;
use crate::graph::{Store, Stream};

/// The numbers in `out` of a graph that is drawn behind `in`.
fn through_stream(draw: impl FnOnce(Stream<[u8], i64>) -> Stream<[u8], i64>, input: &[i64]) -> Vec<i64> {
    let builder = Builder::new();
    draw(builder.sub_topology("sub").source("in")).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, input.iter().copied().map(Some));
    driver.run().unwrap();
    driver.commit().unwrap();
    numbers(driver.read("out"))
}

/// A record of the input: key, value, timestamp. No value is a tombstone.
type Sent = (Option<u8>, Option<i64>, i64);

fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let record = (
        prop_oneof![4 => (0..3_u8).prop_map(Some), 1 => Just(None)],
        prop_oneof![6 => (-9..9_i64).prop_map(Some), 1 => Just(None)],
        prop_oneof![8 => 0..5_000_i64, 1 => Just(-1)],
    );
    prop::collection::vec(record, 0..30)
}

/// Sends on the stream time at each record; takes nothing behind each fourth offset before that is committed.
struct Timed {
    suspends: bool,
}

impl Processor for Timed {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        let now_ms = context.stream_time_ms().unwrap_or(-1);
        context.forward(record.with(record.key, record.value.map(|count| count * 10_000 + now_ms)))?;
        if self.suspends && record.offset % 4 == 3 {
            context.suspend_from(record.position().next());
            context.request_commit();
        }
        Ok(())
    }

    fn committed(&mut self, context: &mut Output<'_>) -> Result {
        context.resume();
        Ok(())
    }
}

/// Everything that can be done with a stream; some of it looks at stream time, some suspends.
fn everything(suspends: bool) -> Topology {
    let builder = Builder::new();
    let sub = builder.sub_topology("sub");
    let input = sub.source::<[u8], i64>("in");
    let positive = input.filter(|record| record.value.is_none_or(|value| value > -5));
    let twice = positive.flat_map::<[u8], i64>(move |record, out| {
        for _ in 0..record.value.unwrap_or(1).rem_euclid(if suspends { 2 } else { 3 }) {
            out.emit_record(record.key, record.value);
        }
    });
    let counted = twice.count(&Store::memory("counts"));
    let timed = counted.processor("timed").supply(move |()| Timed { suspends });
    timed.sink("timed");
    if !suspends {
        let copy = input.map_values(|value| value + 1);
        copy.merge(&input.map_values(|value| -value)).sink("both");
        copy.aggregate(&Store::memory("sums"), |sum: Option<i64>, record| Some(sum.unwrap_or(0) + record.value?))
            .sink("both");
    }
    builder.build().unwrap()
}

/// All that a graph wrote, with the input cut behind these records.
fn results(topology: &Topology, input: &[Sent], cuts: &[bool]) -> Vec<OwnedRecord> {
    let mut driver = driver(topology);
    for (index, (key, value, timestamp_ms)) in input.iter().enumerate() {
        let (key, value) = (key.map(|key| [key]), value.map(i64::to_be_bytes));
        driver
            .append("in", key.as_ref().map(|key| &key[..]), value.as_ref().map(|value| &value[..]), *timestamp_ms)
            .unwrap();
        if cuts.get(index % cuts.len().max(1)) == Some(&true) {
            driver.run().unwrap();
        }
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    ["timed", "both"].iter().flat_map(|topic| driver.read(topic)).cloned().collect()
}

proptest! {
    #[test]
    fn two_maps_are_one_map_of_their_composition(input: Vec<i32>) {
        let input: Vec<i64> = input.into_iter().map(i64::from).collect();
        let key = || b"k".to_vec();
        let owned = |stream: Stream<Vec<u8>, i64>| stream.flat_map::<[u8], i64>(|record, out| out.emit(b"k", record.value.unwrap()));
        let first = |value: i64| value * 3;
        let second = |value: i64| value - 7;
        let two = through_stream(
            |stream| owned(stream.map(move |record| (key(), first(record.value.unwrap()))).map(move |record| (key(), second(record.value.unwrap())))),
            &input,
        );
        let one = through_stream(|stream| owned(stream.map(move |record| (key(), second(first(record.value.unwrap()))))), &input);
        let values = through_stream(|stream| stream.map_values(move |value| first(*value)).map_values(move |value| second(*value)), &input);
        let expected: Vec<i64> = input.iter().map(|value| second(first(*value))).collect();
        prop_assert_eq!(&two, &expected);
        prop_assert_eq!(&one, &expected);
        prop_assert_eq!(&values, &expected);
    }

    #[test]
    fn a_filter_and_its_complement_partition_the_input_and_keep_its_order(input: Vec<i64>, divisor in 1..5_i64) {
        let holds = move |value: i64| value % divisor == 0;
        let kept = through_stream(|stream| stream.filter(move |record| record.value.is_some_and(holds)), &input);
        let dropped = through_stream(|stream| stream.filter_not(move |record| record.value.is_some_and(holds)), &input);
        let (expected_kept, expected_dropped): (Vec<i64>, Vec<i64>) = input.iter().partition(|value| holds(**value));
        prop_assert_eq!(kept, expected_kept);
        prop_assert_eq!(dropped, expected_dropped);
    }

    #[test]
    fn no_result_depends_on_where_the_input_is_cut(
        input in sent(), cuts in prop::collection::vec(any::<bool>(), 1..8), suspends: bool,
    ) {
        let topology = everything(suspends);
        let one_by_one = results(&topology, &input, &[true]);
        prop_assert_eq!(results(&topology, &input, &[false]), one_by_one.clone());
        prop_assert_eq!(results(&topology, &input, &cuts), one_by_one);
    }
}

#[test]
fn merged_streams_keep_the_order_of_their_input() {
    let merged = through_stream(
        |stream| stream.filter(|record| record.value < Some(3)).merge(&stream.filter(|record| record.value >= Some(3))),
        &[1, 3, 2, 5, 4],
    );
    assert_eq!(merged, [1, 3, 2, 5, 4]);
}

#[test]
fn merging_a_stream_with_itself_gives_each_record_once() {
    assert_eq!(through_stream(|stream| stream.merge(&stream), &[1, 2]), [1, 2]);
}

#[test]
fn what_a_function_captures_begins_anew_with_its_task() {
    let builder = Builder::new();
    let mut seen = 0;
    let numbered =
        builder.sub_topology("sub").source::<[u8], i64>("in").process_fn::<[u8], i64>(move |record, context| {
            seen += 1;
            context.forward(record.with(record.key, Some(seen)))
        });
    numbered.sink("out");
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, [Some(7), Some(7)]);
    driver.run().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1, 2]);
    append(&mut driver, [Some(7)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1, 2, 3]);
}

#[test]
fn an_error_in_a_function_stops_with_the_name_of_its_node_and_no_record_before_it_is_lost() {
    let builder = Builder::new();
    let texts = builder.sub_topology("sub").source::<[u8], str>("in");
    texts.try_map_values(|text| Ok(text.parse::<i64>()?)).named("parse").sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for text in ["1", "2", "three"] {
        driver.append("in", None, Some(text.as_bytes()), 0).unwrap();
    }
    let error = error_of(driver.run());
    assert!(error.contains("processor 'parse' failed: invalid digit"), "{error}");
}

#[test]
fn records_without_a_key_are_not_counted_and_a_fold_to_nothing_deletes() {
    let builder = Builder::new();
    let left: Store<[u8], i64> = Store::memory("left");
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let fold = |left: Option<i64>, record: &Record<'_, [u8], i64>| {
        Some(left.unwrap_or(0) + record.value.unwrap_or(0)).filter(|left| *left != 0)
    };
    input.aggregate(&left, fold).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for (key, value) in [(Some(&b"a"[..]), 2_i64), (None, 9), (Some(b"a"), -2)] {
        driver.append("in", key, Some(&value.to_be_bytes()), 0).unwrap();
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    let values: Vec<bool> = driver.read("out").iter().map(|record| record.value.is_some()).collect();
    assert_eq!(values, [true, false]);
    assert!(!driver.store(&left).unwrap().contains(&&b"a"[..]).unwrap());
}
