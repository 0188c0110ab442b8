//! What tasks promise, shown on the test driver.

mod beginning;
mod by_hand;
mod changelogs;
mod closures;
mod dead_letters;
mod errors;
mod event_time;
mod failed_records;
mod failures;
mod holding;
mod input_ports;
mod names;
mod partitions;
mod repartition;
mod schedules;
mod several_inputs;
mod stream_time;
mod suspension;
mod task;
mod two_stages;

use std::fmt::Debug;

use super::{OwnedRecord, TestDriver};
use crate::graph::{Builder, Topology};
use crate::log::Headers;
use crate::processor::Result;
use crate::processor::{Context, Processor, Record};

type Input<'r> = Record<'r, [u8], i64>;
type Output<'c> = Context<'c, [u8], i64>;

/// A processor of numbers that is only functions.
struct Functions<P, C> {
    process: P,
    committed: C,
}

impl<P, C> Processor for Functions<P, C>
where
    P: FnMut(&Input<'_>, &mut Output<'_>) -> Result + 'static,
    C: FnMut(&mut Output<'_>) -> Result + 'static,
{
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        (self.process)(record, context)
    }

    fn committed(&mut self, context: &mut Output<'_>) -> Result {
        (self.committed)(context)
    }
}

/// A processor made of one function.
fn each<P>(process: P) -> impl Processor<Key = [u8], Value = i64, KeyOut = [u8], ValueOut = i64>
where
    P: FnMut(&Input<'_>, &mut Output<'_>) -> Result + 'static,
{
    each_and_committed(process, |_| Ok(()))
}

/// A processor made of two functions; the second hears of commits.
fn each_and_committed<P, C>(
    process: P,
    committed: C,
) -> impl Processor<Key = [u8], Value = i64, KeyOut = [u8], ValueOut = i64>
where
    P: FnMut(&Input<'_>, &mut Output<'_>) -> Result + 'static,
    C: FnMut(&mut Output<'_>) -> Result + 'static,
{
    Functions { process, committed }
}

/// `in` -> the processor -> `out`.
fn through<P>(supplier: impl Fn() -> P + Send + Sync + 'static) -> Topology
where
    P: Processor<Key = [u8], Value = i64, KeyOut = [u8], ValueOut = i64>,
{
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    input.processor("processor").supply(move |()| supplier()).sink("out");
    builder.build().unwrap()
}

fn driver(topology: &Topology) -> TestDriver {
    TestDriver::new(topology, "app", 0).unwrap()
}

/// Appends numbers; `None` stands for bytes that are no number.
fn append(driver: &mut TestDriver, values: impl IntoIterator<Item = Option<i64>>) {
    for value in values {
        let bytes = value.map_or(b"no number".to_vec(), |value| value.to_be_bytes().to_vec());
        driver.append("in", None, Some(&bytes), 0).unwrap();
    }
}

/// The numbers in a topic.
fn numbers(records: &[OwnedRecord]) -> Vec<i64> {
    let number = |record: &OwnedRecord| i64::from_be_bytes(record.value.as_deref().unwrap().try_into().unwrap());
    records.iter().map(number).collect()
}

fn error_of<T: Debug>(result: crate::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_record_for_a_topic_that_nobody_reads_is_refused() {
    let mut driver = driver(&through(|| each(|_, _| Ok(()))));
    assert!(error_of(driver.pipe("typo", None, None, 0)).contains("'typo'"));
    assert!(error_of(driver.append("out", None, None, 0)).contains("'out'"));
}

#[test]
fn headers_go_in_and_come_out() {
    let mut driver =
        driver(&through(|| each(|record, context| context.forward(record.with(record.key, record.value)))));
    let headers = vec![("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None)];
    let record = OwnedRecord {
        partition: 5,
        offset: 77,
        timestamp_ms: 5,
        key: None,
        value: Some(vec![0; 8]),
        headers: headers.clone(),
    };
    driver.pipe_record("in", record).unwrap();
    driver.commit().unwrap();
    let [out] = driver.read("out") else { panic!("{:?}", driver.read("out")) };
    assert_eq!((out.offset, out.timestamp_ms, &out.headers), (0, 5, &headers));
}

/// Says at its start how far the input reached then, and where it begins.
struct Bounds;

impl Processor for Bounds {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        for position in [context.next_position(0), context.end_position(0)] {
            context.forward(Record::new(None, 0, None, Some(position.offset)))?;
        }
        Ok(())
    }

    fn process(&mut self, _: &Input<'_>, _: &mut Output<'_>) -> Result {
        Ok(())
    }
}

#[test]
fn a_task_knows_what_its_predecessor_can_have_read() {
    let mut driver = driver(&through(|| Bounds));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    append(&mut driver, [Some(2), Some(3)]);
    driver.run().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [0, 0, 1, 3]);
}
