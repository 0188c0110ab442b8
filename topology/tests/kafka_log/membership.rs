//! Groups, static members, committed offsets.

use super::*;

#[test]
fn offsets_of_a_member_the_group_has_passed_by_are_refused_and_the_transaction_can_be_aborted() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    let mut first = member(&log, &group, None, 10_000);
    assert_eq!(join(&mut first, &topic).len(), 2);
    let stale = first.group().unwrap();
    // A second member makes a new generation.
    let mut second = member(&log, &group, None, 10_000);
    second.subscribe(std::slice::from_ref(&topic)).unwrap();
    let (mut seen_by_first, mut seen_by_second) = (Seen::default(), Seen::default());
    let start = Instant::now();
    while seen_by_first.assigned.is_empty() || seen_by_second.assigned.is_empty() {
        assert!(start.elapsed() < LONG);
        first.poll(Duration::from_millis(10), &mut |event| seen_by_first.take(event)).unwrap();
        if seen_by_first.revoked.len() == 1 && seen_by_first.assigned.is_empty() {
            first.incremental_unassign(&seen_by_first.revoked[0].0).unwrap();
        }
        second.poll(Duration::from_millis(10), &mut |event| seen_by_second.take(event)).unwrap();
    }
    answer(&mut first, &seen_by_first.assigned[0]);
    answer(&mut second, &seen_by_second.assigned[0]);
    assert_eq!((seen_by_first.assigned[0].len(), seen_by_second.assigned[0].len()), (1, 1));
    assert_eq!(seen_by_first.revoked, [(vec![TopicPartition::new(&topic, 0), TopicPartition::new(&topic, 1)], false)]);
    assert_eq!(log.group_member_count(&group).unwrap(), 2);

    let partition = TopicPartition::new(&topic, 0);
    let offsets = [OffsetCommit { partition: partition.clone(), offset: 5, metadata: "m".to_owned() }];
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    let error = producer.send_offsets(&offsets, &stale).unwrap_err();
    assert_eq!(error.kind(), Kind::NotMember, "{error}");
    producer.abort(LONG).unwrap();
    assert_eq!(log.committed(&group, std::slice::from_ref(&partition)).unwrap(), [None]);

    producer.begin().unwrap();
    producer.send_offsets(&offsets, &first.group().unwrap()).unwrap();
    producer.commit(LONG).unwrap();
    assert_eq!(log.committed(&group, &[partition]).unwrap(), [Some(Committed { offset: 5, metadata: "m".to_owned() })]);
}

#[test]
fn committed_offsets_are_stable_ones_or_none_yet() {
    let mut options = Options::new(Cluster::shared().brokers());
    options.request_timeout = Duration::from_secs(2);
    let log = KafkaLog::new(options).unwrap();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut consumer = member(&log, &group, None, 10_000);
    join(&mut consumer, &topic);
    let partition = TopicPartition::new(&topic, 0);
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    let offsets = [OffsetCommit { partition: partition.clone(), offset: 7, metadata: String::new() }];
    producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
    let error = log.committed(&group, std::slice::from_ref(&partition)).unwrap_err();
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    producer.commit(LONG).unwrap();
    let committed = log.committed(&group, &[partition]).unwrap();
    assert_eq!(committed, [Some(Committed { offset: 7, metadata: String::new() })]);
}

#[test]
fn a_static_member_that_returns_takes_its_partitions_back_and_nobody_else_notices() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    let mut stays = member(&log, &group, Some("a"), 10_000);
    let mut dies = member(&log, &group, Some("b"), 10_000);
    join(&mut stays, &topic);
    dies.subscribe(std::slice::from_ref(&topic)).unwrap();
    let (mut seen, mut of_dying) = (Seen::default(), Seen::default());
    let start = Instant::now();
    while seen.assigned.is_empty() || of_dying.assigned.is_empty() {
        assert!(start.elapsed() < LONG);
        stays.poll(Duration::from_millis(10), &mut |event| seen.take(event)).unwrap();
        if seen.revoked.len() == 1 && seen.assigned.is_empty() {
            stays.incremental_unassign(&seen.revoked[0].0).unwrap();
        }
        dies.poll(Duration::from_millis(10), &mut |event| of_dying.take(event)).unwrap();
    }
    answer(&mut stays, &seen.assigned[0]);
    answer(&mut dies, &of_dying.assigned[0]);
    // Dropped without leaving: what a killed process looks like to the group.
    drop(dies);
    let start = Instant::now();
    let mut returns = member(&log, &group, Some("b"), 10_000);
    assert_eq!(join(&mut returns, &topic), of_dying.assigned[0]);
    assert!(start.elapsed() < Duration::from_secs(5), "back after {:?}", start.elapsed());
    let mut seen = Seen::default();
    for _ in 0..15 {
        stays.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    assert!(seen.revoked.is_empty() && seen.assigned.is_empty(), "{seen:?}");
}

#[test]
fn a_static_member_that_leaves_is_gone_at_once_and_can_come_again() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    // The brokers are told, and not waited for. The session would last longer.
    let until_empty = || {
        let within_5s = Instant::now() + Duration::from_secs(5);
        while log.group_member_count(&group).unwrap() > 0 {
            assert!(Instant::now() < within_5s, "it is still a member");
        }
    };
    let mut consumer = member(&log, &group, Some("a"), 30_000);
    assert_eq!(join(&mut consumer, &topic).len(), 2);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    consumer.leave().unwrap();
    until_empty();
    assert_eq!(join(&mut consumer, &topic).len(), 2);
    consumer.leave().unwrap();
    drop(consumer);
    until_empty();
    log.delete_group(&group).unwrap();
    log.delete_group(&group).unwrap();
}

#[test]
fn a_second_process_with_the_same_instance_id_takes_the_place_of_the_first_for_good() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut first = member(&log, &group, Some("a"), 10_000);
    join(&mut first, &topic);
    let mut second = member(&log, &group, Some("a"), 10_000);
    join(&mut second, &topic);
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < LONG, "never told");
        if let Err(error) = first.poll(SHORT, &mut |_| ()) {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::NotMember, "{error}");
    // Not a fight over the place: who was replaced stays out, and leaving does not throw the other one out.
    assert_eq!(first.leave().unwrap_err().kind(), Kind::Fatal);
    assert_eq!(first.subscribe(std::slice::from_ref(&topic)).unwrap_err().kind(), Kind::Fatal);
    drop(first);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    second.poll(SHORT, &mut |_| ()).unwrap();
    assert!(!second.assignment_lost());
}
