//! A process ends at each point between a commit and the disk; the next one restores the difference and no more.

use super::world::{FINGERPRINT, RETENTION_MS, TIMEOUT, TOPICS, World, contents, records, step, writes};
use crate::clock::Clock;
use crate::log::{Isolation, Log, Producer, ProducerRecord, TopicPartition};
use crate::store::changelog::{INCARNATION_KEY, Origin};
use crate::store::{Covered, Medium};
use crate::updater::Decision;
use crate::updater::restore::decision::Reason;
use crate::{Class, store};

const ON_DISK: [Medium; 2] = [Medium::RocksDb, Medium::RocksDb];

#[test]
fn a_crash_between_commit_and_store_write_restores_only_the_delta() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    for round in 0..20 {
        world.commit(&mut stores, &writes(round, 50));
    }
    stores.close().unwrap();
    let mut stores = world.up();
    let before = [stores.meta(0).unwrap().position, stores.meta(1).unwrap().position];
    // Committed to the log; killed before the stores heard of it.
    world.commit_to_log(&mut stores, &[(0, 1, Some(77)), (0, 2, None), (1, 3, Some(78))]);
    let image = world.image();
    let mut stores = world.open_at(image.path());
    assert_eq!(stores.meta(0).unwrap().position, before[0]);
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(restored[0].decision, Decision::Continue(before[0]));
    assert_eq!(records(&restored), [2, 1]);
    world.check(&mut stores);
}

#[test]
fn a_crash_after_the_store_write_and_before_a_flush_loses_data_and_position_together() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    stores.close().unwrap();
    let mut stores = world.up();
    let (flushed, position) = (world.model.clone(), stores.meta(0).unwrap().position);
    world.commit(&mut stores, &[(0, 500, Some(1)), (0, 501, Some(1))]);
    world.commit(&mut stores, &[(0, 500, Some(2)), (1, 501, Some(2))]);
    assert!(stores.unflushed_bytes() > 0);
    let image = world.image();
    let mut stores = world.open_at(image.path());
    assert_eq!((contents(&mut stores), stores.meta(0).unwrap().position), (flushed, position));
    assert_eq!(records(&world.restore(&mut stores).unwrap()), [3, 1]);
    world.check(&mut stores);
}

#[test]
fn a_crash_during_a_restore_continues_from_the_last_batch() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    for round in 0..40 {
        world.commit(&mut stores, &writes(round, 100));
    }
    drop(stores);
    std::fs::remove_dir_all(world.root.path().join("app")).unwrap(); // the disk is lost
    let begun_at_ms = world.clock.now_ms();
    let mut stores = world.open();
    let mut restore = world.start(1);
    let mut progress = step(&mut restore, &mut stores).unwrap();
    while progress.restored_records < 1_000 {
        assert!(!progress.done && progress.remaining > 0);
        world.clock.advance(1_000);
        progress = step(&mut restore, &mut stores).unwrap();
    }
    let total = progress.total;
    stores.close().unwrap(); // so that what was applied is on the disk; the restore is not complete
    let mut stores = world.open();
    let metas = [stores.meta(0).unwrap(), stores.meta(1).unwrap()];
    for meta in &metas {
        assert_eq!(meta.applied_at_ms, begun_at_ms, "while tombstones are unread, no later time may stand there");
    }
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(restored[0].decision, Decision::Continue(metas[0].position));
    let rest = records(&restored)[0] + records(&restored)[1];
    assert!(rest > 0 && rest + 900 < total, "{rest} of {total} offsets");
    world.check(&mut stores);
}

#[test]
fn memory_stores_are_restored_whole_and_stores_on_the_disk_are_not() {
    let mut world = World::new([Medium::Memory, Medium::RocksDb]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    world.commit(&mut stores, &writes(2, 50));
    stores.close().unwrap();
    let mut stores = world.open();
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(restored[0].decision, Decision::Rebuild(Reason::NoPosition));
    assert!(restored[0].records > 50 && restored[1].records == 0, "{restored:?}");
    world.check(&mut stores);
}

#[test]
fn after_a_commit_of_unknown_outcome_a_store_catches_up_in_place() {
    for media in [ON_DISK, [Medium::Memory, Medium::Memory]] {
        let mut world = World::new(media);
        let mut stores = world.up();
        world.commit(&mut stores, &writes(1, 50));
        world.commit_to_log(&mut stores, &[(0, 1, Some(9)), (0, 2, Some(9))]); // committed, but who knows
        let restored = world.restore(&mut stores).unwrap();
        assert_eq!(records(&restored), [2, 0]);
        assert!(!stores.has_uncommitted());
        world.check(&mut stores);
        // The very first commit, which begins the changelog, may be the one.
        let mut world = World::new(media);
        let mut stores = world.up();
        world.commit_to_log(&mut stores, &[(0, 1, Some(9))]);
        assert_eq!(records(&world.restore(&mut stores).unwrap()), [1, 0]);
        world.commit(&mut stores, &[(0, 2, Some(9)), (1, 2, Some(9))]);
        let restored = world.restore(&mut stores).unwrap();
        assert_eq!(records(&restored), [0, 0]);
        world.check(&mut stores);
    }
}

#[test]
fn a_topic_that_was_deleted_and_made_again_is_not_mistaken_for_the_old_one() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    stores.close().unwrap();

    world.log.delete_topics(&TOPICS.map(str::to_owned)).unwrap();
    world.create_topics();
    (world.model, world.covered) = Default::default();
    let mut stores = world.open();
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(restored[0].decision, Decision::Begin);
    world.check(&mut stores);
    drop(stores);

    // Another machine began the new topic, and it is longer than our position.
    let image = world.image();
    let mut there = world.open_at(image.path());
    world.restore(&mut there).unwrap();
    world.commit(&mut there, &writes(3, 100));
    let mut other = World::new(ON_DISK); // takes the old machine's directory to the new log
    other.log = world.log.clone();
    let mut old = other.up();
    old.stage(0, b"stale", Some(b"stale")).unwrap();
    let stale = store::Meta {
        fingerprint: FINGERPRINT,
        incarnation: [0xAA; 16],
        position: 5,
        applied_at_ms: 1_000_000_000,
        covered: Covered::default(),
    };
    old.apply(&[(0, stale)], 0).unwrap();
    let restored = world.restore(&mut old).unwrap();
    assert_eq!(restored[0].decision, Decision::Rebuild(Reason::OtherIncarnation));
    world.check(&mut old);
}

#[test]
fn a_position_beyond_the_end_or_too_old_rebuilds_from_empty() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    let meta = stores.meta(0).unwrap();
    stores.stage(0, b"never committed", Some(b"x")).unwrap();
    stores.apply(&[(0, store::Meta { position: 10_000, ..meta })], 0).unwrap();
    let restored = world.restore(&mut stores).unwrap();
    assert!(matches!(restored[0].decision, Decision::Rebuild(Reason::BeyondEnd { position: 10_000, .. })));
    assert_eq!(restored[1].decision, Decision::Continue(stores.meta(1).unwrap().position));
    world.check(&mut stores);

    world.clock.advance(RETENTION_MS / 2 + 1);
    let restored = world.restore(&mut stores).unwrap();
    assert!(restored.iter().all(|restored| matches!(restored.decision, Decision::Rebuild(Reason::TooOld { .. }))));
    world.check(&mut stores);
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(records(&restored), [0, 0], "it is up to date as of now");
}

#[test]
fn tombstones_and_compaction_leave_the_same_state() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    for round in 0..30 {
        world.commit(&mut stores, &writes(round, 60));
    }
    TOPICS.iter().for_each(|topic| world.log.compact(topic).unwrap());
    let fresh = tempfile::tempdir().unwrap();
    let mut elsewhere = world.open_at(fresh.path());
    let restored = world.restore(&mut elsewhere).unwrap();
    assert_eq!(restored[0].decision, Decision::Rebuild(Reason::NoPosition));
    world.check(&mut elsewhere);
    assert_eq!(records(&world.restore(&mut stores).unwrap()), [0, 0]);
}

#[test]
fn foreign_state_a_missing_topic_and_foreign_records_stop_it() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 10));
    stores.close().unwrap();

    world.fingerprint = [6; 32];
    let mut stores = world.open();
    let error = world.restore(&mut stores).unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("--state-dir"), "{error}");
    drop(stores);
    let fresh = tempfile::tempdir().unwrap();
    let error = world.restore(&mut world.open_at(fresh.path())).unwrap_err();
    assert!(error.to_string().contains("application id"), "{error}");

    world.fingerprint = FINGERPRINT;
    world.log.delete_topics(&[TOPICS[1].to_owned()]).unwrap();
    let error = world.restore(&mut world.open()).unwrap_err();
    assert!(error.to_string().contains("changelog topic app-b-changelog is not to be seen"), "{error}");
    assert_eq!(error.class(), Class::Retry, "a broker may be behind");

    world.create_topics();
    let record = |key| ProducerRecord {
        topic: TOPICS[1],
        partition: Some(1),
        timestamp_ms: 0,
        key: Some(key),
        value: Some(b"\x01value"),
        headers: &[],
    };
    world.producer.begin().unwrap();
    world.producer.send(&record(b"\x01key")).unwrap();
    world.producer.commit(TIMEOUT).unwrap();
    let error = world.restore(&mut world.open()).unwrap_err();
    assert!(error.to_string().contains("changelog app-b-changelog-1 offset 0"), "{error}");
}

#[test]
fn a_second_beginning_inside_a_changelog_stops_it() {
    let mut world = World::new(ON_DISK);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 10));
    let end = world.log.watermarks(&TopicPartition::new(TOPICS[0], 1), Isolation::ReadCommitted).unwrap().high;
    let value = Origin { incarnation: [0xBB; 16], fingerprint: FINGERPRINT }.encode();
    world.producer.begin().unwrap();
    let record = ProducerRecord {
        topic: TOPICS[0],
        partition: Some(1),
        timestamp_ms: 0,
        key: Some(INCARNATION_KEY),
        value: Some(&value),
        headers: &[],
    };
    world.producer.send(&record).unwrap();
    world.producer.commit(TIMEOUT).unwrap();
    let error = world.restore(&mut stores).unwrap_err();
    assert!(error.to_string().contains(&format!("offset {end}")), "{error}");
    assert_eq!(error.class(), Class::Stop);
}
