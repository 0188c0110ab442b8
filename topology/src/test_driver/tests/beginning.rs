//! Where input begins is for the state to say.

use super::*;
use crate::error::Class;
use crate::graph::Store;
use crate::processor::Position;
use crate::store::KeyValueStore;

/// Passes numbers on, and keeps beside them how far it has come.
struct Counted {
    next: KeyValueStore<[u8], i64>,
}

const NEXT: &[u8] = b"next";

impl Processor for Counted {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        match self.next.get(&NEXT)? {
            Some(next) => context.begin_at(Position::new(0, next)),
            None => context.begin_at(context.first_position(0)),
        }
    }

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        self.next.put(&NEXT, &(record.offset + 1))?;
        context.forward(record.with(record.key, record.value))
    }
}

fn counted() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let next = Store::memory("next");
    input.processor("counted").with_store(&next).supply(|next| Counted { next }).sink("out");
    builder.build().unwrap()
}

/// A driver that has taken 0 to 4.
fn after_five() -> TestDriver {
    let mut driver = driver(&counted());
    append(&mut driver, (0..5).map(Some));
    driver.run().unwrap();
    driver.commit().unwrap();
    driver
}

#[test]
fn the_state_says_where_input_goes_on_wherever_somebody_moved_the_offset() {
    for moved_to in [0, 2, 5, 8, 1_000] {
        let mut driver = after_five();
        append(&mut driver, (5..9).map(Some));
        driver.move_offset("in", moved_to).unwrap();
        driver.commit().unwrap();
        assert_eq!(numbers(driver.read("out")), (0..9).collect::<Vec<_>>(), "moved to {moved_to}");
        assert_eq!(driver.committed_offset("in"), Some(9));
    }
}

#[test]
fn where_what_comes_next_was_deleted_input_begins_at_the_first_there_is() {
    let mut driver = after_five();
    append(&mut driver, (5..9).map(Some));
    driver.delete_records("in", 7);
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [0, 1, 2, 3, 4, 7, 8]);
}

#[test]
fn input_that_ends_before_the_state_stops_whatever_was_committed() {
    for count in 0..5 {
        let mut driver = after_five();
        driver.delete_topic("in");
        append(&mut driver, (0..count).map(Some));
        let error = driver.lose_offsets().unwrap_err();
        assert_eq!(error.class(), Class::Stop);
        assert!(error.to_string().contains(&format!("up to offset 5, but the topic ends at {count}")), "{error}");
    }
}

#[test]
fn without_a_say_of_its_processors_a_task_refuses_an_offset_behind_the_end() {
    let mut driver = driver(&through(|| each(|_, _| Ok(()))));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    let error = driver.move_offset("in", 2).unwrap_err();
    assert!(error.to_string().contains("committed offset 2 of in-0 lies beyond the topic's end 1"), "{error}");
}

#[test]
fn nothing_is_committed_of_an_input_that_was_exchanged() {
    let mut driver = after_five();
    driver.delete_topic("in");
    append(&mut driver, (0..9).map(Some));
    driver.run().unwrap();
    let error = driver.commit().unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("'in' was deleted and made anew"), "{error}");
    assert_eq!(numbers(driver.read("out")), [0, 1, 2, 3, 4]);
}

#[test]
fn nothing_is_vouched_for_of_an_input_that_was_exchanged() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            context.vouch_for_input()?;
            context.forward(record.with(record.key, record.value))
        })
    }));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    driver.delete_topic("in");
    append(&mut driver, [Some(2), Some(3)]);
    assert!(error_of(driver.run()).contains("made anew"));
    assert_eq!(numbers(driver.read("out")), [1]);
}
