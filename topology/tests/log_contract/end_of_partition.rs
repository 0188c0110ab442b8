//! A reader is told where the end is, behind everything that it does not see.

use topology::log::{Isolation, Log, Producer};

use crate::harness::*;

pub(crate) fn the_end_of_an_empty_partition_is_told<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let mut reader = reader(log, &topic, &[0, 1]);
    reader.until_end(0, 0).until_end(1, 0);
    assert!(reader.records.is_empty());
}

pub(crate) fn the_end_is_behind_the_commit_marker<L: Log>(log: &L) {
    let topic = topic(log, 1);
    commit(&mut producer(log), &topic, 0, &["a", "b", "c"]);
    let high = decided(log, &topic, 0);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_end(0, high);
    assert_eq!(reader.values(), ["a", "b", "c"]);
    assert!(high > reader.records[2].offset + 1, "the marker has an offset");
}

pub(crate) fn the_end_is_behind_aborted_records<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    commit(&mut producer, &topic, 0, &["a"]);
    let before = decided(log, &topic, 0);
    abort(&mut producer, &topic, 0, &["b", "c"]);
    let high = until("the abort is decided", || Some(decided(log, &topic, 0)).filter(|high| *high >= before + 3));
    let mut reader = reader(log, &topic, &[0]);
    reader.until_end(0, high);
    assert_eq!(reader.values(), ["a"]);
}

pub(crate) fn the_end_of_a_committed_read_is_before_an_open_transaction<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    commit(&mut producer, &topic, 0, &["a", "b"]);
    let before = decided(log, &topic, 0);
    producer.begin().unwrap();
    send(&mut producer, &topic, 0, &["c"]);
    producer.flush(CALL).unwrap();
    assert_eq!(stable(log, &topic, 0), before, "the last stable offset stays");
    assert_eq!(end(log, &topic, 0), before + 1, "the high watermark does not");
    let mut committed = reader(log, &topic, &[0]);
    let mut all = reader_with(log, &consumer_options(Isolation::ReadUncommitted), &topic, &[0]);
    committed.until_end(0, before).in_silence();
    all.until_end(0, before + 1);
    assert_eq!(committed.values(), ["a", "b"]);
    assert_eq!(all.values(), ["a", "b", "c"]);

    producer.commit(CALL).unwrap();
    let high = decided(log, &topic, 0);
    committed.until_records(3).until_end(0, high);
    assert_eq!(committed.values(), ["a", "b", "c"]);
}

pub(crate) fn the_end_is_told_again_only_after_it_has_moved<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    commit(&mut producer, &topic, 0, &["a"]);
    let first = decided(log, &topic, 0);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_end(0, first).in_silence();
    commit(&mut producer, &topic, 0, &["b"]);
    let second = until("it has moved", || Some(decided(log, &topic, 0)).filter(|high| *high > first));
    reader.until_end(0, second).in_silence();
    assert_eq!(reader.values(), ["a", "b"]);
    let mut told = reader.ends.clone();
    told.dedup();
    assert_eq!(told, reader.ends, "no end is told twice in a row");
}
