//! Records that take long: what they come to is committed before a transaction times out.

use std::sync::Arc;

use topology::client::Config;
use topology::clock::{Clock, ManualClock};
use topology::graph::{Builder, Topic, Topology};

use super::counting::{create, in_transaction, read, send};
use super::steps::Instance;
use super::{config, memory_log, topics};

/// Copies, and takes so long for each record.
fn slow(clock: &ManualClock, partition_count: i32, record_ms: i64) -> Topology {
    let builder = Builder::new();
    let input = Topic::new(topics().input).partitions(partition_count);
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(input);
    let clock = clock.clone();
    let output = input.process_fn::<[u8], i64>(move |record, context| {
        clock.advance(record_ms);
        context.forward(record.with(record.key, Some(record.offset)))
    });
    output.sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

/// Copies so many records, each of which takes so long, by turns of no more than half a transaction's time. They come a
/// thousand at once. Returns the offsets of those that were copied within so many turns, of each partition.
fn copy_slowly(record_count: i32, partition_count: i32, record_ms: i64, turns_max: usize) -> Vec<Vec<i64>> {
    let (log, clock) = (memory_log(), ManualClock::new(0));
    create(&log, &topics(), partition_count);
    in_transaction(&log, "input", |producer| {
        for index in 0..record_count {
            send(producer, &topics(), index % partition_count, &index.to_be_bytes(), 1);
        }
    });
    let config = Config { batch_records: 1_000, commit_interval_ms: 100, ..config(None) };
    let timeout_ms = i64::from(config.transaction_timeout_ms);
    let topology = slow(&clock, partition_count, record_ms);
    let mut instance = Instance::of(&topology, &log, Arc::new(clock.clone()), "a", config);
    let mut turns = 0;
    while turns < turns_max && instance.metrics.snapshot().record_count < record_count as u64 {
        let (before, commits) = (clock.monotonic_ms(), instance.metrics.snapshot().commit_count);
        let turn = instance.thread.run_once().unwrap();
        assert!(clock.monotonic_ms() - before < timeout_ms / 2, "{turn:?}");
        assert_eq!(turn.committed, turn.record_count > 0, "{turn:?} after {commits} commits");
        turns += usize::from(turn.committed);
    }
    let mut copied = vec![Vec::new(); partition_count as usize];
    for (_, key, offset) in read(&log, &topics().output) {
        let index = i32::from_be_bytes(key[..].try_into().unwrap());
        copied[(index % partition_count) as usize].push(i64::from_be_bytes(offset[..].try_into().unwrap()));
    }
    copied
}

#[test]
fn a_batch_that_takes_longer_than_a_transaction_may_is_committed_in_parts() {
    for record_ms in [11, 90, 1_100] {
        assert_eq!(copy_slowly(1_000, 1, record_ms, usize::MAX), [(0..1_000).collect::<Vec<_>>()], "{record_ms}");
    }
}

#[test]
fn what_several_partitions_bring_at_once_is_committed_in_parts_too() {
    assert_eq!(copy_slowly(1_000, 8, 12, usize::MAX), vec![(0..125).collect::<Vec<_>>(); 8]);
}

#[test]
fn a_partition_of_slow_records_that_never_ends_leaves_time_for_another() {
    let copied = copy_slowly(10_000, 2, 12, 12);
    assert!(copied.iter().all(|offsets| offsets.len() > 800), "{:?}", copied.iter().map(Vec::len).collect::<Vec<_>>());
}
