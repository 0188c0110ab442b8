use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::processor::{Position, Punctuation, PunctuationId, Schedule};

/// Adds numbers up, three at a time.
fn threes() -> Topology {
    through(|| {
        let mut held: Vec<(Position, i64)> = Vec::new();
        each(move |record, context| {
            held.push((record.position(), record.value.unwrap()));
            if held.len() == 3 {
                let sum: i64 = held.drain(..).map(|(_, value)| value).sum();
                context.forward(record.with(None, Some(sum)))?;
            }
            context.hold_from(held.first().map(|(position, _)| *position));
            Ok(())
        })
    })
}

#[test]
fn an_undecodable_record_among_held_ones_waits_for_the_commit_that_covers_it() {
    let mut driver = driver(&threes());
    append(&mut driver, [None, Some(1), None, Some(2)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    let letters = |driver: &TestDriver| {
        driver
            .read("in-dead-letters")
            .iter()
            .map(|letter| letter.header("dead-letter.offset").unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!((driver.committed_offset("in"), letters(&driver)), (Some(1), vec!["0".to_owned()]));
    // Whether the task goes on or begins again, the letter comes once.
    driver.abort().unwrap();
    append(&mut driver, [None, Some(4)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!((driver.committed_offset("in"), letters(&driver).join(" ")), (Some(6), "0 2 4".to_owned()));
    assert_eq!(numbers(driver.read("out")), [7]);
}

/// Takes each record only after a commit was made since the last one: either it has the record itself delivered again,
/// or it stops taking input behind each record.
fn one_per_commit(from_itself: bool) -> Topology {
    through(move || {
        let waits = Rc::new(Cell::new(from_itself));
        let after_commit = Rc::clone(&waits);
        each_and_committed(
            move |record, context| {
                context.request_commit();
                if waits.get() {
                    context.suspend_from(record.position());
                    return Ok(());
                }
                waits.set(from_itself);
                if !from_itself {
                    context.suspend_from(record.position().next());
                }
                context.forward(record.with(record.key, record.value))
            },
            move |context| {
                after_commit.set(false);
                context.resume();
                Ok(())
            },
        )
    })
}

#[test]
fn a_batch_ends_where_a_processor_suspends_and_what_is_behind_comes_once() {
    for from_itself in [false, true] {
        let mut driver = driver(&one_per_commit(from_itself));
        append(&mut driver, [Some(1), None, Some(2), None, Some(3)]);
        driver.run().unwrap();
        driver.commit().unwrap();
        assert_eq!(numbers(driver.read("out")), [1, 2, 3], "{from_itself}");
        assert_eq!(driver.read("in-dead-letters").len(), 2, "{from_itself}");
    }
}

#[test]
fn who_suspends_and_resumes_in_one_go_has_taken_the_batch() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            context.suspend_from(record.position());
            context.resume();
            context.forward(record.with(record.key, record.value))
        })
    }));
    append(&mut driver, [Some(1), None, Some(2)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("out")), driver.read("in-dead-letters").len()), (vec![1, 2], 1));
}

#[test]
fn what_is_committed_cannot_be_held_any_more() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            if record.value == Some(2) {
                context.hold_from(Some(Position::new(0, 0)));
            }
            Ok(())
        })
    }));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    append(&mut driver, [Some(2)]);
    driver.run().unwrap();
    let error = error_of(driver.commit());
    assert!(error.contains("from offset 0") && error.contains("1 is committed"), "{error}");
}

#[test]
fn acting_on_a_held_record_is_refused_at_the_commit() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            context.hold_from(Some(Position::new(0, 0)));
            context.forward(record.with(record.key, record.value))
        })
    }));
    append(&mut driver, [Some(1), Some(2)]);
    driver.run().unwrap();
    let error = error_of(driver.commit());
    assert!(error.contains("from offset 0 but already acted on offset 1"), "{error}");
}

/// Says the time each second of wall-clock time.
struct Ticking;

impl Processor for Ticking {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        context.schedule(Schedule::WallClock { interval_ms: 1_000 });
        Ok(())
    }

    fn process(&mut self, _: &Input<'_>, _: &mut Output<'_>) -> Result {
        Ok(())
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Output<'_>) -> Result {
        let value = Some(due.timestamp_ms);
        context.forward(Record::new(None, 0, None, value))
    }
}

#[test]
fn a_wall_clock_that_is_set_back_does_not_silence_punctuations() {
    let mut driver = driver(&through(|| Ticking));
    for by_ms in [999, 1, -3_600_000, 999, 1] {
        driver.advance_clock(by_ms).unwrap();
    }
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1_000, -3_599_000, -3_598_000]);
}

/// Says the time twice, by the second of two schedules; the first one ends both.
struct Twice {
    ids: Vec<PunctuationId>,
    said: usize,
}

impl Processor for Twice {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        self.ids = [0; 2].map(|_| context.schedule(Schedule::WallClock { interval_ms: 1_000 })).into();
        Ok(())
    }

    fn process(&mut self, _: &Input<'_>, _: &mut Output<'_>) -> Result {
        Ok(())
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Output<'_>) -> Result {
        if due.id == self.ids[1] {
            self.said += 1;
            let value = Some(due.timestamp_ms);
            return context.forward(Record::new(None, 0, None, value));
        }
        if self.said == 2 {
            let ended: Vec<bool> = self.ids.iter().chain(&self.ids).map(|id| context.cancel(*id)).collect();
            assert_eq!(ended, [true, true, false, false]);
        }
        Ok(())
    }
}

#[test]
fn a_schedule_that_was_cancelled_is_silent_at_once() {
    let mut driver = driver(&through(|| Twice { ids: Vec::new(), said: 0 }));
    for _ in 0..5 {
        driver.advance_clock(1_000).unwrap();
    }
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1_000, 2_000], "the third was due already");
    assert_eq!(driver.drives[0].task.as_ref().unwrap().next_wall_clock_ms(), None);
}
