//! Transactions: all or nothing, one producer per id.

use topology::log::{Isolation, Kind, Log, Producer};

use crate::harness::*;

pub(crate) fn records_of_an_open_transaction_are_not_committed<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    producer.begin().unwrap();
    send(&mut producer, &topic, 0, &["a"]);
    producer.flush(CALL).unwrap();
    let mut committed = reader(log, &topic, &[0]);
    let mut all = reader_with(log, &consumer_options(Isolation::ReadUncommitted), &topic, &[0]);
    all.until_records(1);
    committed.in_silence();
    assert!(committed.records.is_empty());
    producer.commit(CALL).unwrap();
    committed.until_records(1);
    assert_eq!(committed.values(), ["a"]);
}

pub(crate) fn aborted_records_are_seen_by_uncommitted_reads_only<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    commit(&mut producer, &topic, 0, &["a"]);
    abort(&mut producer, &topic, 0, &["b", "c"]);
    commit(&mut producer, &topic, 0, &["d"]);
    let mut committed = reader(log, &topic, &[0]);
    let mut all = reader_with(log, &consumer_options(Isolation::ReadUncommitted), &topic, &[0]);
    committed.until_records(2).in_silence();
    all.until_records(4);
    assert_eq!(committed.values(), ["a", "d"]);
    assert_eq!(all.values(), ["a", "b", "c", "d"]);
}

pub(crate) fn a_transaction_is_all_or_nothing_over_topics<L: Log>(log: &L) {
    let topics = [topic(log, 2), topic(log, 1)];
    let mut producer = producer(log);
    for (text, commits) in [("kept", true), ("dropped", false), ("kept too", true)] {
        producer.begin().unwrap();
        for (topic, partition) in [(&topics[0], 0), (&topics[0], 1), (&topics[1], 0)] {
            send(&mut producer, topic, partition, &[text]);
        }
        producer.flush(CALL).unwrap();
        if commits { producer.commit(CALL).unwrap() } else { producer.abort(CALL).unwrap() }
    }
    for (topic, partition) in [(&topics[0], 0), (&topics[0], 1), (&topics[1], 0)] {
        let mut reader = reader(log, topic, &[partition]);
        reader.until_records(2).in_silence();
        assert_eq!(reader.values(), ["kept", "kept too"]);
    }
}

pub(crate) fn an_empty_transaction_can_be_ended<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    producer.begin().unwrap();
    producer.commit(CALL).unwrap();
    producer.begin().unwrap();
    producer.abort(CALL).unwrap();
    assert_eq!(end(log, &topic, 0), 0);
    commit(&mut producer, &topic, 0, &["a"]);
    assert_eq!(reader(log, &topic, &[0]).until_records(1).values(), ["a"]);
}

pub(crate) fn a_second_producer_with_the_same_id_fences_the_first<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let id = unique("producer");
    let mut first = producer_as(log, &id);
    first.begin().unwrap();
    send(&mut first, &topic, 0, &["first"]);
    first.flush(CALL).unwrap();

    let mut second = producer_as(log, &id);
    let refused = first.commit(CALL).unwrap_err();
    assert_eq!(refused.kind(), Kind::Fenced, "{refused:?}");
    let still_refused = first
        .begin()
        .and_then(|()| first.send(&value(&topic, 0, "again")))
        .and_then(|()| first.flush(CALL))
        .and_then(|()| first.commit(CALL));
    assert!(still_refused.is_err(), "only a new producer helps");

    commit(&mut second, &topic, 0, &["second"]);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["second"]);
}

pub(crate) fn a_new_producer_aborts_what_a_dead_one_left_open<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let id = unique("producer");
    let mut dead = producer_as(log, &id);
    dead.begin().unwrap();
    send(&mut dead, &topic, 0, &["left"]);
    dead.flush(CALL).unwrap();
    drop(dead);
    assert_eq!(stable(log, &topic, 0), 0);
    assert_eq!(end(log, &topic, 0), 1);

    let mut next = producer_as(log, &id);
    assert!(decided(log, &topic, 0) >= 2);
    commit(&mut next, &topic, 0, &["next"]);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["next"]);
}

pub(crate) fn a_transaction_that_took_too_long_is_aborted_and_its_producer_fenced<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut options = producer_options(&unique("producer"));
    options.transaction_timeout_ms = 1_000;
    let mut slow = log.producer(&options).unwrap();
    slow.init_transactions(CALL).unwrap();
    slow.begin().unwrap();
    send(&mut slow, &topic, 0, &["late"]);
    slow.flush(CALL).unwrap();
    assert!(decided(log, &topic, 0) >= 2);
    let refused = slow.commit(CALL).unwrap_err();
    assert_eq!(refused.kind(), Kind::Fenced, "{refused:?}");
    commit(&mut producer(log), &topic, 0, &["other"]);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["other"]);
}
