//! A driver of which a task has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::graph::Store;

const FAILED: &str = "the task has failed and nothing more is committed; restart or abort: ";

/// `in` -> `out`, and each number into a store where there shall be one; -1 is poison until it is mended.
fn poisonable(has_store: bool, mended: &Arc<AtomicBool>) -> Topology {
    let (builder, mended) = (Builder::new(), Arc::clone(mended));
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let check = move |value| match value == Some(-1) && !mended.load(Ordering::Relaxed) {
        true => Err("poison"),
        false => Ok(()),
    };
    if has_store {
        let last: Store<i64, i64> = Store::memory("last");
        let kept = input.with_store(&last).process_fn::<[u8], i64>(move |record, last, context| {
            last.put(&0, &record.value.unwrap_or(0))?;
            check(record.value)?;
            context.forward(record.with(record.key, record.value))
        });
        kept.sink("out");
    } else {
        let passed = input.process_fn::<[u8], i64>(move |record, context| {
            check(record.value)?;
            context.forward(record.with(record.key, record.value))
        });
        passed.sink("out");
    }
    builder.build().unwrap()
}

fn pipe(driver: &mut TestDriver, value: i64) -> crate::Result<()> {
    driver.pipe("in", None, Some(&value.to_be_bytes()), 0)
}

/// One record is processed, and the next one is poison. Returns the driver and the error of that one.
fn poisoned(topology: &Topology) -> (TestDriver, String) {
    let mut driver = driver(topology);
    pipe(&mut driver, 7).unwrap();
    let first = error_of(pipe(&mut driver, -1));
    assert!(first.contains("the record at offset 1 of in-0") && first.contains("poison"), "{first}");
    (driver, first)
}

fn committed(driver: &TestDriver) -> (Vec<i64>, Option<i64>) {
    (numbers(driver.read("out")), driver.committed_offset("in"))
}

#[test]
fn after_an_error_of_a_processor_nothing_of_the_transaction_is_committed_and_every_step_says_that_error() {
    for has_store in [false, true] {
        let (mut driver, first) = poisoned(&poisonable(has_store, &Arc::default()));
        let refusal = format!("{FAILED}{first}");
        assert_eq!(error_of(driver.commit()), refusal);
        assert_eq!(error_of(driver.run()), refusal);
        assert_eq!(error_of(driver.advance_clock(1)), refusal);
        assert_eq!(error_of(driver.deliver("in", 1)), refusal);
        assert_eq!(error_of(driver.end_of_input()), refusal);
        let end = driver.end_offset("in");
        assert_eq!(error_of(pipe(&mut driver, 8)), refusal);
        assert_eq!(driver.end_offset("in"), end, "what is refused does not arrive");
        assert_eq!(committed(&driver), (vec![], None));
    }
}

#[test]
fn what_was_committed_before_an_error_stays_and_nothing_is_added() {
    let mut driver = driver(&poisonable(true, &Arc::default()));
    pipe(&mut driver, 1).unwrap();
    driver.commit().unwrap();
    pipe(&mut driver, 2).unwrap();
    pipe(&mut driver, -1).unwrap_err();
    driver.commit().unwrap_err();
    assert_eq!(committed(&driver), (vec![1], Some(1)));
}

#[test]
fn an_abort_delivers_the_failed_record_again_which_fails_again_and_is_the_error_of_the_commit() {
    for has_store in [false, true] {
        let (mut driver, first) = poisoned(&poisonable(has_store, &Arc::default()));
        assert_eq!(error_of(driver.abort()), first);
        assert_eq!(error_of(driver.commit()), format!("{FAILED}{first}"));
        assert_eq!(committed(&driver), (vec![], None));
        let aborted: Vec<OwnedRecord> = driver.aborted().iter().map(|(_, record)| record.clone()).collect();
        assert_eq!((numbers(&aborted), driver.uncommitted().len()), (vec![7], 0));
    }
}

#[test]
fn an_abort_goes_on_where_the_cause_is_gone() {
    for has_store in [false, true] {
        let mended = Arc::default();
        let (mut driver, _) = poisoned(&poisonable(has_store, &mended));
        mended.store(true, Ordering::Relaxed);
        driver.abort().unwrap();
        driver.commit().unwrap();
        assert_eq!(committed(&driver), (vec![7, -1], Some(2)));
    }
}

#[test]
fn a_restart_with_a_mended_version_goes_on_with_what_arrived_meanwhile() {
    let (mut driver, _) = poisoned(&poisonable(true, &Arc::default()));
    driver.append("in", None, Some(&9_i64.to_be_bytes()), 0).unwrap();
    driver.restart(&poisonable(true, &Arc::new(true.into()))).unwrap();
    driver.commit().unwrap();
    assert_eq!(committed(&driver), (vec![7, -1, 9], Some(3)));
}

#[test]
fn a_commit_that_was_refused_is_not_made_by_a_second_try() {
    // It refuses once, as one does that asks somebody else.
    let refused = Arc::new(AtomicBool::new(false));
    let topology = through(move || {
        let refused = Arc::clone(&refused);
        each_and_committed(
            |record, context| context.forward(record.with(record.key, record.value)),
            move |_| if refused.swap(true, Ordering::Relaxed) { Ok(()) } else { Err("told nobody")? },
        )
    });
    let mut driver = driver(&topology);
    pipe(&mut driver, 1).unwrap();
    let first = error_of(driver.commit());
    assert!(first.contains("told nobody"), "{first}");
    assert_eq!(error_of(driver.commit()), format!("{FAILED}{first}"));
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(committed(&driver), (vec![1], Some(1)));
}

#[test]
fn by_hand_records_arrive_after_an_error_and_none_is_delivered() {
    let mut driver = TestDriver::by_hand(&poisonable(false, &Arc::default()), "app", 0).unwrap();
    pipe(&mut driver, -1).unwrap();
    let first = error_of(driver.deliver("in", 1));
    pipe(&mut driver, 2).unwrap();
    assert_eq!(driver.end_offset("in"), 2);
    assert_eq!(error_of(driver.deliver("in", 1)), format!("{FAILED}{first}"));
    driver.abort().unwrap();
    assert_eq!(driver.position("in").unwrap(), 0);
}

#[test]
fn a_mistake_of_the_test_is_no_failure_of_a_task() {
    let mut driver = driver(&poisonable(false, &Arc::default()));
    driver.pipe("typo", None, None, 0).unwrap_err();
    driver.pipe(("in", 9), None, None, 0).unwrap_err();
    driver.deliver("typo", 1).unwrap_err();
    pipe(&mut driver, 1).unwrap();
    driver.commit().unwrap();
    assert_eq!(committed(&driver), (vec![1], Some(1)));
}
