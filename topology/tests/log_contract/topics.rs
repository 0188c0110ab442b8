//! Topics are created, described and deleted.

use topology::log::{Isolation, Kind, Log, TopicIdentity, TopicPartition};

use crate::harness::*;

pub(crate) fn a_created_topic_is_described_as_it_was_asked_for<L: Log>(log: &L) {
    let config = [("cleanup.policy", "compact"), ("delete.retention.ms", "123456"), ("max.message.bytes", "2000000")];
    let compacted = topic_with(log, 3, &config);
    let described = log.describe_topic(&compacted).unwrap().unwrap();
    assert_eq!(described.partition_count, 3);
    assert_eq!(described.cleanup_policy, "compact");
    assert_eq!(described.timestamp_type, "CreateTime");
    assert_eq!(described.delete_retention_ms, 123_456);
    assert_eq!(described.max_message_bytes, 2_000_000);
    let plain = topic(log, 1);
    assert_eq!(log.describe_topic(&plain).unwrap().unwrap().cleanup_policy, "delete");
    let both = topic_with(log, 1, &[("cleanup.policy", "compact,delete")]);
    assert_eq!(log.describe_topic(&both).unwrap().unwrap().cleanup_policy, "compact,delete");
    assert_eq!(log.describe_topic(&unique("missing")).unwrap(), None);
}

pub(crate) fn creating_a_topic_twice_is_no_error_and_changes_nothing<L: Log>(log: &L) {
    let first = topic(log, 2);
    commit(&mut producer(log), &first, 0, &["a"]);
    let fresh = unique("topic");
    log.create_topics(&[topic_spec(&first, 7, &[]), topic_spec(&fresh, 1, &[])]).unwrap();
    until("the new one is there", || log.describe_topic(&fresh).unwrap());
    assert_eq!(log.describe_topic(&first).unwrap().unwrap().partition_count, 2);
    assert_eq!(reader(log, &first, &[0]).until_records(1).values(), ["a"]);
}

pub(crate) fn a_deleted_topic_is_gone_and_deleting_it_again_is_no_error<L: Log>(log: &L) {
    let name = topic(log, 2);
    commit(&mut producer(log), &name, 1, &["a"]);
    log.delete_topics(std::slice::from_ref(&name)).unwrap();
    until("it is gone", || log.describe_topic(&name).unwrap().is_none().then_some(()));
    log.delete_topics(&[name.clone(), unique("missing")]).unwrap();
    until("it can be made anew", || {
        log.create_topics(&[topic_spec(&name, 1, &[])]).ok()?;
        log.describe_topic(&name).unwrap()
    });
    assert_eq!(decided(log, &name, 0), 0, "it is empty");
}

pub(crate) fn asking_for_a_missing_partition_says_so<L: Log>(log: &L) {
    let name = topic(log, 1);
    for partition in [TopicPartition::new(unique("missing"), 0), TopicPartition::new(&*name, 1)] {
        let refused = log.watermarks(&partition, Isolation::ReadCommitted).unwrap_err();
        assert_eq!(refused.kind(), Kind::NoSuchTopic, "{refused:?}");
    }
}

/// Which topic has this name now.
fn identity<L: Log>(log: &L, name: &str) -> Option<TopicIdentity> {
    log.identify_topics(&[name.to_owned()], CALL).unwrap()[0]
}

pub(crate) fn a_topic_keeps_its_id_and_one_made_anew_has_another<L: Log>(log: &L) {
    let name = topic(log, 2);
    let first = log.describe_topic(&name).unwrap().unwrap().id;
    commit(&mut producer(log), &name, 1, &["a"]);
    for _ in 0..3 {
        assert_eq!(identity(log, &name), Some(TopicIdentity { id: first, partition_count: 2 }));
        assert_eq!(log.describe_topic(&name).unwrap().unwrap().id, first);
    }
    assert_ne!(log.describe_topic(&topic(log, 2)).unwrap().unwrap().id, first, "another topic");

    log.delete_topics(std::slice::from_ref(&name)).unwrap();
    until("it is gone", || identity(log, &name).is_none().then_some(()));
    let again = until("it can be made anew", || {
        log.create_topics(&[topic_spec(&name, 2, &[])]).ok()?;
        identity(log, &name)
    });
    assert_ne!(again.id, first, "the name is the same, the topic is not");
    assert_eq!(log.describe_topic(&name).unwrap().unwrap().id, again.id);
}

pub(crate) fn topics_are_identified_in_the_order_asked_and_made_by_nobody<L: Log>(log: &L) {
    let (one, three, missing) = (topic(log, 1), topic(log, 3), unique("missing"));
    let asked = [&three, &missing, &one, &three].map(Clone::clone);
    for _ in 0..2 {
        let found = log.identify_topics(&asked, CALL).unwrap();
        let counts: Vec<Option<i32>> = found.iter().map(|found| Some(found.as_ref()?.partition_count)).collect();
        assert_eq!(counts, [Some(3), None, Some(1), Some(3)]);
        assert_eq!(found[0], found[3]);
    }
    assert!(log.identify_topics(&["no topic's name".to_owned()], CALL).unwrap()[0].is_none());
    assert!(log.identify_topics(&[], CALL).unwrap().is_empty());
}

pub(crate) fn all_topics_are_listed_and_none_that_is_gone<L: Log>(log: &L) {
    let (one, three, missing) = (topic(log, 1), topic(log, 3), unique("missing"));
    let listed = |name: &String| log.list_topics(CALL).unwrap().contains(name);
    until("they are listed", || (listed(&one) && listed(&three)).then_some(()));
    assert!(!listed(&missing));
    assert_eq!(identity(log, &missing), None, "to list creates nothing");
    log.delete_topics(std::slice::from_ref(&one)).unwrap();
    until("it is listed no more", || (!listed(&one)).then_some(()));
    assert!(listed(&three));
}

pub(crate) fn a_topic_that_is_given_partitions_keeps_its_id_and_its_records<L: Log>(log: &L) {
    let name = topic(log, 1);
    let before = identity(log, &name).unwrap();
    commit(&mut producer(log), &name, 0, &["a"]);
    for count in [3, 3, 2] {
        log.add_partitions(&name, count).unwrap();
        let after = until("it is wider", || identity(log, &name).filter(|found| found.partition_count == 3));
        assert_eq!(after.id, before.id);
    }
    commit(&mut producer(log), &name, 2, &["b"]);
    assert_eq!(reader(log, &name, &[0]).until_records(1).values(), ["a"]);
    assert_eq!(reader(log, &name, &[2]).until_records(1).values(), ["b"]);
    assert_eq!(log.add_partitions(&unique("missing"), 2).unwrap_err().kind(), Kind::NoSuchTopic);
}
