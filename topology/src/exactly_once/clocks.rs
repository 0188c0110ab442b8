//! A log whose clock is not this machine's: by which of the two it is judged what a topic takes.

use topology::clock::{Clock, SystemClock};
use topology::graph::{Builder, Topic};
use topology::log::{Log, TopicSpec};
use topology::processor::Reaction;

use super::counting::{in_transaction, read, send, spec};
use super::{config, memory_log, run_until_end, topics};
use crate::fault_log::{FaultLog, Script};

const HOUR_MS: i64 = 3_600_000;

/// Copies records of times so far from now to a topic that takes what is an hour ahead of the log's clock at most.
/// Returns how many were copied, and how many became dead letters.
fn copy(
    ahead_hours: &[i64],
    log_ahead_ms: Option<i64>,
    reaction: Option<Reaction>,
) -> topology::Result<(usize, usize)> {
    let log = memory_log();
    let bounded = ("message.timestamp.after.max.ms".to_owned(), HOUR_MS.to_string());
    log.create_topics(&[spec(&topics().input), TopicSpec { config: vec![bounded], ..spec(&topics().output) }]).unwrap();
    let now_ms = SystemClock::new().now_ms();
    in_transaction(&log, "input", |producer| {
        ahead_hours.iter().for_each(|hours| send(producer, &topics(), 0, b"key", now_ms + hours * HOUR_MS));
    });
    let builder = Builder::new();
    if let Some(reaction) = reaction {
        builder.on_production_error(move |_| reaction);
    }
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(topics().input);
    input.sink(Topic::new(topics().output));
    let script = Script::default();
    script.set_clock_ahead(log_ahead_ms);
    run_until_end(&builder.build().unwrap(), FaultLog::new(log.clone(), &script), config(None))?;
    Ok((read(&log, &topics().output).len(), read(&log, &format!("{}-dead-letters", topics().input)).len()))
}

#[test]
fn what_a_topic_takes_is_judged_by_the_clock_of_the_log_where_that_is_known() {
    let times = [-24, 0, 3, 5];
    for reaction in [Reaction::DeadLetter, Reaction::GoOn] {
        let (copied, letters) = copy(&times, Some(3 * HOUR_MS), Some(reaction)).unwrap();
        assert_eq!((copied, letters), (3, usize::from(reaction == Reaction::DeadLetter)));
        assert_eq!(copy(&times, Some(-3 * HOUR_MS), Some(reaction)).unwrap().0, 1);
        assert_eq!(copy(&times, Some(0), Some(reaction)).unwrap().0, 2);
        assert_eq!(copy(&times, None, Some(reaction)).unwrap().0, 2, "a handler must know, so this machine's must do");
    }
    let error = copy(&times, Some(3 * HOUR_MS), None).unwrap_err().to_string();
    assert!(error.contains("would refuse a record: its timestamp"), "{error}");
}

#[test]
fn where_the_clock_of_the_log_is_not_known_and_no_handler_waits_the_log_itself_judges_times() {
    // This one takes all of them.
    assert_eq!(copy(&[-24, 0, 3, 5], None, None).unwrap(), (4, 0));
}
