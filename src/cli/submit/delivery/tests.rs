//! Lines that arrive once, whatever happens, and those that are refused.

use std::sync::Arc;

use topology::clock::ManualClock;
use topology::log::TopicSpec;
use topology::log::memory::MemoryLog;

use super::super::lines::{Lines, Preparation};
use super::*;

fn log() -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| 0));
    let name = "t".to_owned();
    log.create_topics(&[TopicSpec { name, partition_count: 2, replication_factor: None, config: Vec::new() }]).unwrap();
    log
}

fn text(lines: std::ops::RangeInclusive<u64>) -> String {
    lines.map(|n| format!("{{\"from\":\"account-{}\",\"to\":\"b\",\"amount\":{n}}}\n", n % 7)).collect()
}

fn send(delivery: &mut Delivery<'_, MemoryLog>, text: &str) {
    let mut lines = Lines::new(Box::new(text.as_bytes()), &Preparation::AsWritten(None));
    while let Some(chunk) = lines.next().unwrap() {
        delivery.send(&chunk).unwrap();
    }
}

/// The values in the topic, sorted.
fn values(log: &MemoryLog, clock: &ManualClock) -> Vec<String> {
    let from = [0, 1].map(|number| (TopicPartition::new("t", number), Start::Beginning));
    let mut found = Vec::new();
    let read = Reader::new(log, clock, "test").read(&from, |_, records| {
        found.extend(records.iter().map(|record| String::from_utf8_lossy(record.value.unwrap()).into_owned()));
        Ok(ControlFlow::Continue(()))
    });
    read.unwrap();
    found.sort_by_key(|value| (value.len(), value.clone()));
    found
}

fn expected(lines: std::ops::RangeInclusive<u64>) -> Vec<String> {
    let mut lines: Vec<String> = text(lines).lines().map(str::to_owned).collect();
    lines.sort_by_key(|value| (value.len(), value.clone()));
    lines
}

#[test]
fn every_line_arrives_once_with_its_sender_as_key() {
    let (log, clock) = (log(), ManualClock::new(7));
    let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
    send(&mut delivery, &text(1..=100));
    let report = delivery.report();
    assert_eq!((report.record_count, report.unreadable_count, report.repeat_count), (100, 0, 0));
    assert_eq!(values(&log, &clock), expected(1..=100));
}

#[test]
fn a_submission_started_again_under_its_name_continues_behind_what_arrived() {
    let (log, clock) = (log(), ManualClock::new(7));
    let mut first = Delivery::resume(log.clone(), "t", "name", &clock).unwrap();
    send(&mut first, &text(1..=40));
    first.end().unwrap();
    drop(first);
    let mut other = Delivery::resume(log.clone(), "t", "name-2", &clock).unwrap();
    assert_eq!(other.arrived_line(), 0, "names that begin alike are different ones");
    send(&mut other, "");
    let mut second = Delivery::resume(log.clone(), "t", "name", &clock).unwrap();
    assert_eq!(second.arrived_line(), 40);
    send(&mut second, &text(1..=100));
    assert_eq!((second.report().record_count, second.report().skipped_line_count), (60, 40));
    assert_eq!(values(&log, &clock), expected(1..=100));
}

fn refusal(log: &MemoryLog, clock: &ManualClock, input: &str) -> String {
    let mut delivery = Delivery::resume(log.clone(), "t", "name", clock).unwrap();
    let mut lines = Lines::new(Box::new(input.as_bytes()), &Preparation::AsWritten(None));
    let mut sent = Ok(());
    while let (Ok(()), Some(chunk)) = (&sent, lines.next().unwrap()) {
        sent = delivery.send(&chunk);
    }
    sent.and_then(|()| delivery.end()).unwrap_err().to_string()
}

#[test]
fn an_input_that_does_not_begin_with_what_arrived_is_refused_and_nothing_of_it_is_sent() {
    let (log, clock) = (log(), ManualClock::new(7));
    send(&mut Delivery::resume(log.clone(), "t", "name", &clock).unwrap(), &text(1..=40));
    for line in [1, 17, 40] {
        let edited = text(1..=50).replace(&format!("\"amount\":{line}}}"), "\"amount\":77}");
        let says = format!("line {line} differs from what arrived as line {line} of submission 'name'");
        assert!(refusal(&log, &clock, &edited).starts_with(&says), "{says}");
        let emptied: String = text(1..=50)
            .lines()
            .map(|l| if l.ends_with(&format!(":{line}}}")) { "\n".into() } else { format!("{l}\n") })
            .collect();
        assert!(refusal(&log, &clock, &emptied).starts_with(&says), "{says}");
    }
    assert!(refusal(&log, &clock, &text(1..=39)).starts_with("the input ends with line 39, and line 40 of"));
    assert!(refusal(&log, &clock, "").starts_with("the input ends with line 0"));
    assert_eq!(values(&log, &clock), expected(1..=40));
}

#[test]
fn after_an_unknown_outcome_a_chunk_that_arrived_is_not_sent_again() {
    let (log, clock) = (log(), ManualClock::new(7));
    let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
    send(&mut delivery, &text(1..=10));
    // As if the commit's answer had been lost.
    delivery.producer = None;
    delivery.delivered_line = 0;
    send(&mut delivery, &text(1..=10));
    assert_eq!(values(&log, &clock), expected(1..=10));
}

#[test]
fn a_producer_that_was_fenced_is_replaced_and_nothing_is_sent_twice() {
    let (log, clock) = (log(), ManualClock::new(7));
    let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
    send(&mut delivery, &text(1..=10));
    drop(producer(&log, "one").unwrap());
    let all = text(1..=20);
    let mut lines = Lines::new(Box::new(all.as_bytes()), &Preparation::AsWritten(None));
    delivery.send(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(delivery.report().repeat_count, 1);
    assert_eq!(values(&log, &clock), expected(1..=20));
}
