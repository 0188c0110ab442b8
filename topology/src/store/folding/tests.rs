use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::folder::{Drive, Folder};
use crate::store::budget::Gauges;
use crate::store::contract::recorder::{put, resources, stores};
use crate::store::{Budget, Covered, Kind, Meta, Stores, locked};
#[cfg(feature = "rocksdb")]
use crate::store::{InstanceId, Medium, Resources, Spec, StateDirectory, StoreOptions};

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
    // There is room for this: a commit that waited for the write would wait for ever.
    commit(&mut stores, 100..120, 2).unwrap();
    let mut value = Vec::new();
    for key in [0u32, 99, 119] {
        assert!(stores.get(0, &key.to_be_bytes(), &mut value).unwrap());
    }
    let (reader, key) = (stores.reader(), 119u32.to_be_bytes());
    let view = reader.view().unwrap();
    assert_eq!((view.position(0).unwrap(), view.get(0, &key).unwrap().is_some()), (Some(2), true));
    assert!(reader.get(0, &key).unwrap().is_some());
    assert!(record.batches().is_empty());
    record.hold(false);
    stores.close().unwrap();
    assert_eq!(record.batches(), [[(0, 100, 1)], [(0, 20, 2)]]);
}

#[test]
fn a_storm_of_commits_over_a_disk_that_hangs_waits_for_nothing() {
    let resources = resources(1_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.hold(true);
    for round in 0..500u32 {
        // A commit that waited for the write would wait for ever.
        commit(&mut stores, round * 20..round * 20 + 20, 1 + i64::from(round)).unwrap();
    }
    record.wait_until_held();
    assert!(!resources.has_room() && record.batches().is_empty());
    assert_eq!(resources.wait_count(), 0, "a commit does not wait");
    // A stream thread has itself slowed down: once after its commits, and not until the disk has answered.
    for paced in 1..=3 {
        resources.pace();
        assert_eq!(resources.wait_count(), paced);
    }
    record.hold(false);
    while !resources.has_room() {
        resources.pace();
    }
    stores.close().unwrap();
    let written: usize = record.batches().iter().flatten().map(|(_, keys, _)| keys).sum();
    assert_eq!((written, record.batches().last().unwrap()[0].2), (500 * 20, 500));
    let waited = resources.wait_count();
    resources.pace();
    assert_eq!(resources.wait_count(), waited, "with room there is nothing to wait for");
}

#[test]
fn a_restore_that_finds_no_room_waits_for_the_write_under_way_and_no_longer() {
    let resources = resources(1_000, Drive::Thread);
    let (mut stores, record) = stores(&resources);
    record.hold(true);
    let (done, finished) = mpsc::channel();
    let restoring = thread::spawn(move || {
        for round in 0..50u32 {
            for key in round * 20..round * 20 + 20 {
                stores.stage(0, &key.to_be_bytes(), Some(b"timetime1")).unwrap();
            }
            let (position, covered) = (1 + i64::from(round), Covered::default());
            let meta = Meta { fingerprint: [0; 32], incarnation: [0; 16], position, applied_at_ms: 0, covered };
            stores.apply(&[(0, meta)], 0).unwrap();
        }
        done.send(()).unwrap();
        stores
    });
    record.wait_until_held();
    assert!(finished.recv_timeout(Duration::from_millis(200)).is_err(), "memory is bounded");
    record.hold(false);
    finished.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(resources.segment_bytes() <= resources.budget().full_bytes() + 2_000);
    drop(restoring.join().unwrap());
    assert_eq!(resources.segment_bytes(), 0, "what was closed takes nothing");
}

#[test]
fn a_write_that_fails_is_told_to_its_task_alone() {
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
fn without_a_thread_a_commit_makes_room_itself() {
    let resources = resources(1_000, Drive::Commits);
    let (mut stores, record) = stores(&resources);
    for round in 0..100u32 {
        commit(&mut stores, round * 20..round * 20 + 20, i64::from(round) + 1).unwrap();
        assert!(resources.has_room());
    }
    assert!(!record.batches().is_empty());
    assert!(!resources.step(), "all was done");
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

#[test]
fn whoever_finds_no_room_wakes_the_thread_that_makes_some() {
    let gauges = Arc::new(Gauges::new(Budget::of(16 << 20)));
    let folder = Folder::new(Arc::clone(&gauges), Drive::Thread);
    gauges.add_segments(gauges.budget().full_bytes());
    // As a folder that found that the task it was to write is closed, and rests.
    let is_woken = || std::mem::take(&mut locked(folder.signal()).has_work);
    assert!(!is_woken() && !folder.has_room() && is_woken());
    thread::scope(|scope| {
        let restoring = scope.spawn(|| folder.wait_for_room());
        while !is_woken() {
            thread::yield_now();
        }
        gauges.remove_segments(gauges.budget().full_bytes());
        restoring.join().unwrap().unwrap();
    });
}

#[cfg(feature = "rocksdb")]
#[test]
fn rocksdb_tells_of_each_store_for_as_long_as_it_is_open() {
    let root = tempfile::tempdir().unwrap();
    let resources = Resources::without_thread(StoreOptions::default());
    let state = StateDirectory::open(root.path(), "app", InstanceId::new(0, 0)).unwrap();
    let spec = |name, medium| Spec::new(name, medium).unwrap().without_changelog();
    let specs = vec![spec("a", Medium::RocksDb), spec("b", Medium::Memory), spec("c", Medium::RocksDb)];
    let mut stores = Stores::open(specs, state.lock_task("t_0").unwrap(), &resources, [7; 32]).unwrap();
    put(&mut stores, 0..1_000, 1);
    stores.commit(&[], 0).unwrap();
    stores.flush().unwrap();
    let told = resources.on_disk();
    let names: Vec<_> = told.iter().map(|(task, store, _)| (task.as_str(), store.as_str())).collect();
    assert_eq!(names, [("t_0", "a"), ("t_0", "c")]);
    let [written, empty] = [told[0].2, told[1].2];
    assert_eq!((written.key_count, empty.key_count), (1_000, 0));
    assert!(written.file_bytes > 0 && empty.file_bytes == 0, "{told:?}");
    drop(stores);
    assert_eq!(resources.on_disk(), []);
}

#[cfg(feature = "rocksdb")]
#[test]
fn stores_that_are_given_no_memory_work_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let resources = Resources::without_thread(StoreOptions { memory_bytes: 0, ..StoreOptions::default() });
    let state = StateDirectory::open(root.path(), "app", InstanceId::new(0, 0)).unwrap();
    let specs = vec![Spec::new("a", Medium::RocksDb).unwrap().without_changelog()];
    let mut stores = Stores::open(specs, state.lock_task("t_0").unwrap(), &resources, [7; 32]).unwrap();
    put(&mut stores, 0..1_000, 1);
    stores.commit(&[], 0).unwrap();
    let mut value = Vec::new();
    assert!(stores.get(0, &7u32.to_be_bytes(), &mut value).unwrap() && value == [1]);
}
