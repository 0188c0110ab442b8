use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::folder::Drive;
use crate::store::contract::recorder::{put, resources, stores};
use crate::store::{Kind, Stores};

fn commit(stores: &mut Stores, keys: std::ops::Range<u32>, position: i64) -> crate::store::Result<()> {
    put(stores, keys, 1);
    stores.commit(&[(0, position)], 0)
}

#[test]
fn commits_reads_and_scans_go_on_while_a_write_is_under_way() {
    let resources = resources(2_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.hold(true);
    commit(&mut stores, 0..100, 1).unwrap();
    record.wait_until_held();
    // There is room for this: whoever waited for the write here would wait for ever.
    commit(&mut stores, 100..120, 2).unwrap();
    let mut value = Vec::new();
    for key in [0u32, 99, 119] {
        assert!(stores.get(0, &key.to_be_bytes(), &mut value).unwrap());
    }
    let seen = stores.reader().read(|view| Ok((view.position(0)?, view.get(0, &119u32.to_be_bytes())?.is_some())));
    assert_eq!(seen.unwrap(), (Some(2), true));
    assert!(record.batches().is_empty());
    record.hold(false);
    stores.close().unwrap();
    assert_eq!(record.batches(), [[(0, 100, 1)], [(0, 20, 2)]]);
}

#[test]
fn a_commit_that_finds_no_room_waits_for_the_write_under_way_and_no_longer() {
    let resources = resources(1_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.hold(true);
    commit(&mut stores, 0..100, 1).unwrap_or_default(); // more than the share by far, but the folder has not begun
    let (done, finished) = mpsc::channel();
    let committing = thread::spawn(move || {
        for round in 0..50u32 {
            commit(&mut stores, round * 20..round * 20 + 20, 2 + i64::from(round)).unwrap();
        }
        done.send(()).unwrap();
        stores
    });
    record.wait_until_held();
    assert!(finished.recv_timeout(Duration::from_millis(200)).is_err(), "memory is bounded");
    record.hold(false);
    finished.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(resources.segment_bytes() <= resources.budget().full_bytes() + 2_000);
    drop(committing.join().unwrap());
    assert_eq!(resources.segment_bytes(), 0, "what was closed takes nothing");
}

#[test]
fn a_write_that_fails_ends_the_wait_of_all_and_is_told_to_its_task_alone() {
    let resources = resources(1_000, Drive::Thread);
    let (mut failing, record) = stores(&resources);
    let (mut other, other_record) = stores(&resources);
    record.refuse(true);
    other_record.hold(true);
    // Both have more than the share: nothing can be written until the failure is heard of.
    commit(&mut failing, 0..200, 1).unwrap();
    commit(&mut other, 0..10, 1).unwrap();
    let heard = loop {
        match failing.flush_if_due(0) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(heard.kind(), Kind::DiskFull);
    other_record.hold(false);
    record.refuse(false);
    other.close().unwrap();
    failing.close().unwrap();
    assert_eq!((record.batches().len(), other_record.batches().len()), (1, 1));
}

#[test]
fn a_folder_that_panics_is_an_error_of_every_commit_since() {
    let resources = resources(1_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.panic();
    let mut outcome = Ok(());
    for position in 1..1_000_000 {
        outcome = commit(&mut stores, 0..200, position);
        if outcome.is_err() {
            break;
        }
    }
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.class()), (Kind::Dead, crate::Class::Stop));
}

#[test]
fn where_memory_is_short_the_task_with_the_most_is_written_first() {
    let resources = resources(10_000, Drive::Caller);
    let (mut small, small_record) = stores(&resources);
    let (mut large, large_record) = stores(&resources);
    let mut position = 0;
    while resources.segment_bytes() < resources.budget().pressing_bytes() {
        position += 1;
        // Neither has enough to be written for its own sake.
        let keys = position as u32 * 100;
        commit(&mut small, keys..keys + 1, position).unwrap();
        commit(&mut large, keys..keys + 60, position).unwrap();
        while large_record.batches().is_empty() && resources.segment_bytes() < 9_000 && resources.step() {}
    }
    assert!(resources.step());
    while large_record.batches().is_empty() && resources.step() {}
    assert!(!large_record.batches().is_empty() && small_record.batches().is_empty());
}

#[test]
fn without_a_thread_and_without_steps_a_commit_makes_room_itself() {
    let resources = resources(1_000, Drive::Caller);
    let (mut stores, record) = stores(&resources);
    for round in 0..100u32 {
        commit(&mut stores, round * 20..round * 20 + 20, i64::from(round) + 1).unwrap();
        assert!(resources.segment_bytes() < resources.budget().full_bytes().max(1_000));
    }
    assert!(!record.batches().is_empty());
    let before = record.batches().len();
    while resources.step() {}
    assert!(record.batches().len() >= before && !resources.step());
}

#[test]
fn stores_that_are_dropped_wait_for_the_write_under_way() {
    let resources = resources(1_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.hold(true);
    commit(&mut stores, 0..100, 1).unwrap();
    record.wait_until_held();
    let (gone, dropped) = mpsc::channel();
    let dropping = thread::spawn(move || {
        drop(stores);
        gone.send(()).unwrap();
    });
    assert!(dropped.recv_timeout(Duration::from_millis(100)).is_err());
    record.hold(false);
    dropping.join().unwrap();
    assert_eq!(Arc::strong_count(&record), 1, "the backend is closed");
}
