//! A member that leaves does not keep others waiting: what it had open is aborted, not left to time out.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task;
use std::time::Duration;

use topology::client::{Client, Config};
use topology::clock::ManualClock;
use topology::graph::{Builder, Topic, Topology};
use topology::log::{Kind, Log};
use topology::processor::Record;

use super::counting::{Topics, produce, read, topology};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, run_until_end, topics, until, wait};
use crate::fault_log::{Call, Fault, FaultLog, Script};

/// Sends something whenever it hears of a commit: a transaction is always open.
fn echoing(topics: &Topics) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("echoing").source::<[u8], [u8]>(topics.input.as_str());
    let functions = input.processor("echo").functions::<[u8], i64>();
    let echo = functions.committed(|(), context| context.forward(Record::new(None, 0, None, Some(-1))));
    let output = echo.process(|record, (), context| context.forward(record.with(record.key, Some(record.offset))));
    output.sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_clean_end_leaves_no_transaction_open_though_its_last_commit_caused_outputs() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::default();
    let mut client = Client::start_blocking(&echoing(&topics()), FaultLog::new(log, &script), config(None)).unwrap();
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

#[test]
fn a_start_that_is_given_up_leaves_neither_thread_nor_member_nor_lock() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), 10);
    let (topology, config) = (topology(&topics()), config(Some(directory.path())));
    {
        let mut start = pin!(Client::start(&topology, log.clone(), config.clone()));
        // It has begun; no one waits for its end.
        let _ = start.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop()));
    }
    assert_eq!(log.group_member_count(&topics().application).unwrap(), 0);
    run_until_end(&topology, log, config).unwrap();
}

#[test]
fn a_start_can_be_awaited_on_any_runtime_and_says_why_it_failed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let builder = Builder::new();
    let missing = Topic::new("missing").must_exist();
    builder.sub_topology("sub").source::<[u8], [u8]>(missing).sink(Topic::new("out").partitions(1));
    let refused = builder.build().unwrap();
    let start = Client::start(&refused, log.clone(), config(Some(directory.path())));
    let error = runtime.block_on(start).err().unwrap().to_string();
    assert!(error.contains("there is no topic 'missing'"), "{error}");
    produce(&log, &topics(), 10);
    runtime.block_on(async {
        let topology = topology(&topics());
        let mut client = Client::start(&topology, log.clone(), config(Some(directory.path()))).await.unwrap();
        client.close(Duration::from_secs(60)).await.unwrap();
    });
}
