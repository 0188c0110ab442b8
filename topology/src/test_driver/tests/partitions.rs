//! Topologies over several partitions: a task for each.

use super::*;
use crate::graph::{Store, Topic};
use crate::log::partition_for_key;

const COUNT: i32 = 4;

fn topic(name: &str) -> Topic {
    Topic::new(name).partitions(COUNT)
}

fn counting(counts: &Store<[u8], i64>) -> Topology {
    let builder = Builder::new();
    builder.sub_topology("counting").source::<[u8], [u8]>(topic("in")).count(counts).sink(topic("out"));
    builder.build().unwrap()
}

fn belongs(key: &[u8]) -> i32 {
    partition_for_key(key, COUNT as usize).unwrap() as i32
}

#[test]
fn records_go_where_their_keys_belong_and_each_partition_is_counted_by_a_task_with_a_store_of_its_own() {
    let counts = Store::memory("counts");
    let mut driver = driver(&counting(&counts));
    let keys: Vec<[u8; 1]> = (b'a'..=b'z').map(|key| [key]).collect();
    for _ in 0..3 {
        for key in &keys {
            driver.pipe("in", Some(key), Some(b""), 0).unwrap();
        }
    }
    driver.commit().unwrap();
    assert_eq!(driver.read("out").len(), 3 * keys.len());
    for record in driver.read("out") {
        assert_eq!(record.partition, belongs(record.key.as_deref().unwrap()));
    }
    for key in &keys {
        for partition in 0..COUNT {
            let count = driver.store_of(&counts, partition).unwrap().get(&&key[..]).unwrap();
            assert_eq!(count, (partition == belongs(key)).then_some(3), "{key:?} in {partition}");
        }
    }
    // All four have something to do, and each writes its own partition of the changelog.
    for partition in 0..COUNT {
        let here: Vec<i64> = driver.read("out").iter().filter(|r| r.partition == partition).map(|r| r.offset).collect();
        assert_eq!(here, (0..here.len() as i64).collect::<Vec<_>>());
        assert!(!here.is_empty());
        assert_eq!(driver.committed_offset(("in", partition)), Some(here.len() as i64));
        assert!(driver.read_changelog("counts").iter().any(|record| record.partition == partition));
    }
}

#[test]
fn a_partition_can_be_named_and_one_that_is_not_there_is_refused() {
    let counts = Store::memory("counts");
    let mut driver = driver(&counting(&counts));
    let key = b"key";
    let elsewhere = (belongs(key) + 1) % COUNT;
    driver.pipe(("in", elsewhere), Some(key), Some(b""), 0).unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.committed_offset(("in", elsewhere)), Some(1));
    // The sink puts it where its key belongs.
    assert_eq!(driver.read("out")[0].partition, belongs(key));
    for wrong in [-1, COUNT] {
        let error = error_of(driver.pipe(("in", wrong), Some(key), Some(b""), 0));
        assert!(error.contains(&format!("topic 'in' has no partition {wrong}: it has 4, from 0")), "{error}");
    }
}

#[test]
fn a_store_that_several_tasks_have_must_be_asked_for_by_partition() {
    let counts = Store::memory("counts");
    let driver = driver(&counting(&counts));
    let error = error_of(driver.store(&counts));
    assert!(error.contains("each of 4 tasks has a store 'counts': say which with store_of"), "{error}");
    assert!(error_of(driver.store_of(&counts, COUNT)).contains("no task of partition 4 has a store 'counts'"));
}

#[test]
fn stages_may_have_other_numbers_of_partitions() {
    let builder = Builder::new();
    let first = builder.sub_topology("first").source::<[u8], i64>(Topic::new("in").partitions(2));
    first.map(|record| (record.value.unwrap_or(0) % 5, ())).sink(Topic::new("between").partitions(3));
    let counts: Store<i64, i64> = Store::memory("counts");
    builder.sub_topology("second").source::<i64, ()>("between").count(&counts).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for value in 0..100_i64 {
        driver.pipe(("in", (value % 2) as i32), None, Some(&value.to_be_bytes()), 0).unwrap();
    }
    driver.commit().unwrap();
    driver.commit().unwrap();
    // What belongs together met in one task, whichever partition it came from.
    for key in 0..5_i64 {
        let counted = (0..3).filter_map(|at| driver.store_of(&counts, at).unwrap().get(&key).unwrap());
        assert_eq!(counted.collect::<Vec<_>>(), [20], "{key}");
    }
    assert_eq!(driver.read("out").len(), 100);
    assert!(driver.read("out").iter().all(|record| record.partition == 0));
}

/// Holds the last record of each partition.
fn holding() -> TestDriver {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>(topic("in"));
    let last = input.process_fn::<[u8], i64>(|record, context| {
        context.hold_from([record.position()]);
        Ok(())
    });
    last.sink(topic("out"));
    driver(&builder.build().unwrap())
}

#[test]
fn what_one_task_holds_keeps_no_other_back_and_each_goes_on_where_it_was_committed() {
    let mut driver = holding();
    for (partition, count) in [(0, 1), (1, 3), (3, 2)] {
        for _ in 0..count {
            driver.append(("in", partition), None, Some(&[0; 8]), 0).unwrap();
        }
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    let committed = |driver: &TestDriver| [0, 1, 2, 3].map(|partition| driver.committed_offset(("in", partition)));
    assert_eq!(committed(&driver), [Some(0), Some(2), Some(0), Some(1)]);
    driver.append(("in", 1), None, Some(&[0; 8]), 0).unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(committed(&driver), [Some(0), Some(3), Some(0), Some(1)]);
}

#[test]
fn a_commit_that_one_task_asks_for_is_one_of_all() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>(topic("in"));
    let asking = input.process_fn::<[u8], i64>(|record, context| {
        if record.value == Some(7) {
            context.request_commit();
        }
        context.forward(record.with(record.key, record.value))
    });
    asking.sink(topic("out"));
    let mut driver = driver(&builder.build().unwrap());
    driver.pipe(("in", 0), None, Some(&1_i64.to_be_bytes()), 0).unwrap();
    assert!(driver.read("out").is_empty());
    driver.pipe(("in", 3), None, Some(&7_i64.to_be_bytes()), 0).unwrap();
    assert_eq!(numbers(driver.read("out")), [1, 7]);
    assert_eq!((driver.committed_offset(("in", 0)), driver.committed_offset(("in", 3))), (Some(1), Some(1)));
}

#[test]
fn what_befalls_one_partition_befalls_no_other() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>(topic("in"));
    input.process_fn::<[u8], i64>(|record, context| context.forward(record.with(record.key, record.value))).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for value in 0..8_i64 {
        driver.append(("in", (value % 2) as i32), None, Some(&value.to_be_bytes()), 0).unwrap();
    }
    driver.delete_records(("in", 1), 3);
    driver.run().unwrap();
    driver.commit().unwrap();
    let mut first = numbers(driver.read("out"));
    first.sort_unstable();
    assert_eq!(first, [0, 2, 4, 6, 7]);
    driver.move_offset(("in", 0), 2).unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(&driver.read("out")[5..]), [4, 6]);
    assert_eq!((driver.committed_offset(("in", 0)), driver.committed_offset(("in", 1))), (Some(4), Some(4)));
}
