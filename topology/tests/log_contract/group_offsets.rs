//! A group's offsets are committed in a transaction, or not at all.

use topology::log::{
    Committed, Consumer, ConsumerOptions, GroupOptions, GroupProtocol, Isolation, Kind, Log, OffsetCommit, Producer,
    TopicPartition,
};

use crate::harness::*;

fn offset(partition: &TopicPartition, offset: i64, metadata: &str) -> OffsetCommit {
    OffsetCommit { partition: partition.clone(), offset, metadata: metadata.to_owned() }
}

fn committed(offset: i64, metadata: &str) -> Committed {
    Committed { offset, metadata: metadata.to_owned() }
}

/// The membership of a consumer that has joined nothing.
fn group<L: Log>(log: &L, id: &str) -> L::Group {
    let group = GroupOptions {
        id: id.to_owned(),
        instance_id: None,
        session_timeout_ms: 30_000,
        protocol: GroupProtocol::Classic,
    };
    let options = ConsumerOptions { group: Some(group), ..consumer_options(Isolation::ReadCommitted) };
    log.consumer(&options).unwrap().group().unwrap()
}

/// Asks until the offsets are stable.
fn stable_offsets<L: Log>(log: &L, group: &str, partitions: &[TopicPartition]) -> Vec<Option<Committed>> {
    until("the offsets are stable", || match log.committed(group, partitions) {
        Ok(offsets) => Some(offsets),
        Err(error) => {
            assert_eq!(error.kind(), Kind::Retry, "{error:?}");
            None
        }
    })
}

pub(crate) fn offsets_appear_with_the_commit<L: Log>(log: &L) {
    let partition = TopicPartition::new(topic(log, 1), 0);
    let id = unique("group");
    let mut producer = producer(log);
    assert_eq!(stable_offsets(log, &id, std::slice::from_ref(&partition)), [None]);
    for round in 1..4 {
        producer.begin().unwrap();
        send(&mut producer, &partition.topic, 0, &["x"]);
        producer.flush(CALL).unwrap();
        producer.send_offsets(&[offset(&partition, round, "m")], &group(log, &id)).unwrap();
        producer.commit(CALL).unwrap();
        assert_eq!(stable_offsets(log, &id, std::slice::from_ref(&partition)), [Some(committed(round, "m"))]);
    }
}

pub(crate) fn offsets_of_an_aborted_transaction_vanish<L: Log>(log: &L) {
    let partition = TopicPartition::new(topic(log, 1), 0);
    let id = unique("group");
    let mut producer = producer(log);
    producer.begin().unwrap();
    producer.send_offsets(&[offset(&partition, 5, "kept")], &group(log, &id)).unwrap();
    producer.commit(CALL).unwrap();
    assert_eq!(stable_offsets(log, &id, std::slice::from_ref(&partition)), [Some(committed(5, "kept"))]);
    producer.begin().unwrap();
    producer.send_offsets(&[offset(&partition, 9, "dropped")], &group(log, &id)).unwrap();
    producer.abort(CALL).unwrap();
    assert_eq!(stable_offsets(log, &id, std::slice::from_ref(&partition)), [Some(committed(5, "kept"))]);
}

pub(crate) fn offsets_that_are_pending_are_not_told<L: Log>(log: &L) {
    let partition = TopicPartition::new(topic(log, 1), 0);
    let id = unique("group");
    let mut producer = producer(log);
    producer.begin().unwrap();
    producer.send_offsets(&[offset(&partition, 7, "")], &group(log, &id)).unwrap();
    let refused = log.committed(&id, std::slice::from_ref(&partition)).unwrap_err();
    assert_eq!(refused.kind(), Kind::Retry, "{refused:?}");
    producer.commit(CALL).unwrap();
    assert_eq!(stable_offsets(log, &id, std::slice::from_ref(&partition)), [Some(committed(7, ""))]);
}

pub(crate) fn offsets_come_in_the_order_asked_with_their_metadata<L: Log>(log: &L) {
    let (one, two) = (topic(log, 2), topic(log, 1));
    let at = |topic: &str, partition| TopicPartition::new(topic, partition);
    let id = unique("group");
    let mut producer = producer(log);
    producer.begin().unwrap();
    let offsets = [offset(&at(&one, 0), 1, "first"), offset(&at(&two, 0), 2, "")];
    producer.send_offsets(&offsets, &group(log, &id)).unwrap();
    producer.commit(CALL).unwrap();
    let asked = [at(&two, 0), at(&one, 1), at(&one, 0)];
    let expected = [Some(committed(2, "")), None, Some(committed(1, "first"))];
    assert_eq!(stable_offsets(log, &id, &asked), expected);
    assert_eq!(stable_offsets(log, &unique("group"), &asked), [None, None, None]);
}
