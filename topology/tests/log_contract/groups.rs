//! Groups: who gets which partitions, and who may still commit.

use topology::log::{Consumer, GroupProtocol, Kind, Log, OffsetCommit, Producer, TopicPartition};

use crate::harness::*;

fn numbers(partitions: &[TopicPartition], topic: &str) -> Vec<i32> {
    partitions.iter().filter(|partition| partition.topic == topic).map(|partition| partition.partition).collect()
}

fn first_offset(topic: &str) -> OffsetCommit {
    OffsetCommit { partition: TopicPartition::new(topic, 0), offset: 1, metadata: String::new() }
}

/// What it is told when it sends offsets as this member.
fn send_offsets<L: Log>(producer: &mut L::Producer, topic: &str, group: &L::Group) -> Result<(), topology::log::Error> {
    producer.begin().unwrap();
    send(producer, topic, 0, &["x"]);
    producer.flush(CALL).unwrap();
    producer.send_offsets(&[first_offset(topic)], group)
}

pub(crate) fn partitions_of_the_same_number_land_together<L: Log>(log: &L) {
    let (one, two) = (topic(log, 4), topic(log, 4));
    let group = unique("group");
    let mut a = member(log, &group, None, &[&one, &two]);
    settle("one member gets all", &mut [&mut a], |counts| counts == [8]);
    let mut b = member(log, &group, None, &[&one, &two]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [4, 4]);
    for member in [&a, &b] {
        assert_eq!(numbers(&member.assigned, &one), numbers(&member.assigned, &two));
    }
    let mut all = [numbers(&a.assigned, &one), numbers(&b.assigned, &one)].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3], "everything once");
    assert_eq!(a.revoked.len(), 1, "all is given back before it is given out anew");
}

pub(crate) fn the_one_that_stays_takes_over_after_a_leave<L: Log>(log: &L) {
    let topic = topic(log, 4);
    let group = unique("group");
    let mut a = member(log, &group, Some("a"), &[&topic]);
    let mut b = member(log, &group, Some("b"), &[&topic]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [2, 2]);
    assert_eq!(numbers(&a.assigned, &topic), [0, 1], "static members are ordered by instance id");
    a.consumer.leave().unwrap();
    settle("the other takes over", &mut [&mut b], |counts| counts == [4]);
    a.consumer.subscribe(std::slice::from_ref(&topic)).unwrap();
    (a.has_assignment, a.assigned) = (false, Vec::new());
    settle("it comes back", &mut [&mut a, &mut b], |counts| counts == [2, 2]);
}

pub(crate) fn a_static_member_that_returns_takes_its_partitions_back<L: Log>(log: &L) {
    let topic = topic(log, 4);
    let group = unique("group");
    let mut a = member(log, &group, Some("a"), &[&topic]);
    let mut b = member(log, &group, Some("b"), &[&topic]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [2, 2]);
    let (had, revocations) = (a.assigned.clone(), b.revoked.len());
    drop(a);
    assert_eq!(log.group_member_count(&group).unwrap(), 2, "its place is kept");
    let mut returned = member(log, &group, Some("a"), &[&topic]);
    settle("it returns", &mut [&mut returned, &mut b], |counts| counts == [2, 2]);
    assert_eq!(returned.assigned, had);
    assert_eq!(b.revoked.len(), revocations, "the other did not notice");
    assert_eq!(log.group_member_count(&group).unwrap(), 2);
}

pub(crate) fn a_second_static_member_of_the_same_id_fences_the_first<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let group = unique("group");
    let mut former = member(log, &group, Some("a"), &[&topic]);
    settle("it has all", &mut [&mut former], |counts| counts == [2]);
    let membership = former.consumer.group().unwrap();
    let mut latter = member(log, &group, Some("a"), &[&topic]);
    settle("the second has all", &mut [&mut latter], |counts| counts == [2]);

    let mut producer = producer(log);
    let refused = send_offsets::<L>(&mut producer, &topic, &membership).unwrap_err();
    assert_eq!(refused.kind(), Kind::NotMember, "{refused:?}");
    producer.abort(CALL).unwrap();
    let error = until("the first is told", || {
        former.poll();
        latter.poll();
        former.error.take()
    });
    assert_eq!(error.kind(), Kind::NotMember, "{error:?}");
    // Not a fight over the place: who was replaced stays out, and leaving does not throw the other one out.
    assert_eq!(former.consumer.leave().unwrap_err().kind(), Kind::Fatal);
    assert_eq!(former.consumer.subscribe(std::slice::from_ref(&topic)).unwrap_err().kind(), Kind::Fatal);
    drop(former);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    latter.poll();
    assert_eq!((latter.error.is_some(), latter.assigned.len()), (false, 2));
    assert!(!latter.consumer.assignment_lost());
    send_offsets::<L>(&mut producer, &topic, &latter.consumer.group().unwrap()).unwrap();
    producer.commit(CALL).unwrap();
}

pub(crate) fn a_stale_generation_cannot_commit_offsets<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let group = unique("group");
    let mut a = member(log, &group, None, &[&topic]);
    settle("one member gets all", &mut [&mut a], |counts| counts == [2]);
    let stale = a.consumer.group().unwrap();
    let mut b = member(log, &group, None, &[&topic]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [1, 1]);

    let mut producer = producer(log);
    let refused = send_offsets::<L>(&mut producer, &topic, &stale).unwrap_err();
    assert_eq!(refused.kind(), Kind::NotMember, "{refused:?}");
    producer.abort(CALL).unwrap();
    send_offsets::<L>(&mut producer, &topic, &a.consumer.group().unwrap()).unwrap();
    producer.commit(CALL).unwrap();
    let committed = until("the offset is stable", || {
        a.poll();
        b.poll();
        log.committed(&group, &[TopicPartition::new(&*topic, 0)]).ok()
    });
    assert_eq!(committed[0].as_ref().map(|committed| committed.offset), Some(1));
}

pub(crate) fn a_member_that_has_left_cannot_commit_offsets<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let group = unique("group");
    let mut a = member(log, &group, None, &[&topic]);
    settle("it has all", &mut [&mut a], |counts| counts == [1]);
    let membership = a.consumer.group().unwrap();
    a.consumer.leave().unwrap();
    until("the group is empty", || (log.group_member_count(&group).unwrap() == 0).then_some(()));
    let mut producer = producer(log);
    let refused = send_offsets::<L>(&mut producer, &topic, &membership).unwrap_err();
    assert_eq!(refused.kind(), Kind::NotMember, "{refused:?}");
}

pub(crate) fn members_are_counted<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let group = unique("group");
    assert_eq!(log.group_member_count(&group).unwrap(), 0);
    let mut a = member(log, &group, None, &[&topic]);
    let mut b = member(log, &group, None, &[&topic]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [1, 1]);
    assert_eq!(log.group_member_count(&group).unwrap(), 2);
    drop(b);
    settle("the other takes over", &mut [&mut a], |counts| counts == [2]);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
}

pub(crate) fn a_group_tells_who_is_in_it_and_what_each_has<L: Log>(log: &L) {
    let protocols = [GroupProtocol::Classic, GroupProtocol::Consumer];
    let known = if has_consumer_protocol::<L>() { &protocols[..] } else { &protocols[..1] };
    for protocol in known {
        let (one, two) = (topic(log, 3), topic(log, 3));
        let group = unique("group");
        assert_eq!(log.describe_group(&group).unwrap(), []);
        let instance_ids = match protocol {
            GroupProtocol::Classic => [Some("a"), Some("b")],
            GroupProtocol::Consumer => [None, None],
        };
        let [mut a, mut b] = instance_ids.map(|id| member_by(*protocol, log, &group, id, &[&one, &two]));
        settle("two members share", &mut [&mut a, &mut b], |counts| counts.iter().sum::<usize>() == 6);
        let mut had = [a.assigned.clone(), b.assigned.clone()];
        had.sort();
        let members = until("the group knows what they have", || {
            a.poll();
            b.poll();
            let members = log.describe_group(&group).unwrap();
            let mut told: Vec<Vec<TopicPartition>> = members.iter().map(|member| member.partitions.clone()).collect();
            told.iter_mut().for_each(|partitions| partitions.sort());
            told.sort();
            (told == had).then_some(members)
        });
        assert!(members.iter().all(|member| member.client_id == MEMBER), "{members:?}");
        assert_ne!(members[0].id, members[1].id);
        let mut told: Vec<Option<&str>> = members.iter().map(|member| member.instance_id.as_deref()).collect();
        told.sort_unstable();
        assert_eq!(told, instance_ids);
    }
}

pub(crate) fn members_of_the_consumer_protocol_are_counted<L: Log>(log: &L) {
    if !has_consumer_protocol::<L>() {
        return;
    }
    let topic = topic(log, 2);
    let group = unique("group");
    let mut a = member_by(GroupProtocol::Consumer, log, &group, None, &[&topic]);
    settle("it has all", &mut [&mut a], |counts| counts == [2]);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    assert!(log.delete_group(&group).is_err(), "it has a member");
    a.consumer.leave().unwrap();
    until("the group is empty", || (log.group_member_count(&group).unwrap() == 0).then_some(()));
}

pub(crate) fn a_group_is_deleted_only_without_members<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let group = unique("group");
    log.delete_group(&group).unwrap();
    let mut a = member(log, &group, None, &[&topic]);
    settle("it has all", &mut [&mut a], |counts| counts == [1]);
    let mut producer = producer(log);
    send_offsets::<L>(&mut producer, &topic, &a.consumer.group().unwrap()).unwrap();
    producer.commit(CALL).unwrap();
    let partition = [TopicPartition::new(&*topic, 0)];
    until("the offset is there", || log.committed(&group, &partition).ok().filter(|offsets| offsets[0].is_some()));
    assert!(log.delete_group(&group).is_err(), "it has a member");
    a.consumer.leave().unwrap();
    until("the group is empty", || (log.group_member_count(&group).unwrap() == 0).then_some(()));
    until("it is deleted", || log.delete_group(&group).ok());
    assert_eq!(log.committed(&group, &partition).unwrap(), [None]);
}

pub(crate) fn only_what_moves_is_taken_away_and_the_rest_is_read_on<L: Log>(log: &L) {
    if !has_consumer_protocol::<L>() {
        return;
    }
    let (one, two) = (topic(log, 2), topic(log, 2));
    let group = unique("group");
    let mut producer = producer(log);
    let mut fill = |values: &[&str]| {
        for (topic, partition) in [(&one, 0), (&one, 1), (&two, 0), (&two, 1)] {
            commit(&mut producer, topic, partition, values);
        }
    };
    let mut a = member_by(GroupProtocol::Consumer, log, &group, None, &[&one, &two]);
    fill(&["1", "2"]);
    settle("one member gets all", &mut [&mut a], |counts| counts == [4]);
    until("it reads all", || {
        a.poll();
        (a.records.len() == 8).then_some(())
    });
    let mut b = member_by(GroupProtocol::Consumer, log, &group, None, &[&one, &two]);
    settle("two members share", &mut [&mut a, &mut b], |counts| counts == [2, 2]);
    for member in [&a, &b] {
        assert_eq!(numbers(&member.assigned, &one), numbers(&member.assigned, &two), "by range");
    }
    let mut moved = a.revoked.concat();
    moved.sort();
    assert_eq!(moved, b.assigned, "what moved, and nothing else");
    fill(&["3"]);
    until("both read on", || {
        a.poll();
        b.poll();
        // The one that is new here begins at the first record.
        (a.records.len() == 8 + 2 && b.records.len() == 4 + 2).then_some(())
    });
    let staying = a.records.iter().filter(|(partition, _)| a.assigned.contains(partition)).count();
    assert_eq!(staying, 4 + 2, "each once");

    b.consumer.leave().unwrap();
    settle("the other takes over", &mut [&mut a], |counts| counts == [4]);
    assert_eq!(a.revoked.concat().len(), 2, "nothing is taken away for it");
}

pub(crate) fn a_member_without_partitions_knows_that_it_has_none<L: Log>(log: &L) {
    if !has_consumer_protocol::<L>() {
        return;
    }
    let topic = topic(log, 1);
    let group = unique("group");
    let mut a = member_by(GroupProtocol::Consumer, log, &group, None, &[&topic]);
    settle("it has all", &mut [&mut a], |counts| counts == [1]);
    let mut b = member_by(GroupProtocol::Consumer, log, &group, None, &[&topic]);
    settle("one of the two has it", &mut [&mut a, &mut b], |counts| counts.iter().sum::<usize>() == 1);
}
