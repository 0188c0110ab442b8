//! What the clock decides.

use std::time::Duration;

use topology::log::memory::MemoryLog;
use topology::log::{
    Consumer, ConsumerOptions, Event, GroupOptions, GroupProtocol, Isolation, Kind, Log, OffsetCommit, Producer,
    TopicPartition,
};

use super::ManualClock;
use crate::harness::*;

/// Static members fall silent by being dropped, others by not polling.
#[test]
fn a_silent_member_loses_its_partitions_when_its_session_times_out_and_joins_anew() {
    let clock = ManualClock::default();
    let log = MemoryLog::new(clock.clock());
    let topic = topic(&log, 2);
    let mut silent = member(&log, "g", None, &[&topic]);
    let mut lively = member(&log, "g", None, &[&topic]);
    settle("two members share", &mut [&mut silent, &mut lively], |counts| counts == [1, 1]);
    let stale = silent.consumer.group().unwrap();
    for _ in 0..3 {
        clock.advance_ms(10_000);
        lively.poll();
    }
    settle("the lively one takes over", &mut [&mut lively], |counts| counts == [2]);
    assert!(silent.consumer.assignment_lost());
    let mut producer = producer(&log);
    producer.begin().unwrap();
    let commit = OffsetCommit { partition: TopicPartition::new(&*topic, 0), offset: 1, metadata: String::new() };
    assert_eq!(producer.send_offsets(&[commit], &stale).unwrap_err().kind(), Kind::NotMember);
    silent.poll();
    assert!(silent.lost, "it is told");
    settle("it is back", &mut [&mut silent, &mut lively], |counts| counts == [1, 1]);
    assert!(!silent.consumer.assignment_lost());
}

#[test]
fn a_static_member_that_does_not_return_keeps_its_place_until_its_session_times_out() {
    let clock = ManualClock::default();
    let log = MemoryLog::new(clock.clock());
    let topic = topic(&log, 2);
    let mut a = member(&log, "g", Some("a"), &[&topic]);
    let mut b = member(&log, "g", Some("b"), &[&topic]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [1, 1]);
    drop(a);
    clock.advance_ms(29_999);
    b.poll();
    assert_eq!(log.group_member_count("g").unwrap(), 2);
    clock.advance_ms(1);
    settle("the other takes over", &mut [&mut b], |counts| counts == [2]);
}

#[test]
fn a_static_member_that_was_replaced_is_told_and_does_not_come_back() {
    let log = super::memory().log;
    let topic = topic(&log, 2);
    let mut former = member(&log, "g", Some("a"), &[&topic]);
    settle("it has all", &mut [&mut former], |counts| counts == [2]);
    let mut latter = member(&log, "g", Some("a"), &[&topic]);
    settle("the second has all", &mut [&mut latter], |counts| counts == [2]);
    former.poll();
    assert!(former.lost && former.error.is_none());
    former.poll();
    assert_eq!(former.error.as_ref().unwrap().kind(), Kind::NotMember);
    latter.poll();
    assert_eq!((latter.assigned.len(), latter.revoked.len()), (2, 0));
}

#[test]
fn a_transaction_times_out_by_the_clock_and_not_a_millisecond_before() {
    let clock = ManualClock::default();
    let log = MemoryLog::new(clock.clock());
    let topic = topic(&log, 1);
    for (ms, kind) in [(59_999, None), (60_000, Some(Kind::Fenced))] {
        let mut producer = producer(&log);
        producer.begin().unwrap();
        send(&mut producer, &topic, 0, &["x"]);
        clock.advance_ms(ms);
        assert_eq!(producer.commit(CALL).err().map(|error| error.kind()), kind, "after {ms} ms");
    }
}

#[test]
fn a_handler_may_use_the_log() {
    let log = super::memory().log;
    let topic = topic(&log, 1);
    let mut producer = producer(&log);
    commit(&mut producer, &topic, 0, &["a"]);
    let mut reader = reader(&log, &topic, &[0]);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let handler = &mut |event: Event<'_>| {
            if let Event::Records { records, .. } = event {
                seen.extend(records.iter().map(|record| record.offset));
                commit(&mut producer, &topic, 0, &["b"]);
                assert!(stable(&log, &topic, 0) > records[0].offset);
            }
        };
        reader.consumer.poll(CALL, handler).unwrap();
    }
}

#[test]
fn a_poll_without_time_returns_at_once() {
    let log = super::memory().log;
    let topic = topic(&log, 1);
    let mut reader = reader(&log, &topic, &[0]);
    reader.until_end(0, 0);
    let ((), took) = timed(|| {
        for _ in 0..1000 {
            reader.consumer.poll(Duration::ZERO, &mut |event| panic!("{event:?}")).unwrap();
        }
    });
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_refused_record_is_told_by_send() {
    let log = super::memory().log;
    let plain = topic_with(&log, 1, &[("max.message.bytes", "1000")]);
    let compacted = topic_with(&log, 1, &[("cleanup.policy", "compact")]);
    let mut producer = producer(&log);
    producer.begin().unwrap();
    let large = "x".repeat(1000);
    assert_eq!(producer.send(&value(&plain, 0, &large)).unwrap_err().kind(), Kind::TooLarge);
    assert_eq!(producer.send(&value(&plain, 1, "x")).unwrap_err().kind(), Kind::NoSuchTopic);
    assert_eq!(producer.send(&value(&unique("missing"), 0, "x")).unwrap_err().kind(), Kind::NoSuchTopic);
    assert_eq!(producer.send(&value(&compacted, 0, "x")).unwrap_err().kind(), Kind::Fatal, "it has no key");
}

#[test]
fn a_consumer_without_a_group_cannot_subscribe() {
    let log = super::memory().log;
    let mut consumer = log.consumer(&consumer_options(Isolation::ReadCommitted)).unwrap();
    assert!(consumer.group().is_none());
    assert_eq!(consumer.subscribe(&[topic(&log, 1)]).unwrap_err().kind(), Kind::Fatal);
}

#[test]
fn who_has_left_is_not_taken_for_one_who_never_joined() {
    let log = super::memory().log;
    let topic = topic(&log, 1);
    let group = GroupOptions {
        id: "g".to_owned(),
        instance_id: None,
        session_timeout_ms: 30_000,
        protocol: GroupProtocol::Classic,
    };
    let options = ConsumerOptions { group: Some(group), ..consumer_options(Isolation::ReadCommitted) };
    let mut consumer = log.consumer(&options).unwrap();
    let mut producer = producer(&log);
    let commit = [OffsetCommit { partition: TopicPartition::new(&*topic, 0), offset: 1, metadata: String::new() }];
    producer.begin().unwrap();
    producer.send_offsets(&commit, &consumer.group().unwrap()).unwrap();
    consumer.subscribe(std::slice::from_ref(&topic)).unwrap();
    consumer.leave().unwrap();
    let refused = producer.send_offsets(&commit, &consumer.group().unwrap()).unwrap_err();
    assert_eq!(refused.kind(), Kind::NotMember);
}
