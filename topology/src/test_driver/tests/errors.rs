//! What becomes of records on which a processor fails, and of outputs that no topic takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::codec::Json;
use crate::error::{Class, Error};
use crate::graph::{Store, Topic};
use crate::log::Refusal;
use crate::processor::{
    Classify, DeadLetter, HEADER_OFFSET, HEADER_REASON, HEADER_TARGET, Punctuation, Reaction, Schedule,
};

/// Counts by key, remembers the last value and tells of both; then it fails on negative numbers. All that it did before
/// is to be undone.
fn halfway(reaction: Reaction) -> Topology {
    let builder = Builder::new();
    builder.on_processing_error(move |_| reaction);
    let (counts, last): (Store<[u8], i64>, Store<[u8], i64>) = (Store::memory("counts"), Store::memory("last"));
    let counted = builder.sub_topology("sub").source::<[u8], i64>("in");
    let numbered = counted.with_store(&counts).process_fn::<[u8], i64>(|record, counts, context| {
        let Some(key) = record.key else { return Err("no key")? };
        counts.update(&key, |count| Some(count.unwrap_or(0) + 1))?;
        context.forward(record.with(record.key, record.value))
    });
    numbered.sink("seen");
    let told = numbered.with_store(&last).process_fn::<[u8], i64>(|record, last, context| {
        let (Some(key), Some(value)) = (record.key, record.value) else { return Ok(()) };
        match value % 5 {
            0 => last.delete(&key)?,
            _ => last.put(&key, &value)?,
        }
        context.dead_letter(&DeadLetter {
            position: record.position(),
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: Some(b"noted"),
            headers: record.headers,
            reason: "noted",
        });
        context.forward(record.with(record.key, record.value))?;
        if value < 0 { Err(format!("{value} is\nnegative"))? } else { Ok(()) }
    });
    told.sink("out");
    builder.build().unwrap()
}

fn pipe_all(driver: &mut TestDriver, input: &[(Option<u8>, i64)], cuts: &[bool]) {
    for (index, (key, value)) in input.iter().enumerate() {
        let key = key.map(|key| [key]);
        driver.append("in", key.as_ref().map(|key| &key[..]), Some(&value.to_be_bytes()), 0).unwrap();
        if cuts.get(index % cuts.len().max(1)) == Some(&true) {
            driver.run().unwrap();
        }
    }
    driver.run().unwrap();
}

/// Keys and values of what a topic holds, without offsets.
fn held(driver: &TestDriver, topic: &str) -> Vec<(Option<Vec<u8>>, Option<Vec<u8>>)> {
    driver.read(topic).iter().map(|record| (record.key.clone(), record.value.clone())).collect()
}

/// Without what tells how far the input was taken: that differs.
fn changelog(driver: &TestDriver, store: &str) -> Vec<(Option<Vec<u8>>, Option<Vec<u8>>)> {
    let records = driver.read_changelog(store).iter().filter(|record| record.key.as_deref().unwrap()[0] == 1);
    records.map(|record| (record.key.clone(), record.value.clone())).collect()
}

fn is_good(record: &(Option<u8>, i64)) -> bool {
    record.0.is_some() && record.1 >= 0
}

proptest! {
    #[test]
    fn a_record_on_which_a_processor_fails_leaves_no_trace_but_what_the_handler_says(
        input in prop::collection::vec((prop_oneof![6 => (0..4_u8).prop_map(Some), 1 => Just(None)], -6..12_i64), 0..30),
        cuts in prop::collection::vec(any::<bool>(), 1..6),
        aborts: bool,
    ) {
        let good: Vec<_> = input.iter().copied().filter(is_good).collect();
        let mut expected = driver(&halfway(Reaction::Fail));
        pipe_all(&mut expected, &good, &cuts);
        expected.commit().unwrap();
        for reaction in [Reaction::DeadLetter, Reaction::GoOn] {
            let mut driver = driver(&halfway(reaction));
            pipe_all(&mut driver, &input, &cuts);
            if aborts {
                driver.abort().unwrap();
            }
            driver.commit().unwrap();
            for topic in ["seen", "out"] {
                prop_assert_eq!(held(&driver, topic), held(&expected, topic));
            }
            for store in ["counts", "last"] {
                prop_assert_eq!(changelog(&driver, store), changelog(&expected, store));
            }
            let letters = driver.read("in-dead-letters").iter().filter(|letter| letter.value.as_deref() != Some(b"noted"));
            let letters: Vec<i64> = letters.map(|letter| letter.header(HEADER_OFFSET).unwrap().parse().unwrap()).collect();
            let bad = input.iter().enumerate().filter(|(_, record)| !is_good(record)).map(|(offset, _)| offset as i64);
            let bad: Vec<i64> = if reaction == Reaction::DeadLetter { bad.collect() } else { Vec::new() };
            prop_assert_eq!(letters, bad);
            let end = (!input.is_empty()).then_some(input.len() as i64);
            prop_assert_eq!(driver.committed_offset("in").filter(|offset| *offset > 0), end);
        }
    }
}

#[test]
fn a_dead_letter_of_a_failed_record_holds_it_as_it_came_with_the_reason_in_one_line() {
    let mut driver = driver(&halfway(Reaction::DeadLetter));
    let headers = vec![("trace".to_owned(), Some(b"7".to_vec()))];
    let value = Some((-3_i64).to_be_bytes().to_vec());
    let record = OwnedRecord {
        partition: 0,
        offset: 0,
        timestamp_ms: 9,
        key: Some(b"k".to_vec()),
        value,
        headers: headers.clone(),
    };
    driver.pipe_record("in", record.clone()).unwrap();
    assert!(driver.read("in-dead-letters").is_empty(), "it goes out with the commit");
    driver.commit().unwrap();
    let [letter] = driver.read("in-dead-letters") else { panic!("{:?}", driver.read("in-dead-letters")) };
    assert_eq!((&letter.key, &letter.value, &letter.headers[..1]), (&record.key, &record.value, &headers[..]));
    let reason = letter.header(HEADER_REASON).unwrap();
    assert!(reason.contains("processor 'in-process-2' failed: -3 is negative"), "{reason}");
    assert_eq!(letter.header(HEADER_TARGET), None);
}

#[test]
fn to_fail_stops_with_the_place_of_the_record_and_commits_nothing() {
    for handled in [true, false] {
        let topology = if handled { halfway(Reaction::Fail) } else { failing(|_| {}, |_| Err("bad")?) };
        let mut driver = driver(&topology);
        driver.append("in", Some(b"k"), Some(&1_i64.to_be_bytes()), 0).unwrap();
        driver.append("in", Some(b"k"), Some(&(-1_i64).to_be_bytes()), 0).unwrap();
        let error = driver.run().unwrap_err();
        assert_eq!(error.class(), Class::Stop);
        let offset = if handled { 1 } else { 0 };
        assert!(error.to_string().contains(&format!("offset {offset} of in-0")), "{error}");
        assert!(error.to_string().contains("on_processing_error"), "{error}");
    }
}

/// One processor that is one function of the value.
fn failing(handle: impl FnOnce(&Builder), process: impl Fn(i64) -> Result + Clone + Send + Sync + 'static) -> Topology {
    let builder = Builder::new();
    handle(&builder);
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let processed = input.process_fn::<[u8], i64>(move |record, context| {
        process(record.value.unwrap_or(0))?;
        context.forward(record.with(record.key, record.value))
    });
    processed.sink("out");
    builder.build().unwrap()
}

#[test]
fn errors_that_are_not_the_records_fault_are_not_for_the_handler() {
    for class in [Class::Stop, Class::Rewind, Class::Rejoin, Class::Retry, Class::Input] {
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = Arc::clone(&asked);
        let handle = |builder: &Builder| {
            builder.on_processing_error(move |error| {
                assert_eq!((error.partition.to_string().as_str(), error.position.offset), ("in-0", 0));
                asks.fetch_add(1, Ordering::Relaxed);
                Reaction::GoOn
            });
        };
        let mut driver = driver(&failing(handle, move |_| Ok(Err("no").class(class)?)));
        append(&mut driver, [Some(1)]);
        let result = driver.run();
        assert_eq!(result.err().map(|error| error.class()), Some(class).filter(|class| *class != Class::Input));
        assert_eq!(asked.load(Ordering::Relaxed), usize::from(class == Class::Input));
    }
}

#[test]
fn the_handler_sees_the_error_that_the_processor_returned() {
    let handle = |builder: &Builder| {
        builder.on_processing_error(|error| {
            let cause =
                std::error::Error::source(error.error).and_then(|cause| cause.downcast_ref::<std::fmt::Error>());
            if cause.is_some() { Reaction::GoOn } else { Reaction::Fail }
        });
    };
    let mut driver = driver(&failing(handle, |value| if value == 1 { Err(std::fmt::Error)? } else { Err("other")? }));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    append(&mut driver, [Some(2)]);
    assert!(error_of(driver.run()).contains("other"));
}

type Map = Json<std::collections::BTreeMap<Vec<i32>, i32>>;

#[test]
fn what_cannot_be_encoded_or_routed_is_the_records_fault() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::DeadLetter);
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let made = input.filter(|record| record.value == Some(1)).process_fn::<[u8], Map>(|record, context| {
        context.forward(record.with(record.key, Some(Json([(vec![1], 2)].into()))))
    });
    made.sink("maps");
    input.sink_choosing(["small", "large"], |record| record.value.map_or(0, |value| value as usize));
    input.sink(Topic::new("parts").partitions(2)).partitioned(|record, _| record.value.map_or(0, |value| value as i32));
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, [Some(0), Some(1), Some(2)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("in-dead-letters")), [1, 2]);
    assert_eq!((numbers(driver.read("small")), driver.read("large").len()), (vec![0], 0));
}

#[test]
fn a_task_that_holds_input_stops_all_the_same() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::GoOn);
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let holding = input.process_fn::<[u8], i64>(|record, context| {
        if record.value == Some(0) {
            return Err("zero".into());
        }
        context.hold_from(Some(record.position()));
        Ok(())
    });
    holding.sink("out");
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, [Some(0), Some(1)]);
    driver.run().unwrap();
    append(&mut driver, [Some(0)]);
    let error = driver.run().unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("while input is held"), "{error}");
}

#[test]
fn a_failed_record_suspends_nothing_and_asks_for_no_commit_and_its_time_counts() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::GoOn);
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let told = input.process_fn::<[u8], i64>(|record, context| {
        if record.value == Some(0) {
            context.suspend_from(record.position());
            context.request_commit();
            return Err("zero".into());
        }
        context.forward(record.with(record.key, context.stream_time_ms()))
    });
    told.sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for (value, timestamp_ms) in [(0_i64, 500), (1, 100)] {
        driver.append("in", None, Some(&value.to_be_bytes()), timestamp_ms).unwrap();
    }
    driver.run().unwrap();
    assert!(driver.read("out").is_empty(), "no commit was asked for");
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("out")), driver.committed_offset("in")), (vec![500], Some(2)));
}

/// Fails on every punctuation.
struct Failing;

impl Processor for Failing {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        context.schedule(Schedule::WallClock { interval_ms: 1 });
        Ok(())
    }

    fn process(&mut self, _: &Input<'_>, _: &mut Output<'_>) -> Result {
        Ok(())
    }

    fn punctuate(&mut self, _: Punctuation, _: &mut Output<'_>) -> Result {
        Err("no punctuation")?
    }
}

#[test]
fn a_failed_punctuation_belongs_to_no_record_and_stops() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::GoOn);
    builder.sub_topology("sub").source::<[u8], i64>("in").processor("failing").supply(|()| Failing).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    let error = driver.advance_clock(1).unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("processor 'failing' failed: no punctuation"), "{error}");
}

/// `in` -> `out`, which takes small records of a certain time. What is long is said with `long`.
fn limited(handle: impl FnOnce(&Builder)) -> Topology {
    let builder = Builder::new();
    handle(&builder);
    let topic = Topic::new("out")
        .config("max.message.bytes", "150")
        .config("message.timestamp.before.max.ms", "1000")
        .config("message.timestamp.after.max.ms", "10");
    builder.sub_topology("sub").source::<[u8], [u8]>("in").sink(topic);
    builder.build().unwrap()
}

const NOW_MS: i64 = 1_000_000;

/// Five records, of which the second is too large, the third too old and the fourth too new.
fn pipe_misfits(driver: &mut TestDriver) -> crate::Result<()> {
    driver.advance_clock(NOW_MS).unwrap();
    let long = [b'x'; 100];
    for (value, timestamp_ms) in
        [(&b"1"[..], NOW_MS), (&long, NOW_MS), (b"3", NOW_MS - 1_001), (b"4", NOW_MS + 11), (b"5", NOW_MS - 1_000)]
    {
        driver.append("in", Some(b"key"), Some(value), timestamp_ms)?;
    }
    driver.run()
}

#[test]
fn an_output_that_fits_nowhere_goes_where_the_handler_says_and_the_others_are_committed() {
    for reaction in [Reaction::DeadLetter, Reaction::GoOn] {
        let mut driver = driver(&limited(|builder| builder.on_production_error(move |_| reaction)));
        pipe_misfits(&mut driver).unwrap();
        driver.abort().unwrap();
        driver.commit().unwrap();
        let values = |topic: &str| -> Vec<Vec<u8>> {
            driver.read(topic).iter().map(|record| record.value.clone().unwrap()).collect()
        };
        assert_eq!(values("out"), [b"1", b"5"]);
        assert_eq!(driver.committed_offset("in"), Some(5));
        let expected = match reaction {
            Reaction::DeadLetter => vec![vec![b'x'; 100], b"3".to_vec(), b"4".to_vec()],
            _ => Vec::new(),
        };
        assert_eq!(values("in-dead-letters"), expected);
        for (letter, offset) in driver.read("in-dead-letters").iter().zip(1..) {
            assert_eq!(letter.header(HEADER_TARGET).as_deref(), Some("out"));
            assert_eq!(letter.header(HEADER_OFFSET), Some(offset.to_string()));
            let reason = letter.header(HEADER_REASON).unwrap();
            let setting = if offset == 1 { "max.message.bytes" } else { "message.timestamp" };
            assert!(reason.contains(setting), "{reason}");
        }
    }
}

#[test]
fn the_handler_of_outputs_is_told_which_topic_refuses_what_and_why() {
    let handle = |builder: &Builder| {
        builder.on_production_error(|error| {
            assert_eq!((error.topic, error.key, error.timestamp_ms), ("out", Some(&b"key"[..]), NOW_MS));
            assert_eq!((error.cause.offset, error.value.map(<[u8]>::len)), (1, Some(100)));
            assert_eq!(error.refusal, Refusal::TooLarge { size_bytes: 61 + 30 + 103, max_bytes: 150 });
            Reaction::Fail
        });
    };
    let mut driver = driver(&limited(handle));
    let error = pipe_misfits(&mut driver).unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("'out'") && error.to_string().contains("on_production_error"), "{error}");
}

#[test]
fn an_output_that_fits_nowhere_is_not_for_the_handler_of_processing() {
    let mut driver = driver(&limited(|builder| builder.on_processing_error(|_| Reaction::GoOn)));
    let error: Error = pipe_misfits(&mut driver).unwrap_err();
    assert!(error.to_string().contains("max.message.bytes is 150"), "{error}");
}
