//! What is sent and committed outside of transactions.

use topology::log::{Consumer, IdempotentOptions, Isolation, Kind, Log, OffsetCommit, Producer, TopicPartition};

use crate::harness::*;

fn idempotent<L: Log>(log: &L, track_topics: &[&str]) -> L::Producer {
    let track_topics = track_topics.iter().map(|&topic| topic.to_owned()).collect();
    let options = IdempotentOptions { client_id: "contract".to_owned(), delivery_timeout_ms: 30_000, track_topics };
    log.idempotent_producer(&options).unwrap()
}

pub(crate) fn what_is_flushed_can_be_read_and_its_offsets_are_told<L: Log>(log: &L) {
    let (one, other) = (topic(log, 2), topic(log, 1));
    let mut producer = idempotent(log, &[&one]);
    for round in 0..3 {
        producer.begin().unwrap();
        send(&mut producer, &one, 1, &["a", "b"]);
        send(&mut producer, &other, 0, &["x"]);
        producer.flush(CALL).unwrap();
        assert_eq!(producer.delivered(&TopicPartition::new(&*one, 1)), Some(2 * round + 1));
        assert_eq!(producer.delivered(&TopicPartition::new(&*one, 0)), None, "nothing went there");
        producer.commit(CALL).unwrap();
    }
    let mut reader = reader(log, &one, &[1]);
    assert_eq!(reader.until_records(6).values(), ["a", "b", "a", "b", "a", "b"]);
    let offsets: Vec<i64> = reader.records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5], "no marks lie between them");
    assert_eq!(end(log, &other, 0), 3);
}

pub(crate) fn it_lies_behind_an_open_transaction_of_another_until_that_ends<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut other = producer(log);
    other.begin().unwrap();
    send(&mut other, &topic, 0, &["open"]);
    other.flush(CALL).unwrap();
    let mut producer = idempotent(log, &[]);
    send(&mut producer, &topic, 0, &["plain"]);
    producer.flush(CALL).unwrap();
    let mut uncommitted = reader_with(log, &consumer_options(Isolation::ReadUncommitted), &topic, &[0]);
    assert_eq!(uncommitted.until_records(2).values(), ["open", "plain"]);
    let mut committed = reader(log, &topic, &[0]);
    assert!(committed.in_silence().values().is_empty());
    other.abort(CALL).unwrap();
    assert_eq!(committed.until_records(1).values(), ["plain"]);
}

pub(crate) fn calls_that_only_transactions_have_are_refused<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = idempotent(log, &[]);
    let mut member = member(log, &unique("group"), None, &[&topic]);
    settle("it has all", &mut [&mut member], |counts| counts == [1]);
    let group = member.consumer.group().unwrap();
    let commit = OffsetCommit { partition: TopicPartition::new(&*topic, 0), offset: 1, metadata: String::new() };
    for refused in [producer.init_transactions(CALL), producer.send_offsets(&[commit], &group), producer.abort(CALL)] {
        assert_eq!(refused.unwrap_err().kind(), Kind::Fatal);
    }
    send(&mut producer, &topic, 0, &["x"]);
    producer.commit(CALL).unwrap();
    assert_eq!(end(log, &topic, 0), 1);
}

pub(crate) fn a_member_commits_offsets_by_itself_as_long_as_it_is_one<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let group = unique("group");
    let mut a = member(log, &group, None, &[&topic]);
    settle("it has all", &mut [&mut a], |counts| counts == [2]);
    let commit = |partition, offset, metadata: &str| OffsetCommit {
        partition: TopicPartition::new(&*topic, partition),
        offset,
        metadata: metadata.to_owned(),
    };
    a.consumer.commit(&[]).unwrap();
    a.consumer.commit(&[commit(0, 5, "m"), commit(1, 7, "")]).unwrap();
    a.consumer.commit(&[commit(0, 6, "n")]).unwrap();
    let partitions = [0, 1].map(|partition| TopicPartition::new(&*topic, partition));
    let known: Vec<_> = log
        .committed(&group, &partitions)
        .unwrap()
        .into_iter()
        .map(|known| known.map(|known| (known.offset, known.metadata)))
        .collect();
    assert_eq!(known, [Some((6, "n".to_owned())), Some((7, String::new()))]);
    a.consumer.leave().unwrap();
    assert_eq!(a.consumer.commit(&[commit(0, 9, "")]).unwrap_err().kind(), Kind::NotMember);
}
