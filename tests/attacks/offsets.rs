//! Who may set the offsets of the consumer group, or loses them.

use std::time::Duration;

use topology::log::{
    Consumer, ConsumerOptions, Event, GroupOptions, GroupProtocol, Isolation, Log, OffsetCommit, OutOfRange, Producer,
    ProducerOptions, Start, TopicPartition,
};

use crate::world::{Kept, START_MS, TRANSACTIONS, World, transfer};

const LONG: Duration = Duration::from_secs(30);

/// Commits an offset as a member of the group would.
fn commit(world: &World, offset: i64, metadata: &str) {
    let log = world.log();
    let group = GroupOptions {
        id: "cairn".to_owned(),
        instance_id: None,
        session_timeout_ms: 10_000,
        protocol: GroupProtocol::Classic,
    };
    let mut consumer = log
        .consumer(&ConsumerOptions {
            group: Some(group),
            isolation: Isolation::ReadCommitted,
            client_id: "attack".to_owned(),
            batch_records: 1,
            prefetch_bytes: 1 << 20,
            out_of_range: OutOfRange::Earliest,
        })
        .unwrap();
    consumer.subscribe(&[TRANSACTIONS.to_owned()]).unwrap();
    let mut assigned = Vec::new();
    while assigned.is_empty() {
        let mut handle = |event: Event<'_>| {
            if let Event::Assigned(partitions) = event {
                assigned = partitions;
            }
        };
        consumer.poll(Duration::from_millis(10), &mut handle).unwrap();
    }
    let starts: Vec<_> = assigned.iter().map(|one| (one.clone(), Start::Beginning)).collect();
    consumer.incremental_assign(&starts).unwrap();
    let mut producer = log
        .producer(&ProducerOptions {
            transactional_id: "attack-offsets".to_owned(),
            transaction_timeout_ms: 60_000,
            client_id: "attack".to_owned(),
            track_topics: Vec::new(),
        })
        .unwrap();
    producer.init_transactions(LONG).unwrap();
    producer.begin().unwrap();
    let partition = TopicPartition::new(TRANSACTIONS, 0);
    let offsets = [OffsetCommit { partition: partition.clone(), offset, metadata: metadata.to_owned() }];
    producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
    producer.commit(LONG).unwrap();
    consumer.leave().unwrap();
    let committed = log.committed("cairn", &[partition]).unwrap().remove(0).unwrap();
    assert_eq!((committed.offset, committed.metadata.as_str()), (offset, metadata));
}

#[test]
fn wherever_the_groups_offset_is_each_record_is_in_exactly_one_block() {
    let world = World::with_payments(7);
    let mut count = 7;
    let (behind, ahead) = ("were lost or moved back", "were moved ahead");
    // Each a function of where the input ends. Of another cluster: a topic that was much longer, and a time of its own.
    type Moved = Option<(fn(i64) -> i64, &'static str)>;
    let moves: [(Moved, &str); 7] = [
        (Some((|_| 0, "2::0:")), behind),
        (Some((|_| 3, "")), behind),
        (None, behind),
        (Some((|end| end, "2::0:")), ahead),
        (Some((|end| end - 2, "2:-5:3:tip=0123456789abcdef.7")), ahead),
        (Some((|_| 1_000_000, "2:99999999999999:7:")), ahead),
        (Some((|_| i64::MAX, "2:9223372036854775807:9223372036854775807:")), ahead),
    ];
    for (number, (moved, warning)) in moves.iter().enumerate() {
        world.pay(5);
        count += 5;
        let end = world.read(TRANSACTIONS).last().unwrap().offset + 1;
        match moved {
            None => world.log().delete_group("cairn").unwrap(),
            Some((offset, metadata)) => commit(&world, offset(end), metadata),
        }
        let (said, _) = world.run();
        assert!(said.contains(warning), "move {number}\n{said}");
        let sealed: Vec<i64> =
            world.blocks().iter().flat_map(|block| &block.entries).map(|entry| entry.origin.offset).collect();
        let sent: Vec<i64> = world.read(TRANSACTIONS).iter().map(|record| record.offset).collect();
        assert_eq!((sealed, sent.len()), (sent.clone(), count), "move {number}");
        world.verify();
    }
    assert_eq!(world.balance("bob"), count as i64);
}

#[test]
fn metadata_that_no_version_writes_is_refused_by_name_or_harmless() {
    let world = World::with_payments(3);
    for metadata in ["1:17", "2:17", "2:soon:4:", "2:9223372036854775808:4:", "2::4:tip=12.3", "{\"json\":true}"] {
        commit(&world, 4, metadata);
        world.pay(3);
        let ran = world.try_run();
        assert!(ran.code == 0 || (ran.code == 1 && ran.stderr.contains("metadata")), "{metadata}: {ran}");
        world.log().delete_group("cairn").unwrap();
        world.run();
        world.verify();
    }
}

#[test]
fn a_transactions_topic_that_was_made_anew_or_is_another_clusters_is_refused() {
    let world = World::with_payments(6);
    let before = world.read(TRANSACTIONS);
    let other: Vec<Kept> = (0..9).map(|_| Kept::of(transfer("alice", "mallory", 1), START_MS)).collect();
    let moved: Vec<Kept> = before.iter().map(|one| Kept { timestamp_ms: START_MS + 1, ..one.clone() }).collect();
    for records in [&other[..], &other[..2], &moved] {
        world.rewrite(TRANSACTIONS, "delete", records);
        world.try_run().refused(1, &["transactions topic up to offset 5", "begin a new chain"]);
    }
    // Records that came after the whole chain are no input of it; others could be.
    world.try_verify().refused(3, &["younger than the whole chain"]);
    world.rewrite(TRANSACTIONS, "delete", &other);
    world.try_verify().broken(&["transactions"]);
    // And with all that the run itself knows gone.
    std::fs::remove_dir_all(world.state()).unwrap();
    world.log().delete_group("cairn").unwrap();
    world.try_run().refused(1, &["transactions topic up to offset 5", "begin a new chain"]);
    world.rewrite(TRANSACTIONS, "delete", &before);
    world.pay(1);
    world.run();
    assert_eq!(world.verify()["records"], 7);
}
