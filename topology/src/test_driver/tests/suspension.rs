//! Input that is not taken before something else is committed.

use super::*;
use crate::graph::Store;
use crate::processor::Position;
use crate::store::KeyValueStore;

/// Writes three steps, a commit behind each, before it takes the first record. Whether one was left to write.
fn step(steps: &KeyValueStore<i64, i64>, context: &mut Output<'_>) -> Result<bool> {
    for step in 0..3 {
        if steps.get(&step)?.is_none() {
            steps.put(&step, &1)?;
            let value = Some(-1 - step);
            context.forward(Record::new(None, 0, None, value))?;
            context.request_commit();
            return Ok(true);
        }
    }
    Ok(false)
}

fn founding() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    input
        .with_store(&Store::memory("steps"))
        .functions()
        .init(|steps, context| {
            if step(steps, context)? {
                context.suspend_from(context.next_position(0));
            }
            Ok(())
        })
        .committed(|steps, context| {
            if context.is_suspended() && !step(steps, context)? {
                context.resume();
            }
            Ok(())
        })
        .process(|record, steps, context| {
            assert!(steps.get(&2)?.is_some(), "taken too soon");
            context.forward(record.with(record.key, record.value))
        })
        .sink("out");
    builder.build().unwrap()
}

#[test]
fn what_a_processor_founds_at_its_start_is_committed_step_by_step_before_the_first_record() {
    let mut driver = driver(&founding());
    assert_eq!(numbers(driver.read("out")), [-1, -2, -3], "without any input");
    append(&mut driver, [Some(1), Some(2)]);
    driver.run().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [-1, -2, -3, 1, 2]);
}

#[test]
fn acting_on_a_record_and_suspending_before_it_is_refused_at_the_commit() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            context.forward(record.with(record.key, record.value))?;
            if record.value == Some(2) {
                context.suspend_from(record.position());
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
    assert!(error.contains("takes no input of in-0 from offset 1 but already acted on offset 1"), "{error}");
}

#[test]
fn acting_for_an_earlier_record_and_suspending_is_no_breach() {
    let mut driver = driver(&through(|| {
        let mut last: Option<Position> = None;
        each_and_committed(
            move |record, context| {
                if let Some(earlier) = last.replace(record.position()).filter(|earlier| *earlier < record.position()) {
                    context.caused_by(earlier);
                    context.forward(record.with(record.key, Some(earlier.offset)))?;
                    context.suspend_from(record.position());
                    context.request_commit();
                }
                Ok(())
            },
            |context| {
                context.resume();
                Ok(())
            },
        )
    }));
    append(&mut driver, [Some(1), Some(2), Some(3)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [0, 1]);
}

#[test]
fn what_was_made_of_a_record_is_taken_whole_where_the_task_waits_behind_that_record() {
    for filtered in [false, true] {
        let builder = Builder::new();
        let input = builder.sub_topology("sub").source::<[u8], i64>("in");
        let mut pieces = input.flat_map::<[u8], i64>(|record, out| {
            for piece in 0..4 {
                out.emit_record(record.key, record.value.map(|value| value * 10 + piece));
            }
        });
        if filtered {
            // What is left of a run comes in several.
            pieces = pieces.filter(|record| record.value.is_some_and(|value| value % 10 != 1));
        }
        let waiting = pieces.processor("waiting").supply(|()| {
            each_and_committed(
                |record, context| {
                    context.suspend_from(record.position().next());
                    context.request_commit();
                    context.forward(record.with(record.key, record.value))
                },
                |context| {
                    context.resume();
                    Ok(())
                },
            )
        });
        waiting.sink("out");
        let mut driver = driver(&builder.build().unwrap());
        append(&mut driver, [Some(1), Some(2)]);
        driver.run().unwrap();
        driver.commit().unwrap();
        let expected = [10, 11, 12, 13, 20, 21, 22, 23].into_iter().filter(|value| !filtered || value % 10 != 1);
        assert_eq!(numbers(driver.read("out")), expected.collect::<Vec<_>>());
    }
}
