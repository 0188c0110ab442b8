//! Reading: from where, how much, and what pauses and seeks do.

use std::time::Duration;

use topology::Class;
use topology::log::{Consumer, ConsumerOptions, Event, Isolation, Kind, Log, OutOfRange, Start, TopicPartition};

use crate::harness::*;

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

pub(crate) fn commit_numbers<L: Log>(log: &L, topic: &str, range: std::ops::Range<usize>) {
    let texts = numbers(range);
    commit(&mut producer(log), topic, 0, &texts.iter().map(String::as_str).collect::<Vec<_>>());
}

pub(crate) fn a_poll_hands_over_at_most_what_was_asked_for<L: Log>(log: &L) {
    let topic = topic(log, 1);
    commit_numbers(log, &topic, 0..100);
    let mut options = consumer_options(Isolation::ReadCommitted);
    options.batch_records = 7;
    let mut reader = reader_with(log, &options, &topic, &[0]);
    reader.until_records(100);
    assert_eq!(reader.values(), numbers(0..100));
    assert!(reader.batches.iter().all(|count| *count <= 7), "{:?}", reader.batches);
}

pub(crate) fn a_poll_wakes_up_when_something_arrives<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_end(0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            commit_numbers(log, &topic, 0..1);
        });
        let mut seen = 0;
        let ((), waited) = timed(|| {
            until("the record arrives", || {
                let count = &mut |event: Event<'_>| {
                    if let Event::Records { records, .. } = event {
                        seen += records.len();
                    }
                };
                reader.consumer.poll(PATIENCE, count).unwrap();
                (seen > 0).then_some(())
            });
        });
        assert!(waited < PATIENCE / 2, "it slept through the arrival: {waited:?}");
    });
}

pub(crate) fn reading_starts_at_the_given_offset<L: Log>(log: &L) {
    let topic = topic(log, 1);
    commit_numbers(log, &topic, 0..10);
    let mut reader = reader(log, &topic, &[]);
    reader.consumer.assign(&[(TopicPartition::new(&*topic, 0), Start::At(4))]).unwrap();
    reader.until_records(6).in_silence();
    assert_eq!(reader.values(), numbers(4..10));
}

pub(crate) fn a_position_below_the_first_record_starts_at_the_first<L: Log>(log: &L) {
    let topic = topic(log, 1);
    commit_numbers(log, &topic, 0..10);
    log.delete_records(&TopicPartition::new(&*topic, 0), 6).unwrap();
    let mut reader = reader(log, &topic, &[]);
    reader.consumer.assign(&[(TopicPartition::new(&*topic, 0), Start::At(2))]).unwrap();
    reader.until_records(4).in_silence();
    assert_eq!(reader.values(), numbers(6..10));
}

pub(crate) fn a_position_beyond_the_end_starts_at_the_beginning<L: Log>(log: &L) {
    let topic = topic(log, 1);
    commit_numbers(log, &topic, 0..3);
    decided(log, &topic, 0);
    let mut reader = reader(log, &topic, &[]);
    reader.consumer.assign(&[(TopicPartition::new(&*topic, 0), Start::At(1_000))]).unwrap();
    reader.until_records(3).in_silence();
    assert_eq!(reader.values(), numbers(0..3));
}

fn exacting() -> ConsumerOptions {
    ConsumerOptions { out_of_range: OutOfRange::Fail, ..consumer_options(Isolation::ReadCommitted) }
}

/// Polls until it fails, then again: what it says of a position outside the log.
fn until_out_of_range<C: Consumer>(reader: &mut Reader<C>) {
    for what in ["it fails", "it fails again"] {
        let error = until(what, || {
            let nothing = &mut |event: Event<'_>| panic!("{event:?} in place of an error");
            reader.consumer.poll(SILENCE, nothing).err()
        });
        assert_eq!((error.kind(), error.class()), (Kind::OutOfRange, Class::Rewind), "{error}");
    }
}

pub(crate) fn a_position_outside_the_log_is_an_error_where_that_is_asked_for<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    let high = decided(log, &topic, 0);
    log.delete_records(&partition, 6).unwrap();
    let mut reader = reader_with(log, &exacting(), &topic, &[]);
    for offset in [2, high + 1_000] {
        reader.consumer.assign(&[(partition.clone(), Start::At(offset))]).unwrap();
        until_out_of_range(&mut reader);
    }
    for (start, first) in [(Start::At(6), 6), (Start::At(8), 8), (Start::Beginning, 6), (Start::At(high), 10)] {
        reader.records.clear();
        reader.consumer.assign(&[(partition.clone(), start)]).unwrap();
        reader.until_records(10 - first).in_silence();
        assert_eq!(reader.values(), numbers(first..10), "{start:?}");
    }
}

pub(crate) fn records_deleted_before_they_were_read_are_an_error_where_that_is_asked_for<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    let mut reader = reader_with(log, &exacting(), &topic, &[0]);
    let end = decided(log, &topic, 0);
    reader.until_records(10).until_end(0, end);
    reader.consumer.pause(std::slice::from_ref(&partition)).unwrap();
    commit_numbers(log, &topic, 10..20);
    let high = decided(log, &topic, 0);
    log.delete_records(&partition, high - 1).unwrap();
    // What was read ahead counts no more.
    reader.consumer.seek(&partition, end).unwrap();
    reader.consumer.resume(std::slice::from_ref(&partition)).unwrap();
    until_out_of_range(&mut reader);
    assert_eq!(reader.values(), numbers(0..10));
}

pub(crate) fn an_assignment_replaces_the_one_before<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let mut producer = producer(log);
    commit(&mut producer, &topic, 0, &["a0", "b0"]);
    commit(&mut producer, &topic, 1, &["a1", "b1"]);
    let (zero, one) = (TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1));
    let mut reader = reader(log, &topic, &[0, 1]);
    reader.until_records(4);
    reader.consumer.pause(&[zero.clone(), one.clone()]).unwrap();
    reader.records.clear();
    reader.consumer.assign(&[(one, Start::At(1))]).unwrap();
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["b1"], "the pause is gone, and so is the other partition");
    commit(&mut producer, &topic, 0, &["c0"]);
    reader.in_silence();
    assert_eq!(reader.values(), ["b1"]);
    assert!(reader.consumer.seek(&zero, 0).is_err(), "it is not assigned");
}

pub(crate) fn pausing_and_resuming_loses_nothing<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..500);
    let mut options = consumer_options(Isolation::ReadCommitted);
    options.batch_records = 50;
    let mut reader = reader_with(log, &options, &topic, &[0]);
    reader.until_records(1);
    for round in 0..3 {
        reader.consumer.pause(std::slice::from_ref(&partition)).unwrap();
        let before = reader.records.len();
        if round == 1 {
            commit_numbers(log, &topic, 500..600);
        }
        reader.in_silence();
        assert_eq!(reader.records.len(), before, "nothing comes while it is paused");
        reader.consumer.resume(std::slice::from_ref(&partition)).unwrap();
        reader.until_records(before + 1);
    }
    reader.until_records(600).in_silence();
    assert_eq!(reader.values(), numbers(0..600));
}

pub(crate) fn seeking_back_reads_again_and_seeking_on_skips<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let partition = TopicPartition::new(&*topic, 0);
    commit_numbers(log, &topic, 0..10);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(10);
    reader.records.clear();
    reader.consumer.seek(&partition, 3).unwrap();
    reader.until_records(7).in_silence();
    assert_eq!(reader.values(), numbers(3..10));
    reader.records.clear();
    reader.consumer.seek(&partition, 8).unwrap();
    reader.until_records(2).in_silence();
    assert_eq!(reader.values(), numbers(8..10));
}

pub(crate) fn a_partition_that_begins_paused_goes_on_where_it_is_sought<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let [zero, one] = [0, 1].map(|number| TopicPartition::new(&*topic, number));
    commit_numbers(log, &topic, 0..10);
    commit(&mut producer(log), &topic, 1, &["a", "b"]);
    let high = decided(log, &topic, 0);
    // Reading that began at an offset taken for want of a better one would fail.
    log.delete_records(&zero, 4).unwrap();
    let mut reader = reader_with(log, &exacting(), &topic, &[]);
    let again = |reader: &mut Reader<L::Consumer>, start| {
        reader.records.clear();
        reader.consumer.incremental_unassign(std::slice::from_ref(&zero)).unwrap();
        reader.consumer.incremental_assign(&[(zero.clone(), start)]).unwrap();
    };
    again(&mut reader, Start::Paused);
    reader.consumer.incremental_assign(&[(one, Start::At(1))]).unwrap();
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["b"], "it disturbs no other");
    reader.consumer.seek(&zero, 7).unwrap();
    reader.in_silence();
    assert_eq!(reader.values(), ["b"], "sought, it is paused still");
    reader.consumer.resume(std::slice::from_ref(&zero)).unwrap();
    reader.until_records(4).until_end(0, high);
    assert_eq!(reader.values()[1..], numbers(7..10));
    again(&mut reader, Start::Paused);
    reader.consumer.resume(std::slice::from_ref(&zero)).unwrap();
    reader.until_records(6).in_silence();
    assert_eq!(reader.values(), numbers(4..10), "never sought, it begins where the log does");
    again(&mut reader, Start::Paused);
    again(&mut reader, Start::At(9));
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), numbers(9..10), "no pause outlasts its assignment");
}
