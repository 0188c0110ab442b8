//! What can be scheduled, and when punctuations by stream time fall.

use super::*;
use crate::error::Class;
use crate::processor::{Punctuation, Reaction, Schedule};

/// Schedules this at its start, or else at its first record.
struct Asking {
    schedule: Option<Schedule>,
    at_start: bool,
}

impl Asking {
    fn ask(&mut self, context: &mut Output<'_>) {
        self.schedule.take().map(|schedule| context.schedule(schedule));
    }
}

impl Processor for Asking {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        if self.at_start {
            self.ask(context);
        }
        Ok(())
    }

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        self.ask(context);
        context.forward(record.with(None, context.stream_time_ms().map(|ms| ms * 1_000)))
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Output<'_>) -> Result {
        context.forward(Record::new(None, due.timestamp_ms, None, Some(due.timestamp_ms)))
    }
}

/// Behind another processor, so that an error is laid to the right one; no handler of records may pass over it.
fn asking(schedule: Schedule, at_start: bool) -> Topology {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::GoOn);
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let passed = input
        .processor("first")
        .process_fn::<[u8], i64>(|record, (), context| context.forward(record.with(record.key, record.value)));
    let asked = passed.processor("asking").supply(move |()| Asking { schedule: Some(schedule), at_start });
    asked.processor("last").supply(move |()| Asking { schedule: None, at_start }).sink("out");
    builder.build().unwrap()
}

fn pipe(driver: &mut TestDriver, timestamp_ms: i64) -> crate::Result<()> {
    driver.pipe("in", None, Some(&[0; 8]), timestamp_ms)
}

#[test]
fn an_interval_of_less_than_one_ms_is_an_error_that_names_the_processor() {
    for interval_ms in [0, -1, i64::MIN] {
        let expected = format!("processor 'asking' schedules every {interval_ms} ms: 1 at least");
        for schedule in [Schedule::StreamTime { interval_ms }, Schedule::WallClock { interval_ms }] {
            let error = TestDriver::new(&asking(schedule, true), "app", 0).err().unwrap();
            assert_eq!((error.class(), error.to_string()), (Class::Stop, expected.clone()));
            let mut driver = driver(&asking(schedule, false));
            let error = pipe(&mut driver, 0).unwrap_err();
            assert_eq!((error.class(), error.to_string()), (Class::Stop, expected.clone()));
        }
    }
    assert!(TestDriver::new(&asking(Schedule::StreamTime { interval_ms: 1 }, true), "app", 0).is_ok());
}

/// Of functions, one of which schedules, at the start or at a record of the first or of the second input.
fn of_functions(schedules_in: &'static str, has_punctuate: bool) -> Topology {
    let builder = Builder::new();
    let sub = builder.sub_topology("sub");
    let (input, other) = (sub.source::<[u8], i64>("in"), sub.source::<[u8], i64>("other"));
    let mut functions = input.processor("telling").functions::<[u8], i64>();
    if has_punctuate {
        functions = functions.punctuate(|_, (), _| Ok(()));
    }
    let ask = move |place: &str, context: &mut Output<'_>| {
        if place == schedules_in {
            context.schedule(Schedule::WallClock { interval_ms: 10 });
        }
        Ok(())
    };
    let functions = functions.init(move |(), context| ask("init", context));
    let functions = functions.with_input(&other, move |_, (), context| ask("other", context));
    functions.process(move |_, (), context| ask("process", context)).sink("out");
    builder.build().unwrap()
}

#[test]
fn functions_that_schedule_without_a_punctuate_are_an_error_that_names_the_processor() {
    for place in ["init", "process", "other"] {
        let run = |topology: &Topology| {
            let mut driver = TestDriver::new(topology, "app", 0)?;
            pipe(&mut driver, 0)?;
            driver.pipe("other", None, Some(&[0; 8]), 0)?;
            driver.advance_clock(10)
        };
        let error = run(&of_functions(place, false)).unwrap_err();
        let expected = "processor 'telling' schedules but has no punctuate: give it one, or do not schedule";
        assert_eq!((error.class(), error.to_string().as_str()), (Class::Stop, expected), "{place}");
        run(&of_functions(place, true)).unwrap();
    }
    TestDriver::new(&of_functions("never", false), "app", 0).unwrap();
}

#[test]
fn a_punctuation_by_stream_time_falls_behind_its_record_at_stream_time_and_survives_a_restart() {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let schedule = Schedule::StreamTime { interval_ms: 10 };
    input.processor("asking").supply(move |()| Asking { schedule: Some(schedule), at_start: true }).sink("out");
    let topology = builder.build().unwrap();
    let mut driver = driver(&topology);
    for timestamp_ms in [3, 12, 47] {
        driver.append("in", None, Some(&[0; 8]), timestamp_ms).unwrap();
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    // A record tells stream time times 1000, with its own in it; a punctuation tells its timestamp.
    assert_eq!(numbers(driver.read("out")), [3_000, 12_000, 12, 47_000, 47]);
    driver.restart(&topology).unwrap();
    for timestamp_ms in [20, 49, 51] {
        pipe(&mut driver, timestamp_ms).unwrap();
    }
    driver.commit().unwrap();
    assert_eq!(numbers(&driver.read("out")[5..]), [47_000, 49_000, 51_000, 51]);
}

#[test]
fn stream_time_begins_at_the_first_record_which_passes_nothing() {
    let mut driver = driver(&asking(Schedule::StreamTime { interval_ms: 10 }, true));
    pipe(&mut driver, 47).unwrap();
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")).len(), 1);
}
