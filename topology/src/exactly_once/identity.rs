//! Topics that are not the ones they were when the run began.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::Class;
use topology::client::Client;
use topology::clock::SystemClock;
use topology::graph::{Builder, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{Isolation, Log, TopicPartition};
use topology::watch;

use super::counting::{assert_exact, produce, read, spec, topology};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, topics, until, wait};
use crate::fault_log::{FaultLog, Script};

type Faulty = FaultLog<MemoryLog>;

/// A log whose consumers go on in a topic that was made anew, as Kafka's do.
fn by_name(log: &MemoryLog) -> (Faulty, Script) {
    let script = Script::default();
    script.read_by_name();
    (FaultLog::new(log.clone(), &script), script)
}

/// An instance whose topics are looked at only when somebody must know.
fn only_asked(topology: &Topology, log: &Faulty) -> Instance<Faulty> {
    let options = watch::Intervals {
        interval: Duration::from_secs(3_600),
        vouch_timeout: Duration::from_millis(50),
        ..watch::Intervals::default()
    };
    Instance::watched(topology, log, Arc::new(SystemClock::new()), "a", config(None), options)
}

fn make_anew(log: &impl Log, topic: &str) {
    log.delete_topics(&[topic.to_owned()]).unwrap();
    log.create_topics(&[spec(topic)]).unwrap();
}

/// Whether there are so many outputs, and no open transaction that holds more of them back.
fn has_committed(log: &MemoryLog, count: usize) -> bool {
    let output = TopicPartition::new(topics().output, 0);
    let end = |isolation| log.watermarks(&output, isolation).unwrap().high;
    end(Isolation::ReadCommitted) == end(Isolation::ReadUncommitted) && read(log, &topics().output).len() == count
}

/// Takes turns until the thread gives up.
fn turn_until_it_stops(instance: &mut Instance<Faulty>) -> topology::Error {
    let start = std::time::Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(60), "it never stops");
        if let Err(error) = instance.thread.run_once() {
            return error;
        }
    }
}

#[test]
fn nothing_of_an_input_that_was_made_anew_while_running_is_committed() {
    let log = memory_log();
    let (faulty, _) = by_name(&log);
    produce(&log, &topics(), 100);
    let mut instance = only_asked(&topology(&topics()), &faulty);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 100);
    assert_exact(&log, &topics(), 100);

    make_anew(&log, &topics().input);
    produce(&log, &topics(), 300);
    let error = turn_until_it_stops(&mut instance);
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("topic 'app-in' was deleted and made anew"), "{error}");
    let taken = instance.metrics.snapshot().record_count;
    assert!(taken > 100, "records of the new topic were handed over, or this test shows nothing");
    instance.thread.abandon();
    assert_exact(&log, &topics(), 100);
}

#[test]
fn an_input_that_was_made_anew_and_is_shorter_is_noticed_as_well() {
    let log = memory_log();
    let (faulty, _) = by_name(&log);
    produce(&log, &topics(), 100);
    let mut instance = only_asked(&topology(&topics()), &faulty);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 100);
    make_anew(&log, &topics().input);
    produce(&log, &topics(), 10);
    let error = turn_until_it_stops(&mut instance);
    assert!(error.to_string().contains("topic 'app-in' was deleted and made anew"), "{error}");
    instance.thread.abandon();
    assert_exact(&log, &topics(), 100);
}

/// Does for each record what cannot be taken back, once it is certain that the record is of the topic known.
fn signing(signed: &Arc<Mutex<Vec<i64>>>) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("signing").source::<[u8], [u8]>(topics().input);
    let signed = Arc::clone(signed);
    let output = input.process_fn::<[u8], i64>(move |record, context| {
        context.vouch_for_input()?;
        signed.lock().unwrap().push(record.offset);
        context.forward(record.with(record.key, Some(record.offset)))
    });
    output.sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn nothing_of_an_input_that_was_made_anew_is_signed() {
    let log = memory_log();
    let (faulty, _) = by_name(&log);
    produce(&log, &topics(), 100);
    let signed = Arc::default();
    let mut instance = only_asked(&signing(&signed), &faulty);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 100);
    assert_eq!(*signed.lock().unwrap(), (0..100).collect::<Vec<_>>());

    make_anew(&log, &topics().input);
    produce(&log, &topics(), 300);
    let error = turn_until_it_stops(&mut instance);
    assert!(error.to_string().contains("made anew"), "{error}");
    instance.thread.abandon();
    assert_eq!(signed.lock().unwrap().len(), 100);
    assert_eq!(read(&log, &topics().output).len(), 100);
}

#[test]
fn a_topic_of_the_plan_that_is_made_anew_or_gone_stops_the_client_by_name() {
    let plan = ["app-in", "app-out", "app-in-dead-letters", "app-counts-changelog"];
    for topic in plan {
        let log = memory_log();
        produce(&log, &topics(), 10);
        let mut client = Client::start_blocking(&topology(&topics()), by_name(&log).0, config(None)).unwrap();
        until("it has counted", || client.metrics().record_count == 10);
        make_anew(&log, topic);
        let error = wait(&mut client).unwrap_err();
        assert_eq!(error.class(), Class::Stop);
        assert!(error.to_string().contains(&format!("topic '{topic}' was deleted and made anew")), "{error}");
    }
}

#[test]
fn brokers_that_were_made_anew_at_the_same_address_stop_the_client() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let mut client = Client::start_blocking(&topology(&topics()), by_name(&log).0, config(None)).unwrap();
    until("it has counted", || client.metrics().record_count == 10);
    let plan = ["app-in", "app-out", "app-in-dead-letters", "app-counts-changelog"].map(str::to_owned);
    log.delete_topics(&plan).unwrap();
    log.create_topics(&plan.map(|topic| spec(&topic))).unwrap();
    let error = wait(&mut client).unwrap_err();
    assert!(error.to_string().contains("none of the 4 topics is the one that this run knew"), "{error}");
}

#[test]
fn a_topic_that_is_gone_for_a_while_stops_the_thread() {
    let log = memory_log();
    let (faulty, _) = by_name(&log);
    produce(&log, &topics(), 10);
    let clock = Arc::new(SystemClock::new());
    let options =
        watch::Intervals { interval: Duration::from_millis(1), gone_after_ms: 100, ..watch::Intervals::default() };
    let mut instance = Instance::watched(&topology(&topics()), &faulty, clock, "a", config(None), options);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 10);
    log.delete_topics(&[topics().input]).unwrap();
    let error = turn_until_it_stops(&mut instance);
    assert!(error.to_string().contains("topic 'app-in' is gone"), "{error}");
}

#[test]
fn answers_that_do_not_come_or_do_not_show_a_topic_delay_a_commit_and_stop_nobody() {
    let log = memory_log();
    let (faulty, script) = by_name(&log);
    produce(&log, &topics(), 50);
    let mut instance = only_asked(&topology(&topics()), &faulty);
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 50);
    // Longer than a commit waits: the work is void, and the task is taken over when the topic is seen again.
    script.hide(&topics().input, 12);
    produce(&log, &topics(), 50);
    turn_until(&mut [&mut instance], |_| has_committed(&log, 100));
    assert_eq!(instance.metrics.snapshot().rewind_count, 1);
    script.hide(&topics().output, 1);
    produce(&log, &topics(), 50);
    turn_until(&mut [&mut instance], |_| has_committed(&log, 150));
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), 150);
}

#[test]
fn input_that_comes_again_is_an_error_and_counted_once() {
    let log = memory_log();
    let (faulty, script) = by_name(&log);
    produce(&log, &topics(), 20);
    script.repeat();
    let mut instance = only_asked(&topology(&topics()), &faulty);
    turn_until(&mut [&mut instance], |_| has_committed(&log, 20));
    assert_eq!(instance.metrics.snapshot().rewind_count, 1);
    instance.thread.close().unwrap();
    assert_exact(&log, &topics(), 20);
}
