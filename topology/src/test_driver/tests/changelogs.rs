//! What a task finds in its stores when it begins again.

use std::sync::{Arc, Mutex};

use super::*;
use crate::error::Class;
use crate::graph::Store;
use crate::store::KeyValueStore;

/// Whether stores are as they were left, at each beginning.
type Told = Arc<Mutex<Vec<bool>>>;

fn sums() -> Store<[u8], i64> {
    Store::memory("sums")
}

/// Adds numbers up by key. It has another store, of this name, to which nothing is written.
fn adding(other: &str, told: &Told) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let (other, told) = (Store::<[u8], i64>::memory(other), Arc::clone(told));
    let functions = input.processor("adds").with_store(&sums()).with_store(&other).functions::<[u8], i64>();
    let added = functions
        .init(move |_, context| {
            told.lock().unwrap().push(context.are_stores_as_left());
            Ok(())
        })
        .process(|record, (sums, _): &mut (KeyValueStore<[u8], i64>, KeyValueStore<[u8], i64>), context| {
            let (Some(key), Some(number)) = (record.key, record.value) else { return Ok(()) };
            let sum = sums.update(&key, |sum| Some(sum.unwrap_or(0) + number))?;
            context.forward(record.with(Some(key), sum))
        });
    added.sink("out");
    builder.build().unwrap()
}

fn add(driver: &mut TestDriver, number: i64) {
    driver.pipe("in", Some(b"k"), Some(&number.to_be_bytes()), 0).unwrap();
    driver.commit().unwrap();
}

fn sum(driver: &TestDriver) -> Option<i64> {
    driver.store(&sums()).unwrap().get(&&b"k"[..]).unwrap()
}

#[test]
fn stores_are_as_left_unless_something_else_wrote_to_a_changelog() {
    let told = Told::default();
    let mut driver = driver(&adding("other", &told));
    add(&mut driver, 1);
    driver.abort().unwrap();
    driver.write_changelog("sums", b"x", Some(&[0; 8])).unwrap();
    driver.abort().unwrap();
    driver.abort().unwrap();
    assert_eq!(*told.lock().unwrap(), [false, true, false, true]);
}

#[test]
fn what_another_program_wrote_to_a_changelog_is_in_the_store_when_the_task_begins_again() {
    let mut driver = driver(&adding("other", &Told::default()));
    add(&mut driver, 1);
    driver.write_changelog("sums", b"k", Some(&41_i64.to_be_bytes())).unwrap();
    assert_eq!(sum(&driver), Some(1));
    driver.abort().unwrap();
    assert_eq!(sum(&driver), Some(41));
    add(&mut driver, 1);
    driver.write_changelog("sums", b"k", None).unwrap();
    driver.abort().unwrap();
    assert_eq!((sum(&driver), numbers(driver.read("out"))), (None, vec![1, 42]));
}

#[test]
fn another_version_with_other_stores_finds_in_the_common_ones_what_was_committed() {
    let told = Told::default();
    let mut driver = driver(&adding("other", &told));
    add(&mut driver, 1);
    driver.restart(&adding("other", &told)).unwrap();
    add(&mut driver, 2);
    driver.restart(&adding("another", &told)).unwrap();
    assert_eq!(sum(&driver), Some(3));
    add(&mut driver, 3);
    assert_eq!(numbers(driver.read("out")), [1, 3, 6]);
    assert_eq!(*told.lock().unwrap(), [false, true, false]);
}

#[test]
fn a_task_whose_changelog_was_deleted_does_not_begin_until_that_is_meant() {
    let mut driver = driver(&adding("other", &Told::default()));
    add(&mut driver, 1);
    driver.delete_topic("app-sums-changelog");
    let error = driver.abort().unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("the state of store 'sums' is lost"), "{error}");
    assert!(error_of(driver.position("in")).contains("could not begin"));
    // All input is taken again.
    driver.lose_offsets().unwrap();
    driver.commit().unwrap();
    assert_eq!((sum(&driver), numbers(driver.read("out"))), (Some(1), vec![1, 1]));
}
