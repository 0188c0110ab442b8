//! Records are deleted from the beginning of partitions.

use topology::log::{Deletion, Isolation, Kind, Log, Offset, Result, TopicPartition};

use crate::consuming::{commit_numbers, numbers};
use crate::harness::*;

pub(crate) fn deleted_records_are_gone_and_the_low_watermark_says_so<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    let high = decided(log, &topic, 0);
    log.delete_records(&partition, 4).unwrap();
    let watermarks = log.watermarks(&partition, Isolation::ReadCommitted).unwrap();
    assert_eq!((watermarks.low, watermarks.high), (4, high));
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(6).in_silence();
    assert_eq!(reader.values(), numbers(4..10));

    log.delete_records(&partition, high).unwrap();
    let watermarks = log.watermarks(&partition, Isolation::ReadCommitted).unwrap();
    assert_eq!((watermarks.low, watermarks.high), (high, high));
    commit_numbers(log, &topic, 10..12);
    reader.until_records(8).in_silence();
    assert_eq!(reader.values(), numbers(4..12));
}

/// How a deletion ends.
fn ended(mut deletion: Deletion) -> Result<()> {
    until("it has ended", || deletion.outcome())
}

/// Where a partition begins.
fn low<L: Log>(log: &L, partition: &TopicPartition) -> Offset {
    log.watermarks(partition, Isolation::ReadCommitted).unwrap().low
}

/// Waits until a partition begins there.
fn until_begins<L: Log>(log: &L, partition: &TopicPartition, offset: Offset) {
    until("it begins there", || (low(log, partition) == offset).then_some(()));
}

pub(crate) fn a_deletion_that_is_begun_comes_to_pass_in_all_its_partitions<L: Log>(log: &L) {
    let topic = topic(log, 3);
    let partitions = [0, 1, 2].map(|number| TopicPartition::new(&*topic, number));
    let mut producer = producer(log);
    for number in 0..3 {
        commit(&mut producer, &topic, number, &["a", "b", "c", "d", "e"]);
        decided(log, &topic, number);
    }
    let before = [(partitions[0].clone(), 2), (partitions[2].clone(), 4)];
    ended(log.begin_delete_records(&before)).unwrap();
    until_begins(log, &partitions[0], 2);
    until_begins(log, &partitions[2], 4);
    assert_eq!(low(log, &partitions[1]), 0);
    let mut reader = reader(log, &topic, &[0, 2]);
    reader.until_records(4).in_silence();
    let mut values = reader.values();
    values.sort_unstable();
    assert_eq!(values, ["c", "d", "e", "e"]);
    // What is gone already is no error, and nothing comes back.
    ended(log.begin_delete_records(&[(partitions[0].clone(), 1)])).unwrap();
    ended(log.begin_delete_records(&[])).unwrap();
    assert_eq!(low(log, &partitions[0]), 2);
}

pub(crate) fn a_deletion_beyond_the_end_is_an_error_and_the_others_come_to_pass<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let partitions = [0, 1].map(|number| TopicPartition::new(&*topic, number));
    let mut producer = producer(log);
    for number in 0..2 {
        commit(&mut producer, &topic, number, &["a", "b", "c"]);
        decided(log, &topic, number);
    }
    let before = [(partitions[0].clone(), 1_000), (partitions[1].clone(), 2)];
    let error = ended(log.begin_delete_records(&before)).unwrap_err();
    assert_eq!(error.kind(), Kind::Fatal, "{error}");
    assert!(error.to_string().contains(&partitions[0].to_string()), "{error}");
    until_begins(log, &partitions[1], 2);
    assert_eq!(low(log, &partitions[0]), 0);
    assert_eq!(log.delete_records(&partitions[0], 1_000).unwrap_err().kind(), Kind::Fatal);
}

pub(crate) fn a_deletion_that_nobody_asks_about_comes_to_pass<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    decided(log, &topic, 0);
    drop(log.begin_delete_records(&[(partition.clone(), 7)]));
    until_begins(log, &partition, 7);
}

pub(crate) fn a_reader_that_is_behind_none_of_what_is_deleted_notices_nothing<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    let end = decided(log, &topic, 0);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(10);
    ended(log.begin_delete_records(&[(partition.clone(), end)])).unwrap();
    until_begins(log, &partition, end);
    commit_numbers(log, &topic, 10..20);
    reader.until_records(20).in_silence();
    assert_eq!(reader.values(), numbers(0..20));
}
