//! Whoever leaves does not keep others waiting: what it had open is aborted, not left to time out.

use std::sync::Arc;

use topology::client::{Client, Config};
use topology::clock::ManualClock;
use topology::graph::{Builder, Topic, Topology};
use topology::log::Kind;
use topology::processor::{self, Context, Processor, Record};

use crate::counting::{Topics, produce, read, topology};
use crate::fault_log::{Call, Fault, FaultLog, Script};
use crate::steps::{Instance, turn_until};
use crate::{config, memory_log, run_until_end, topics, until, wait};

/// Sends something whenever it hears of a commit: a transaction is always open.
struct Echo;

impl Processor for Echo {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
        context.forward(record.with(record.key, Some(record.offset)))
    }

    fn committed(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result {
        context.forward(Record::new(None, 0, None, Some(-1)))
    }
}

fn echoing(topics: &Topics) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("echoing").source::<[u8], [u8]>(topics.input.as_str());
    input.processor("echo").supply(|()| Echo).sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_clean_end_leaves_no_transaction_open_though_its_last_commit_caused_outputs() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::default();
    let mut client = Client::start(&echoing(&topics()), FaultLog::new(log, &script), config(None)).unwrap();
    until("it commits", || client.metrics().commit_count > 3);
    until("the next transaction is open", || script.has_open_transaction());
    client.stop();
    wait(&mut client).unwrap();
    assert!(!script.has_open_transaction());
}

#[test]
fn an_end_by_an_error_leaves_no_transaction_open() {
    let log = memory_log();
    produce(&log, &topics(), 30);
    let script = Script::default().refuse(Call::Send, 5, Kind::Fatal);
    run_until_end(&topology(&topics()), FaultLog::new(log, &script), config(None)).unwrap_err();
    assert_eq!(script.refused_count(), 1);
    assert!(!script.has_open_transaction());
}

#[test]
fn an_end_whose_last_commit_fails_leaves_no_transaction_open() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::commits([Fault::Abort]);
    let faults = FaultLog::new(log.clone(), &script);
    let config = Config { commit_interval_ms: 5_000, ..config(None) };
    let mut instance = Instance::new(&faults, Arc::new(ManualClock::new(0)), "a", config);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 10);
    assert!(script.has_open_transaction());
    instance.thread.close().unwrap();
    assert!(!script.has_open_transaction());
    assert!(read(&log, &topics().output).is_empty());
}
