//! Tasks that take no input for a while: what was fetched waits, and is not fetched again.

use topology::client::Config;
use topology::graph::{Builder, Topology};

use super::counting::{produce, read};
use super::{config, memory_log, run_until_end, topics};
use crate::fault_log::{Fault, FaultLog, Script};

const RECORD_COUNT: usize = 100;

/// Forwards one record per commit.
fn topology() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], [u8]>(topics().input);
    let functions = input.processor("one-per-commit").functions::<[u8], [u8]>().committed(|(), context| {
        context.resume();
        Ok(())
    });
    let output = functions.process(|record, (), context| {
        context.suspend_from(record.position().next());
        context.request_commit();
        context.forward(record.with(record.key, record.value))
    });
    output.sink(topics().output);
    builder.build().unwrap()
}

/// Runs over all input with these faults. Returns how often the consumer was told to go on elsewhere.
fn seek_count_with(faults: impl IntoIterator<Item = Fault>) -> usize {
    let (log, script) = (memory_log(), Script::commits(faults));
    produce(&log, &topics(), RECORD_COUNT);
    // All input is fetched at once.
    let config = Config { batch_records: 2 * RECORD_COUNT, ..config(None) };
    let metrics = run_until_end(&topology(), FaultLog::new(log.clone(), &script), config).unwrap();
    assert!(metrics.commit_count >= RECORD_COUNT as u64, "{metrics:?}");
    let keys: Vec<Vec<u8>> = read(&log, &topics().output).into_iter().map(|(_, key, _)| key).collect();
    let expected: Vec<Vec<u8>> = (0..RECORD_COUNT).map(|index| format!("key-{}", index % 7).into_bytes()).collect();
    assert_eq!(keys, expected);
    script.seek_count()
}

#[test]
fn what_lies_behind_a_suspension_waits_and_is_not_fetched_again() {
    assert_eq!(seek_count_with([]), 1, "to where the input begins, and never again");
}

#[test]
fn a_commit_that_fails_behind_a_suspension_goes_back_once_and_loses_nothing() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        assert_eq!(seek_count_with([Fault::None, Fault::None, fault]), 2, "{fault:?}");
    }
}
