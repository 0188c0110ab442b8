//! Processors that read several streams of different types.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::graph::Store;
use crate::processor::{Reaction, Schedule};
use crate::store::KeyValueStore;

/// Adds amounts up; limits come as text, from another topic.
struct Limited {
    limits: KeyValueStore<str, i64>,
    sums: KeyValueStore<str, i64>,
}

type Sums<'c> = Context<'c, str, i64>;

impl Limited {
    fn limit(&mut self, record: &Record<'_, str, str>, context: &mut Sums<'_>) -> Result {
        let (Some(key), Some(limit)) = (record.key, record.value) else { return Ok(()) };
        self.limits.put(&key, &0)?;
        context.forward(record.with(Some(key), Some(-1)))?;
        // What was done until here must be undone where this fails.
        Ok(self.limits.put(&key, &limit.parse()?)?)
    }
}

impl Processor for Limited {
    type Key = str;
    type Value = i64;
    type KeyOut = str;
    type ValueOut = i64;

    fn process(&mut self, record: &Record<'_, str, i64>, context: &mut Sums<'_>) -> Result {
        let (Some(key), Some(amount)) = (record.key, record.value) else { return Ok(()) };
        let limit = self.limits.get(&key)?.unwrap_or(i64::MAX);
        let sum = self.sums.update(&key, |sum| Some(limit.min(sum.unwrap_or(0) + amount)))?;
        context.forward(record.with(Some(key), sum))
    }
}

fn limited(builder: &Builder) {
    let adding = builder.sub_topology("adding");
    let (limits, amounts) = (adding.source::<str, str>("limits"), adding.source::<str, i64>("amounts"));
    let stores = amounts.processor("add").with_store(&Store::memory("limits")).with_store(&Store::memory("sums"));
    let added = stores.with_input(&limits, Limited::limit).supply(|(limits, sums)| Limited { limits, sums });
    added.sink("sums");
}

#[test]
fn records_of_two_types_meet_in_one_processor_with_its_stores() {
    let builder = Builder::new();
    limited(&builder);
    let mut driver = driver(&builder.build().unwrap());
    driver.input::<str, i64>("amounts").pipe("tea", 5).unwrap();
    driver.input::<str, str>("limits").pipe("tea", "8").unwrap();
    driver.input::<str, i64>("amounts").pipe("tea", 5).unwrap();
    driver.commit().unwrap();
    let sums = driver.output::<str, i64>("sums").read().unwrap();
    assert_eq!(sums, [(Some("tea"), Some(5)), (Some("tea"), Some(-1)), (Some("tea"), Some(8))]);
}

#[test]
fn an_error_at_any_input_names_the_processor_and_the_record() {
    let builder = Builder::new();
    limited(&builder);
    let mut driver = driver(&builder.build().unwrap());
    let error = error_of(driver.input::<str, str>("limits").pipe("tea", "much"));
    assert!(error.contains("the record at offset 0 of limits-0: processor 'add' failed"), "{error}");
}

#[test]
fn what_a_record_did_at_any_input_is_undone_where_a_handler_lets_it_pass() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::DeadLetter);
    limited(&builder);
    let mut driver = driver(&builder.build().unwrap());
    driver.input::<str, str>("limits").pipe("tea", "much").unwrap();
    driver.input::<str, i64>("amounts").pipe("tea", 5).unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.output::<str, i64>("sums").read().unwrap(), [(Some("tea"), Some(5))]);
    assert_eq!(driver.read("limits-dead-letters").len(), 1);
    assert!(driver.read("amounts-dead-letters").is_empty());
}

#[test]
fn runs_of_records_arrive_whole_at_an_input_that_takes_them() {
    let builder = Builder::new();
    let sub = builder.sub_topology("sub");
    let (main, other) = (sub.source::<[u8], i64>("in"), sub.source::<[u8], str>("other"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    main.processor("both")
        .with_batch_input(&other, move |_, records: &[Record<'_, [u8], str>], context| {
            counted.fetch_add(1, Ordering::Relaxed);
            let numbers: Vec<_> = records.iter().map(|record| record.with(record.key, Some(record.offset))).collect();
            context.forward_batch(&numbers)
        })
        .supply(|()| each(|_, _| Ok(())))
        .sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for _ in 0..50 {
        driver.append("other", None, Some(b"text"), 0).unwrap();
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), (0..50).collect::<Vec<_>>());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn one_stream_may_come_to_two_inputs_of_one_processor() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let twice = input.processor("twice").functions::<[u8], i64>().with_input(&input, |record, (), context| {
        context.forward(record.with(record.key, record.value.map(|value| value * 10)))
    });
    twice.process(|record, (), context| context.forward(record.with(record.key, record.value))).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, [Some(1), Some(2)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1, 10, 2, 20]);
}

#[test]
fn an_input_of_another_sub_topology_or_builder_is_a_mistake_that_names_the_processor() {
    let other = Builder::new();
    let foreign = other.sub_topology("foreign").source::<str, str>("foreign");
    let builder = Builder::new();
    let elsewhere = builder.sub_topology("elsewhere").source::<str, str>("elsewhere");
    let own = builder.sub_topology("sub").source::<str, str>("own");
    let functions = own.processor("join").functions::<str, str>();
    let functions = functions.with_input(&foreign, |_, (), _| Ok(())).with_input(&elsewhere, |_, (), _| Ok(()));
    functions.process(|_, (), _| Ok(())).sink("out");
    let mistakes = error_of(builder.build().map(|_| ()));
    assert!(mistakes.contains("an input of processor 'join' is of another builder"), "{mistakes}");
    assert!(
        mistakes.contains("processor 'join' of sub-topology 'elsewhere' is used in sub-topology 'sub'"),
        "{mistakes}"
    );
}

#[test]
fn inputs_beside_the_main_one_are_told_apart_in_text_and_in_dot() {
    let builder = Builder::new();
    limited(&builder);
    let topology = builder.build().unwrap();
    let text = topology.to_string();
    assert!(text.contains("    <-- amounts\n    <-- limits [input 2]\n"), "{text}");
    assert!(text.contains("  Source: limits (topic: limits)\n    --> add\n"), "{text}");
    let dot = topology.to_dot();
    assert!(dot.contains("\"limits\" -> \"add\" [label=\"input 2\"];"), "{dot}");
    assert!(dot.contains("\"amounts\" -> \"add\";"), "{dot}");
}

#[test]
fn functions_hear_of_the_start_of_punctuations_and_of_commits_and_share_what_they_were_given() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let functions = input.with_store(&Store::<i64, i64>::memory("sum")).functions::<[u8], i64>();
    functions
        .init(|sum, context| {
            context.schedule(Schedule::WallClock { interval_ms: 10 });
            Ok(sum.put(&0, &100)?)
        })
        .committed(|sum, _| Ok(sum.update(&0, |sum| Some(sum.unwrap_or(0) + 1_000)).map(|_| ())?))
        .punctuate(|_, sum, context| context.forward(Record::new(None, 0, None, sum.get(&0)?)))
        .process(|record, sum, _| {
            sum.update(&0, |sum| Some(sum.unwrap_or(0) + record.value.unwrap_or(0)))?;
            Ok(())
        })
        .sink("out");
    let mut driver = driver(&builder.build().unwrap());
    append(&mut driver, [Some(1), Some(2)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    driver.advance_clock(10).unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1_103]);
}
