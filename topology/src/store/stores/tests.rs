use std::sync::Arc;

use super::*;
use crate::store::Kind;
use crate::store::backends::Memory;
use crate::store::budget::{Budget, StoreOptions};
use crate::store::contract::recorder::{Record, put, resources};
use crate::store::folding::Drive;
use crate::store::spec::Medium;

/// Folded by their commits.
fn stores(fold_bytes: usize) -> (Stores, Arc<Record>) {
    crate::store::contract::recorder::stores(&resources(fold_bytes, Drive::Commits))
}

#[test]
fn commits_are_gathered_and_written_as_one_batch_with_the_last_positions() {
    let (mut stores, record) = stores(1 << 20);
    for commit in 1..=10 {
        put(&mut stores, 0..5, commit);
        if commit == 3 {
            stores.put(1, b"x", b"y").unwrap();
            stores.commit(&[(0, 30), (1, 7)], 0).unwrap();
        } else {
            stores.commit(&[(0, i64::from(commit) * 10)], 0).unwrap();
        }
    }
    assert!(record.batches().is_empty());
    stores.flush().unwrap();
    stores.flush().unwrap();
    assert_eq!(record.batches(), [[(0, 5, 100), (1, 1, 7)]], "and nothing is written twice");
    assert_eq!(stores.unflushed_bytes(), 0);
}

#[test]
fn uncommitted_writes_are_in_no_batch() {
    let (mut stores, record) = stores(1 << 20);
    put(&mut stores, 0..5, 1);
    stores.commit(&[(0, 10)], 0).unwrap();
    put(&mut stores, 3..9, 2);
    stores.flush().unwrap();
    assert_eq!(record.batches(), [[(0, 5, 10)]]);
    assert!(stores.has_uncommitted());
    stores.close().unwrap();
    assert_eq!(record.batches().len(), 1);
}

#[test]
fn keys_that_come_again_are_written_once_and_others_when_enough_is_gathered() {
    let (mut stores, record) = stores(20_000);
    for commit in 1..=100 {
        put(&mut stores, 0..100, 1);
        stores.commit(&[(0, commit)], 0).unwrap();
    }
    assert!(record.batches().is_empty(), "a hundred keys are less than the bound, however often they come");
    for commit in 1..=20u32 {
        put(&mut stores, commit * 100..commit * 100 + 100, 1);
        stores.commit(&[(0, 100 + i64::from(commit))], 0).unwrap();
    }
    let keys: usize = record.batches().iter().map(|batch| batch[0].1).sum();
    assert!((1_000..=2_100).contains(&keys) && record.batches().len() < 6, "{:?}", record.batches());
}

#[test]
fn what_a_full_disk_refused_is_heard_of_at_the_next_commit_and_still_there_to_be_read_and_written_later() {
    let (mut stores, record) = stores(1_000);
    record.refuse(true);
    put(&mut stores, 0..60, 1);
    stores.commit(&[(0, 60)], 0).unwrap();
    put(&mut stores, 0..60, 2);
    let error = stores.commit(&[(0, 120)], 0).unwrap_err();
    assert_eq!((error.kind(), error.class()), (Kind::DiskFull, crate::Class::Stop));
    assert_eq!(stores.meta(0).unwrap().position, 60, "the commit did not happen here");
    stores.discard();
    let mut value = Vec::new();
    assert!(stores.get(0, &7u32.to_be_bytes(), &mut value).unwrap() && value == [1]);
    assert!(stores.flush().is_err());
    record.refuse(false);
    stores.flush().unwrap();
    assert_eq!(record.batches(), [[(0, 60, 60)]]);
}

#[test]
fn what_a_full_disk_refused_is_heard_of_without_a_commit_too() {
    let (mut stores, record) = stores(1_000);
    record.refuse(true);
    put(&mut stores, 0..60, 1);
    stores.commit(&[(0, 60)], 0).unwrap();
    assert_eq!(stores.flush_if_due(0).unwrap_err().kind(), Kind::DiskFull);
}

#[test]
fn a_store_that_falls_idle_is_written_and_flushed_by_time() {
    let (mut stores, record) = stores(1 << 20);
    put(&mut stores, 0..5, 1);
    stores.commit(&[(0, 10)], 1_000).unwrap();
    assert!(!stores.flush_if_due(30_999).unwrap());
    assert!(stores.flush_if_due(31_000).unwrap());
    assert!(!stores.flush_if_due(90_000).unwrap());
    assert_eq!((&record.batches()[..], record.flushes()), (&[vec![(0, 5, 10)]][..], 1));
}

#[test]
fn scans_write_nothing() {
    let (mut stores, record) = stores(1 << 20);
    for commit in 0..20 {
        put(&mut stores, commit * 1_000..commit * 1_000 + 900, 1);
        stores.commit(&[(0, 1 + i64::from(commit))], 0).unwrap();
        let mut visitor = |_: &[u8], _: &[u8]| ControlFlow::Break(());
        stores.range(0, Bounds::ALL, Direction::Forward, &mut visitor).unwrap();
    }
    assert!(record.batches().is_empty());
}

#[test]
fn a_wipe_takes_what_is_not_written_yet_along_and_leaves_the_other_store() {
    let (mut stores, record) = stores(1 << 20);
    put(&mut stores, 0..5, 1);
    stores.put(1, b"x", b"y").unwrap();
    stores.commit(&[(0, 10), (1, 1)], 0).unwrap();
    stores.wipe(0).unwrap();
    let mut value = Vec::new();
    assert!(!stores.get(0, &1u32.to_be_bytes(), &mut value).unwrap() && stores.get(1, b"x", &mut value).unwrap());
    stores.flush().unwrap();
    assert_eq!(record.batches(), [[(1, 1, 1)]]);
}

/// So many stores over memory, which share so many bytes for their tables, and what they take of them.
fn crowd(count: usize, table_bytes: usize) -> (Vec<Stores>, Resources) {
    let budget = Budget { table_bytes, ..Budget::of(0) };
    let resources = Resources::with_budget(StoreOptions::default(), budget, Drive::Commits).unwrap();
    let backend = || Box::new(Memory::new(1));
    let spec = || Spec::new("counts", Medium::RocksDb).unwrap().without_changelog();
    let open = || Stores::over(vec![spec()], backend(), [0; 32], &resources, None).unwrap();
    ((0..count).map(|_| open()).collect(), resources)
}

fn write(stores: &mut Stores, keys: std::ops::Range<u32>) {
    keys.for_each(|key| stores.put(0, &key.to_be_bytes(), b"a value").unwrap());
}

/// What each turn of a stream thread does with each of its tasks.
fn turn(all: &mut [Stores]) {
    for stores in all {
        stores.flush_if_due(0).unwrap();
    }
}

#[test]
fn tables_of_a_hundred_tasks_keep_to_their_share_however_unevenly_they_are_written() {
    const SHARE: usize = 4 << 20;
    let (mut all, resources) = crowd(100, SHARE);
    let mut random = 7u32;
    for round in 0..1_000u32 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Most commits write little, some write more than a task's part.
        let count = if round.is_multiple_of(9) { 5_000 } else { random % 500 };
        let stores = &mut all[(random >> 16) as usize % 100];
        write(stores, random % 1_000..random % 1_000 + count);
        stores.commit(&[], 0).unwrap();
        turn(&mut all);
        assert!(resources.table_bytes() <= SHARE, "{} bytes in round {round}", resources.table_bytes());
    }
    assert!(resources.table_bytes() > SHARE / 4, "what there is is used: {} bytes", resources.table_bytes());
}

#[test]
fn a_task_that_falls_idle_gives_back_what_others_need() {
    const SHARE: usize = 4 << 20;
    let (mut all, resources) = crowd(40, SHARE);
    for round in 0..40 {
        write(&mut all[0], round * 1_000..round * 1_000 + 1_000);
        all[0].commit(&[], 0).unwrap();
    }
    assert!(
        resources.table_bytes() > 4 * SHARE / 40,
        "alone it has more than its part: {} bytes",
        resources.table_bytes()
    );
    for stores in &mut all[1..] {
        write(stores, 0..3_000);
        stores.commit(&[], 0).unwrap();
    }
    turn(&mut all);
    assert!(resources.table_bytes() <= SHARE, "{} bytes", resources.table_bytes());
}

#[test]
fn writes_that_are_void_take_no_memory_of_others() {
    let (mut all, resources) = crowd(10, 1 << 20);
    for stores in &mut all {
        write(stores, 0..20_000);
        stores.discard();
    }
    turn(&mut all);
    let kept: usize = all.iter().map(|stores| stores.slots[0].latest.taken_bytes()).sum();
    assert!(kept <= 1 << 20, "{kept} bytes");
    assert_eq!(resources.table_bytes(), kept);
}
