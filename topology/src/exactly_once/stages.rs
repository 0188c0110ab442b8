//! Graphs of more than one stage, and input that is not what it was.

use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{
    Consumer, ConsumerOptions, GroupOptions, GroupProtocol, Isolation, Log, OffsetCommit, OutOfRange, Producer,
    TopicPartition,
};

use super::counting::{Topics, assert_exact, in_transaction, produce, read, topology};
use super::{config, memory_log, run_until_end, topics};
use crate::fault_log::{FaultLog, Script};

/// Counts, and counts the counts.
fn two_stages(topics: &Topics) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("first").source::<[u8], [u8]>(topics.input.as_str());
    input.count(&Store::memory("counts")).sink("between");
    let between = builder.sub_topology("second").source::<[u8], [u8]>("between");
    between.count(&Store::memory("counts-again")).sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_two_stage_graph_starts_from_nothing() {
    let log = memory_log();
    let faultless = FaultLog::new(log.clone(), &Script::default());
    run_until_end(&two_stages(&topics()), faultless.clone(), config(None)).unwrap();
    produce(&log, &topics(), 30);
    run_until_end(&two_stages(&topics()), faultless, config(None)).unwrap();
    assert_exact(&log, &topics(), 30);
    assert_eq!(read(&log, "between").len(), 30);
}

/// Says that the group has processed the input up to here.
pub(crate) fn commit_offset(log: &impl Log, offset: i64) {
    commit_offset_with(log, offset, "");
}

/// And this beside it.
pub(crate) fn commit_offset_with(log: &impl Log, offset: i64, metadata: &str) {
    let options = ConsumerOptions {
        group: Some(GroupOptions {
            id: topics().application,
            instance_id: None,
            session_timeout_ms: 10_000,
            protocol: GroupProtocol::Classic,
        }),
        isolation: Isolation::ReadCommitted,
        client_id: "test".to_owned(),
        batch_records: 1,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    let consumer = log.consumer(&options).unwrap();
    let partition = TopicPartition::new(topics().input, 0);
    let offsets = [OffsetCommit { partition, offset, metadata: metadata.to_owned() }];
    in_transaction(log, "somebody", |producer| {
        producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
    });
}

#[test]
fn input_that_ends_before_the_committed_offset_is_refused() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    // Up to its end, behind the transaction's marker, it may be committed.
    commit_offset(&log, 11);
    assert_eq!(run_until_end(&topology(&topics()), log.clone(), config(None)).unwrap().record_count, 0);
    commit_offset(&log, 12);
    let error = run_until_end(&topology(&topics()), log, config(None)).unwrap_err().to_string();
    assert!(error.contains("the committed offset 12 of app-in-0 lies beyond the topic's end 11"), "{error}");
}

#[test]
fn input_deleted_before_it_was_processed_is_passed_over() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    commit_offset(&log, 2);
    log.delete_records(&TopicPartition::new(topics().input, 0), 5).unwrap();
    assert_eq!(run_until_end(&topology(&topics()), log, config(None)).unwrap().record_count, 5);
}
