//! Steps that are the test's own, and commits of several tasks.

use super::*;
use crate::Error;
use crate::log::Offset;

/// Passes numbers on, and asks for a commit at each.
fn asking() -> Topology {
    through(|| {
        each(|record, context| {
            context.request_commit();
            context.forward(record.with(record.key, record.value))
        })
    })
}

fn by_hand(topology: &Topology) -> TestDriver {
    TestDriver::by_hand(topology, "app", 0).unwrap()
}

fn uncommitted(driver: &TestDriver) -> Vec<i64> {
    let records: Vec<OwnedRecord> = driver.uncommitted().iter().map(|(_, record)| record.clone()).collect();
    numbers(&records)
}

/// How far the task is, how far the group, and how far the topic.
fn offsets(driver: &TestDriver) -> (Offset, Option<Offset>, Offset) {
    (driver.position("in").unwrap(), driver.committed_offset("in"), driver.end_offset("in"))
}

#[test]
fn by_hand_nothing_is_processed_or_committed_by_itself() {
    let mut driver = by_hand(&asking());
    for number in 0_i64..5 {
        driver.pipe("in", None, Some(&number.to_be_bytes()), 0).unwrap();
    }
    driver.advance_clock(1_000).unwrap();
    assert_eq!((offsets(&driver), driver.commit_requested()), ((0, None, 5), false));
    driver.deliver("in", 2).unwrap();
    assert_eq!((offsets(&driver), driver.commit_requested()), ((2, None, 5), true));
    assert_eq!((uncommitted(&driver), driver.read("out").len()), (vec![0, 1], 0));
    driver.commit().unwrap();
    assert_eq!((offsets(&driver), driver.commit_requested()), ((2, Some(2), 5), false));
    assert_eq!((uncommitted(&driver), numbers(driver.read("out"))), (vec![], vec![0, 1]));
    driver.run().unwrap();
    assert_eq!((offsets(&driver), uncommitted(&driver)), ((5, Some(2), 5), vec![2, 3, 4]));
    driver.abort().unwrap();
    assert_eq!((offsets(&driver), uncommitted(&driver)), ((2, Some(2), 5), vec![]));
    driver.end_of_input().unwrap();
    assert_eq!((offsets(&driver), numbers(driver.read("out"))), ((5, Some(5), 5), (0..5).collect()));
}

#[test]
fn what_a_task_was_given_and_left_comes_before_what_is_delivered_next() {
    let topology = through(|| {
        each_and_committed(
            |record, context| {
                if record.value == Some(1) {
                    context.suspend_from(record.position().next());
                    context.request_commit();
                }
                context.forward(record.with(record.key, record.value))
            },
            |context| {
                context.resume();
                Ok(())
            },
        )
    });
    let mut driver = by_hand(&topology);
    append(&mut driver, (0..6).map(Some));
    driver.deliver("in", 4).unwrap();
    assert_eq!((offsets(&driver), uncommitted(&driver)), ((2, None, 6), vec![0, 1]));
    driver.deliver("in", 1).unwrap();
    assert_eq!(uncommitted(&driver), [0, 1], "it takes no input");
    driver.commit().unwrap();
    driver.deliver("in", 1).unwrap();
    assert_eq!(uncommitted(&driver), [2]);
    driver.deliver("in", 2).unwrap();
    assert_eq!(uncommitted(&driver), [2, 3, 4]);
}

#[test]
fn nothing_is_delivered_of_a_topic_that_nobody_reads() {
    let mut driver = by_hand(&asking());
    assert!(error_of(driver.deliver("typo", 1)).contains("partition 0 of 'typo'"));
    assert!(error_of(driver.position(("in", 1))).contains("partition 1 of 'in'"));
}

/// Passes numbers on, and may refuse to have them committed.
struct Refusing {
    refuses: bool,
}

impl Processor for Refusing {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        context.forward(record.with(record.key, record.value))
    }

    fn prepare_commit(&mut self, _: &mut Output<'_>) -> Result {
        if self.refuses { Err(Error::stop("not this"))? } else { Ok(()) }
    }
}

/// `in` -> `out` and `others` -> `out`, each by a task of its own.
fn two_tasks(the_second_refuses: bool) -> Topology {
    let builder = Builder::new();
    for (topic, refuses) in [("in", false), ("others", the_second_refuses)] {
        let input = builder.sub_topology(format!("sub-{topic}")).source::<[u8], i64>(topic);
        input.processor(format!("of-{topic}")).supply(move |()| Refusing { refuses }).sink("out");
    }
    builder.build().unwrap()
}

#[test]
fn all_tasks_are_committed_or_none() {
    let mut driver = by_hand(&two_tasks(true));
    for topic in ["in", "others"] {
        driver.pipe(topic, None, Some(&[0; 8]), 0).unwrap();
    }
    driver.run().unwrap();
    assert_eq!(error_of(driver.commit()), "not this");
    let committed = |driver: &TestDriver| (driver.committed_offset("in"), driver.committed_offset("others"));
    assert_eq!((driver.read("out").len(), committed(&driver)), (0, (None, None)));
    driver.restart(&two_tasks(false)).unwrap();
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!((driver.read("out").len(), committed(&driver)), (2, (Some(1), Some(1))));
}
