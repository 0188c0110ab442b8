use std::sync::Arc;
use std::time::Duration;

use super::{Intervals, Known, Watch};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::error::Class;
use crate::log::memory::MemoryLog;
use crate::log::{Log, TopicSpec};
use crate::processor::Vouch;

const CALL: Duration = Duration::from_secs(30);

fn create(log: &MemoryLog, name: &str, partition_count: i32) {
    let spec = TopicSpec { name: name.to_owned(), partition_count, replication_factor: None, config: Vec::new() };
    log.create_topics(&[spec]).unwrap();
}

/// A watch that checks only when it is asked to, over two topics.
fn watch(log: &MemoryLog) -> Watch {
    create(log, "in", 1);
    create(log, "out", 1);
    let known = Known::look_up(log, &["in".to_owned(), "out".to_owned()], CALL).unwrap();
    let intervals = Intervals { interval: Duration::from_secs(3_600), vouch_timeout: CALL, ..Intervals::default() };
    Watch::start(log.clone(), Arc::new(SystemClock::new()), known, intervals).unwrap()
}

#[test]
fn what_was_read_before_a_check_began_is_vouched_for_and_what_was_read_later_is_not() {
    let log = MemoryLog::new(Arc::new(|| 0));
    let watch = watch(&log);
    watch.vouch().unwrap();
    log.delete_topics(&["in".to_owned()]).unwrap();
    create(&log, "in", 1);
    // No record was read since: whatever the topic is now, the check that passed speaks of all of them.
    watch.vouch().unwrap();
    watch.input_read();
    let error = watch.vouch().unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("topic 'in' was deleted and made anew"), "{error}");
    assert_eq!(watch.check().unwrap_err().to_string(), error.to_string());
}

#[test]
fn a_check_that_began_before_records_were_read_says_nothing_of_them() {
    let log = MemoryLog::new(Arc::new(|| 0));
    let watch = watch(&log);
    watch.ask();
    watch.input_read();
    log.delete_topics(&["out".to_owned()]).unwrap();
    create(&log, "out", 1);
    assert!(watch.vouch().unwrap_err().to_string().contains("'out'"));
}

#[test]
fn a_topic_that_is_not_to_be_seen_keeps_those_waiting_who_must_know_and_stops_nobody() {
    let log = MemoryLog::new(Arc::new(|| 0));
    let watch = watch(&log);
    log.delete_topics(&["in".to_owned()]).unwrap();
    watch.input_read();
    let error = watch.vouch_within(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.class(), Class::Rewind);
    assert!(error.to_string().contains("'in'"), "{error}");
    watch.check().unwrap();
}

#[test]
fn it_looks_by_itself_again_and_again() {
    let log = MemoryLog::new(Arc::new(|| 0));
    create(&log, "in", 1);
    let known = Known::look_up(&log, &["in".to_owned()], CALL).unwrap();
    let intervals = Intervals { interval: Duration::from_millis(1), ..Intervals::default() };
    let watch = Watch::start(log.clone(), Arc::new(SystemClock::new()), known, intervals).unwrap();
    watch.check().unwrap();
    log.delete_topics(&["in".to_owned()]).unwrap();
    create(&log, "in", 1);
    while watch.check().is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_topic_that_is_not_there_cannot_be_known() {
    let log = MemoryLog::new(Arc::new(|| 0));
    let error = Known::look_up(&log, &["in".to_owned()], CALL).unwrap_err();
    assert!(error.to_string().contains("there is no topic 'in'"), "{error}");
}

#[test]
fn without_a_thread_whoever_asks_asks_the_log_and_waits_by_the_clock() {
    let log = MemoryLog::new(Arc::new(|| 0));
    create(&log, "in", 1);
    let known = Known::look_up(&log, &["in".to_owned()], CALL).unwrap();
    let clock = ManualClock::new(0);
    let watch = Watch::stepped(log.clone(), Arc::new(clock.clone()), known, Intervals::default());
    watch.vouch().unwrap();
    assert_eq!(clock.monotonic_ms(), 0, "an answer that is there is not waited for");
    log.delete_topics(&["in".to_owned()]).unwrap();
    watch.input_read();
    assert_eq!(watch.vouch_within(Duration::from_secs(1)).unwrap_err().class(), Class::Rewind);
    assert!((1_000..1_500).contains(&clock.monotonic_ms()), "{} ms", clock.monotonic_ms());
    watch.check().unwrap();
    create(&log, "in", 1);
    clock.advance(1_000);
    assert!(watch.check().unwrap_err().to_string().contains("'in' was deleted and made anew"), "nobody asked");
}
