use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::store::budget::Budget;
use crate::store::folding::{Drive, Resources};
use crate::store::{InstanceId, Medium, Spec, StateDirectory, StoreOptions, Stores};

const KEYS: u32 = 100;

fn open(root: &std::path::Path, media: [Medium; 2], resources: &Resources) -> Stores {
    let state = StateDirectory::open(root, "app", InstanceId::new(0, 0)).unwrap();
    let specs = vec![Spec::new("a", media[0]).unwrap(), Spec::new("b", media[1]).unwrap()];
    let mut stores = Stores::open(specs, state.lock_task("t_0").unwrap(), resources, [7; 32]).unwrap();
    for store in 0..2 {
        if stores.meta(store).is_none() {
            stores.begin_changelog(store, [1; 16]).unwrap();
        }
    }
    stores
}

/// Commit number n sets all keys of both stores to n, and deletes every third key when n is odd.
fn commit(stores: &mut Stores, commit: i64) {
    write(stores, commit);
    stores.commit(&[(0, commit), (1, commit)], commit).unwrap();
}

fn write(stores: &mut Stores, commit: i64) {
    for (store, key) in (0..2).flat_map(|store| (0..KEYS).map(move |key| (store, key))) {
        if commit % 2 == 1 && key % 3 == 0 {
            stores.delete(store, &key.to_be_bytes()).unwrap();
        } else {
            stores.put_timed(store, &key.to_be_bytes(), &commit.to_be_bytes(), commit).unwrap();
        }
    }
}

/// Of which commit a view is: all of it must be of that one.
fn look(view: &View, from_key: u32) -> Result<i64> {
    let commit = view.position(0)?.unwrap_or(0);
    assert_eq!(view.position(1)?.unwrap_or(0), commit);
    let is_there = |key: u32| commit > 0 && (commit % 2 == 0 || !key.is_multiple_of(3));
    for step in 0..KEYS {
        let key = (from_key + step) % KEYS;
        for store in [step as usize % 2, 1 - step as usize % 2] {
            let found = view.get(store, &key.to_be_bytes())?.map(|found| (found.time_ms, found.value));
            assert_eq!(found, is_there(key).then(|| (commit, commit.to_be_bytes().to_vec())), "{key} at {commit}");
        }
    }
    for (store, direction) in [(0, Direction::Forward), (1, Direction::Reverse)] {
        let mut keys = Vec::new();
        view.all(store, direction, |key, time_ms, value| {
            assert_eq!((time_ms, value), (commit, &commit.to_be_bytes()[..]));
            keys.push(u32::from_be_bytes(key.try_into().unwrap()));
            ControlFlow::Continue(())
        })?;
        if direction == Direction::Reverse {
            keys.reverse();
        }
        assert_eq!(keys, (0..KEYS).filter(|key| is_there(*key)).collect::<Vec<_>>(), "at {commit}");
    }
    Ok(commit)
}

/// Readers look while commits are made, discarded, folded and flushed as fast as they can.
fn readers_see_whole_commits(media: [Medium; 2]) {
    let root = tempfile::tempdir().unwrap();
    let budget = Budget { segment_bytes: 5 * 30_000, table_bytes: 1 << 20, ..Budget::of(16 << 20) };
    let resources = Resources::with_budget(StoreOptions::default(), budget, Drive::Thread).unwrap();
    let mut stores = open(root.path(), media, &resources);
    let (reader, is_over) = (stores.reader(), AtomicBool::new(false));
    assert_eq!((reader.store("b"), reader.store("c")), (Some(1), None));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2u32)
            .map(|number| {
                let (reader, is_over) = (reader.clone(), &is_over);
                scope.spawn(move || {
                    let (mut last, mut different) = (0, 0);
                    while !is_over.load(Ordering::SeqCst) {
                        let seen = look(&reader.view().unwrap(), number * 50).unwrap();
                        assert!(seen >= last, "time does not go back");
                        different += u32::from(seen != last);
                        last = seen;
                    }
                    different
                })
            })
            .collect();
        // Ends by itself; how many looks there were is asserted below.
        for number in 1..=1_500i64 {
            write(&mut stores, number + 1_000_000);
            stores.discard();
            commit(&mut stores, number);
            if number % 100 == 0 {
                stores.flush_if_due(i64::MAX).unwrap();
            }
            if number % 16 == 0 {
                thread::yield_now();
            }
        }
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(reader.join().unwrap() > 3);
        }
    });
    assert_eq!(look(&reader.view().unwrap(), 0).unwrap(), 1_500);
    stores.close().unwrap();
    assert_eq!(reader.view().unwrap_err().kind(), Kind::Closed);
}

#[test]
fn readers_of_rocksdb_see_whole_commits_and_nothing_uncommitted() {
    readers_see_whole_commits([Medium::RocksDb, Medium::RocksDb]);
}

#[test]
fn readers_of_memory_see_whole_commits_and_nothing_uncommitted() {
    readers_see_whole_commits([Medium::Memory, Medium::Memory]);
}

#[test]
fn readers_of_both_see_whole_commits_and_nothing_uncommitted() {
    readers_see_whole_commits([Medium::RocksDb, Medium::Memory]);
}

#[test]
fn a_view_stays_as_it_is_whatever_is_committed_and_folded_meanwhile() {
    for media in [[Medium::RocksDb; 2], [Medium::Memory; 2]] {
        let root = tempfile::tempdir().unwrap();
        let resources = Resources::stepped(StoreOptions::default());
        let mut stores = open(root.path(), media, &resources);
        commit(&mut stores, 1);
        stores.flush().unwrap();
        commit(&mut stores, 2);
        let reader = stores.reader();
        let view = reader.view().unwrap();
        assert_eq!(look(&view, 0).unwrap(), 2);
        commit(&mut stores, 3);
        assert_eq!(look(&view, 0).unwrap(), 2);
        stores.flush().unwrap();
        commit(&mut stores, 4);
        assert_eq!(look(&view, 0).unwrap(), 2);
        assert_eq!(look(&reader.view().unwrap(), 0).unwrap(), 4);
    }
}

/// A store of many chunks.
fn large(root: &std::path::Path, media: [Medium; 2], resources: &Resources) -> Stores {
    let mut stores = open(root, media, resources);
    for key in 0..20_000u32 {
        stores.put(0, &key.to_be_bytes(), &[7; 40]).unwrap();
    }
    stores.commit(&[(0, 20_000)], 0).unwrap();
    stores
}

#[test]
fn a_view_that_is_kept_holds_up_neither_the_folder_nor_closing_and_ends_with_an_error() {
    for media in [[Medium::RocksDb; 2], [Medium::Memory; 2], [Medium::RocksDb, Medium::Memory]] {
        let root = tempfile::tempdir().unwrap();
        let resources = Resources::stepped(StoreOptions::default());
        let mut stores = large(root.path(), media, &resources);
        let reader = stores.reader();
        let view = reader.view().unwrap();
        stores.flush().unwrap();
        assert_eq!(resources.segment_bytes(), 0, "all is written");
        let mut stores = Some(stores);
        let mut seen = 0;
        let outcome = view.all(0, Direction::Forward, |_, _, _| {
            seen += 1;
            if seen == 1_000 {
                // On this very thread: it would wait for itself for ever.
                drop(stores.take());
                drop(open(root.path(), media, &resources));
            }
            ControlFlow::Continue(())
        });
        assert_eq!(outcome.unwrap_err().kind(), Kind::Closed);
        assert!((1_000..20_000).contains(&seen), "{seen}");
        assert_eq!(view.get(0, &[0; 4]).unwrap_err().kind(), Kind::Closed);
        assert_eq!(view.inputs().unwrap_err().kind(), Kind::Closed);
        assert_eq!(reader.get(0, &[0; 4]).unwrap_err().kind(), Kind::Closed);
        // What it held of the former stores it holds no longer, and it is not of those that were opened since.
        let again = open(root.path(), media, &resources);
        assert_eq!(view.get(0, &[0; 4]).unwrap_err().kind(), Kind::Closed);
        drop(again);
    }
}

#[test]
fn stores_that_are_closed_while_others_read_are_free_at_once() {
    let root = tempfile::tempdir().unwrap();
    let resources = Resources::start(StoreOptions::default()).unwrap();
    drop(large(root.path(), [Medium::RocksDb; 2], &resources));
    for round in 1..=20 {
        let mut stores = open(root.path(), [Medium::RocksDb; 2], &resources);
        let (reader, is_over) = (stores.reader(), AtomicBool::new(false));
        thread::scope(|scope| {
            for number in 0..4u32 {
                let (reader, is_over) = (reader.clone(), &is_over);
                scope.spawn(move || {
                    let mut views = Vec::new();
                    while !is_over.load(Ordering::SeqCst) {
                        let _ = reader.get(0, &number.to_be_bytes());
                        views.extend(reader.view());
                        for view in views.iter().rev().take(1) {
                            let _ = view.all(0, Direction::Forward, |_, _, _| ControlFlow::Continue(()));
                        }
                    }
                });
            }
            for number in 1..20 {
                commit(&mut stores, 100_000 * round + number);
            }
            drop(stores);
            // RocksDB and the lock of the directory would refuse it, if anything were open still.
            drop(open(root.path(), [Medium::RocksDb; 2], &resources));
            is_over.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn closing_waits_for_no_long_read_and_the_files_are_free_when_that_has_ended() {
    for through_a_view in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let resources = Resources::stepped(StoreOptions::default());
        let stores = large(root.path(), [Medium::RocksDb; 2], &resources);
        let (reader, view) = (stores.reader(), stores.reader().view().unwrap());
        let ((entered, inside), (leave, left)) = (mpsc::channel(), mpsc::channel::<()>());
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let read = || {
                    entered.send(()).unwrap();
                    left.recv().unwrap();
                };
                match through_a_view {
                    true => view.look.read(|_| read()),
                    false => reader.door.enter(|_| read()),
                }
            });
            inside.recv().unwrap();
            // It would be for ever: the one who reads waits for this to end.
            drop(stores);
            let state = StateDirectory::open(root.path(), "app", InstanceId::new(0, 0)).unwrap();
            assert_eq!(state.lock_task("t_0").unwrap_err().kind(), Kind::Locked);
            drop(state);
            leave.send(()).unwrap();
            assert_eq!(reading.join().unwrap(), Some(()));
        });
        drop(open(root.path(), [Medium::RocksDb; 2], &resources));
    }
}

#[test]
fn what_views_keep_is_counted_until_they_are_dropped() {
    let resources = Resources::stepped(StoreOptions::default());
    let root = tempfile::tempdir().unwrap();
    let mut stores = open(root.path(), [Medium::RocksDb; 2], &resources);
    commit(&mut stores, 1);
    let segment_bytes = resources.segment_bytes();
    let views = [stores.reader().view().unwrap(), stores.reader().view().unwrap()];
    assert_eq!((resources.view_count(), resources.view_bytes()), (2, 0), "the stores have it still");
    stores.flush().unwrap();
    assert_eq!((resources.segment_bytes(), resources.view_bytes()), (0, segment_bytes));
    let [one, other] = views;
    drop(one);
    assert_eq!((resources.view_count(), resources.view_bytes()), (1, segment_bytes));
    drop(other);
    assert_eq!((resources.view_count(), resources.view_bytes()), (0, 0));
}

#[test]
fn a_view_says_how_far_its_commit_took_each_input_also_where_it_wrote_nothing() {
    let root = tempfile::tempdir().unwrap();
    let resources = Resources::stepped(StoreOptions::default());
    let inputs = |offsets: [i64; 2]| {
        ["in", "other"]
            .into_iter()
            .zip(offsets)
            .map(|(topic, offset)| (TopicPartition::new(topic, 0), offset))
            .collect()
    };
    let covered = |stores: &Stores| stores.reader().view().unwrap().inputs().unwrap();
    let mut stores = open(root.path(), [Medium::RocksDb, Medium::Memory], &resources);
    assert_eq!(covered(&stores), []);
    let commit = |stores: &mut Stores, positions: &[(usize, i64)], offsets: [i64; 2]| {
        stores.cover(inputs(offsets));
        for (store, _) in positions {
            stores.put(*store, b"a", b"b").unwrap();
        }
        stores.commit(positions, 0).unwrap();
        assert_eq!(covered(stores), inputs(offsets));
    };
    commit(&mut stores, &[(0, 1)], [10, 3]);
    let view = stores.reader().view().unwrap();
    commit(&mut stores, &[(1, 1)], [20, 3]);
    commit(&mut stores, &[], [30, 7]);
    stores.flush().unwrap();
    assert_eq!(covered(&stores), inputs([30, 7]));
    assert_eq!(view.inputs().unwrap(), inputs([10, 3]), "it is of its commit");
    // What is there after a restart is what the store on the disk knows.
    drop(stores);
    assert_eq!(covered(&open(root.path(), [Medium::RocksDb, Medium::Memory], &resources)), inputs([10, 3]));
}

type Take<'a> = &'a mut dyn FnMut(&[u8]);

#[test]
fn prefixes_and_bounds_cut_where_they_say() {
    let resources = Resources::without_thread(StoreOptions::default());
    let specs = vec![Spec::new("a", Medium::Memory).unwrap()];
    let mut stores = Stores::in_memory(specs, [0; 32], &resources).unwrap();
    stores.begin_changelog(0, [0; 16]).unwrap();
    for key in ["a", "ab", "abc", "b"] {
        stores.put(0, key.as_bytes(), b"").unwrap();
    }
    stores.commit(&[(0, 5)], 0).unwrap();
    let keys = |look: &dyn Fn(&View, Take<'_>) -> Result<()>| {
        let mut keys = Vec::new();
        let mut take = |key: &[u8]| keys.push(String::from_utf8(key.to_vec()).unwrap());
        look(&stores.reader().view().unwrap(), &mut take).unwrap();
        keys
    };
    let go_on = ControlFlow::Continue(());
    let prefix = keys(&|view, take| {
        view.prefix(0, b"ab", Direction::Reverse, |key, _, _| {
            take(key);
            go_on
        })
    });
    assert_eq!(prefix, ["abc", "ab"]);
    let bounds = Bounds { start: Bound::Excluded(&b"a"[..]), end: Bound::Included(&b"b"[..]) };
    let first = keys(&|view, take| {
        view.range(0, bounds, Direction::Forward, |key, _, _| {
            take(key);
            ControlFlow::Break(())
        })
    });
    assert_eq!(first, ["ab"]);
    let reader = stores.reader();
    let no_store = [reader.get(1, b"a"), reader.view().unwrap().get(1, b"a")];
    assert!(no_store.into_iter().all(|refused| refused.unwrap_err().kind() == Kind::Invalid));
}
