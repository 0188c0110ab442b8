//! Several threads in one process, threads that come and go, and tasks that panic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use topology::Class;
use topology::client::{Client, Config, Guarantee, OnPanic, State};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{Isolation, Kind, Log, TopicPartition, TopicSpec};
use topology::processor::Record;

use super::counting::{create, read, spec};
use super::rebalances::{PARTITIONS, fill};
use super::{config, memory_log, run_until_end, topics, until, wait};
use crate::fault_log::{Call, FaultLog, Script};

/// Counts the records of each key; a task for each partition. `see` looks at each record before, and may panic.
fn counting(see: impl Fn(i32, i64) + Send + Sync + 'static) -> Topology {
    let builder = Builder::new();
    let input = Topic::new(topics().input).partitions(PARTITIONS);
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(input);
    let see = Arc::new(see);
    let seen = input.process_fn::<[u8], [u8]>(move |record, context| {
        see(context.partition(record.input).partition, record.offset);
        context.forward(record.with(record.key, record.value))
    });
    seen.count(&Store::rocksdb("counts")).sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

fn threads(count: usize) -> Config {
    Config { thread_count: count, ..config(None) }
}

/// By key, the counts in the order in which they were sent.
fn counts(log: &impl Log) -> BTreeMap<Vec<u8>, Vec<i64>> {
    let mut counts: BTreeMap<Vec<u8>, Vec<i64>> = BTreeMap::new();
    for (_, key, count) in read(log, &topics().output) {
        counts.entry(key).or_default().push(i64::from_be_bytes(count.as_slice().try_into().unwrap()));
    }
    counts
}

/// Each key's counts are 1, 2, 3 ... up to how often it came.
fn assert_exact(log: &impl Log, per_partition: usize) {
    let counts = counts(log);
    assert!(counts.values().all(|seen| seen.iter().copied().eq(1..=seen.len() as i64)), "{counts:?}");
    assert_eq!(counts.values().map(Vec::len).sum::<usize>(), per_partition * PARTITIONS as usize);
}

#[test]
fn a_bounded_run_ends_when_each_of_its_threads_has_done_its_part() {
    for count in [2, 4, 7] {
        let log = memory_log();
        create(&log, &topics(), PARTITIONS);
        fill(&log, 50);
        let metrics = run_until_end(&counting(|_, _| ()), log.clone(), threads(count)).unwrap();
        assert_eq!(metrics.record_count, 200);
        assert_exact(&log, 50);
    }
}

#[test]
fn threads_of_one_process_share_its_state_directory_and_read_on_after_a_restart() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    create(&log, &topics(), PARTITIONS);
    for round in 1..=3 {
        fill(&log, 30);
        let config = Config { state_directory: Some(directory.path().to_owned()), ..threads(round) };
        let metrics = run_until_end(&counting(|_, _| ()), log.clone(), config).unwrap();
        assert_eq!(metrics.restored_record_count, 0);
        assert_exact(&log, 30 * round);
    }
}

#[test]
fn threads_come_and_go_while_records_come() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    create(&log, &topics(), PARTITIONS);
    let config = Config { state_directory: Some(directory.path().to_owned()), ..threads(1) };
    let mut client = Client::start_blocking(&counting(|_, _| ()), log.clone(), config).unwrap();
    let must_stop = AtomicBool::new(false);
    let filled = std::thread::scope(|scope| {
        let filling = scope.spawn(|| {
            let mut filled = 0;
            while !must_stop.load(Ordering::Relaxed) {
                fill(&log, 5);
                filled += 5;
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            filled
        });
        let moved = || {
            let before = client.metrics().commit_count;
            until("it goes on", || {
                *client.states().borrow() == State::Running && client.metrics().commit_count > before + 5
            });
        };
        moved();
        assert_eq!((client.add_thread().unwrap(), client.add_thread().unwrap()), (2, 3));
        moved();
        assert_eq!(client.remove_thread(), Some(3));
        moved();
        assert_eq!(client.add_thread().unwrap(), 3);
        moved();
        assert_eq!((client.remove_thread(), client.remove_thread()), (Some(3), Some(2)));
        moved();
        must_stop.store(true, Ordering::Relaxed);
        filling.join().unwrap()
    });
    until("all is counted", || read(&log, &topics().output).len() == filled * PARTITIONS as usize);
    // The last one goes: what comes waits, until there is one again.
    assert_eq!((client.remove_thread(), client.remove_thread()), (Some(1), None));
    fill(&log, 5);
    assert_eq!(client.add_thread().unwrap(), 1);
    until("all is counted", || read(&log, &topics().output).len() == (filled + 5) * PARTITIONS as usize);
    client.stop();
    wait(&mut client).unwrap();
    assert_eq!(client.add_thread().unwrap_err().class(), Class::Stop);
    assert_eq!(client.remove_thread(), None);
    assert_exact(&log, filled + 5);
}

#[test]
fn a_record_that_panics_a_task_stops_no_other_and_is_taken_once_it_no_longer_does() {
    for count in [1, 2] {
        let log = memory_log();
        create(&log, &topics(), PARTITIONS);
        fill(&log, 20);
        let (is_poison, panics) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let topology = counting({
            let (is_poison, panics) = (Arc::clone(&is_poison), Arc::clone(&panics));
            move |partition, offset| {
                if (partition, offset) == (1, 10) && is_poison.load(Ordering::Relaxed) {
                    panics.fetch_add(1, Ordering::Relaxed);
                    panic!("as the test wants it");
                }
            }
        });
        let mut client = Client::start_blocking(&topology, log.clone(), threads(count)).unwrap();
        let others = || {
            counts(&log).iter().filter(|(key, _)| !key.starts_with(b"1-")).map(|(_, seen)| seen.len()).sum::<usize>()
        };
        until("the other three are through", || others() == 60);
        until("it was tried again", || panics.load(Ordering::Relaxed) >= 3);
        fill(&log, 20);
        until("the other three go on", || others() == 120);
        is_poison.store(false, Ordering::Relaxed);
        until("it goes on", || read(&log, &topics().output).len() == 160);
        client.stop();
        wait(&mut client).unwrap();
        assert_exact(&log, 40);
    }
}

#[test]
fn a_record_whose_time_cannot_be_told_as_it_is_queued_panics_its_task_and_stops_no_other() {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    log.create_topics(&[TopicSpec { partition_count: PARTITIONS, ..spec("more") }]).unwrap();
    fill(&log, 20);
    let (is_poison, panics) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let time = {
        let (is_poison, panics) = (Arc::clone(&is_poison), Arc::clone(&panics));
        move |record: &Record<'_, [u8], [u8]>| {
            if is_poison.load(Ordering::Relaxed) && record.key.is_some_and(|key| key.starts_with(b"1-")) {
                panics.fetch_add(1, Ordering::Relaxed);
                panic!("as the test wants it");
            }
            record.timestamp_ms
        }
    };
    let builder = Builder::new();
    // A task of two inputs queues what arrives.
    let inputs = [topics().input.as_str(), "more"].map(|name| Topic::new(name).partitions(PARTITIONS));
    let input = builder.sub_topology("counting").source_with_time::<[u8], [u8]>(inputs, time);
    input.count(&Store::rocksdb("counts")).sink(Topic::new(topics().output).partitions(1));
    let mut client = Client::start_blocking(&builder.build().unwrap(), log.clone(), threads(1)).unwrap();
    until("the other three are through", || read(&log, &topics().output).len() == 60);
    until("it was tried again", || panics.load(Ordering::Relaxed) >= 3);
    is_poison.store(false, Ordering::Relaxed);
    until("it goes on", || read(&log, &topics().output).len() == 80);
    client.stop();
    wait(&mut client).unwrap();
    assert_exact(&log, 20);
}

#[test]
fn a_panic_ends_the_client_where_that_is_asked_for() {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    fill(&log, 20);
    let config = Config { on_panic: OnPanic::Stop, ..threads(2) };
    let topology = counting(|partition, offset| assert!((partition, offset) != (1, 10), "as the test wants it"));
    let mut client = Client::start_blocking(&topology, log.clone(), config).unwrap();
    let error = wait(&mut client).unwrap_err();
    assert!(error.to_string().contains("task counting_1 panicked: as the test wants it"), "{error}");
    assert_eq!(*client.states().borrow(), State::Failed);
    let counted = read(&log, &topics().output).len();
    assert_eq!(counts(&log).values().map(Vec::len).sum::<usize>(), counted);
}

#[test]
fn a_thread_that_panics_outside_of_its_tasks_is_made_anew_and_its_tasks_go_on() {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    fill(&log, 20);
    let script = Script::default();
    let mut client =
        Client::start_blocking(&counting(|_, _| ()), FaultLog::new(log.clone(), &script), threads(2)).unwrap();
    until("all is counted", || read(&log, &topics().output).len() == 80);
    script.panic_in_polls(2);
    until("both have panicked", || script.panics_left() == 0);
    fill(&log, 20);
    until("all is counted", || read(&log, &topics().output).len() == 160);
    client.stop();
    wait(&mut client).unwrap();
    assert_exact(&log, 40);
}

#[test]
fn the_number_of_a_thread_that_panicked_is_free_again_when_it_is_removed() {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    let script = Script::default();
    let mut client =
        Client::start_blocking(&counting(|_, _| ()), FaultLog::new(log.clone(), &script), threads(2)).unwrap();
    for round in 1..=3 {
        script.panic_in_polls(2);
        until("both have panicked", || script.panics_left() == 0);
        // It waits to be made anew, or runs again.
        assert_eq!(client.remove_thread(), Some(2));
        assert_eq!(client.add_thread().unwrap(), 2);
        fill(&log, 20);
        until("all is counted", || read(&log, &topics().output).len() == round * 80);
        assert_eq!(client.remove_thread(), Some(2));
        assert_eq!(client.add_thread().unwrap(), 2);
    }
    client.stop();
    wait(&mut client).unwrap();
    assert_exact(&log, 60);
}

#[test]
fn an_error_that_no_retry_mends_ends_all_threads() {
    let log = memory_log();
    create(&log, &topics(), PARTITIONS);
    fill(&log, 20);
    let script = Script::default().refuse(Call::Send, 5, Kind::Fatal);
    let mut client =
        Client::start_blocking(&counting(|_, _| ()), FaultLog::new(log.clone(), &script), threads(3)).unwrap();
    assert_eq!(wait(&mut client).unwrap_err().class(), Class::Stop);
    assert_eq!(log.group_member_count(&topics().application).unwrap(), 0);
}

#[test]
fn what_is_done_at_least_once_is_there_before_its_input_is_committed_and_comes_again_where_that_fails() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    create(&log, &topics(), PARTITIONS);
    fill(&log, 20);
    // All offsets of one commit are refused: what was sent stays, and is done once more.
    let script = Script::default().refuse(Call::SendOffsets, 1, Kind::Unknown);
    let config =
        Config { guarantee: Guarantee::AtLeastOnce, state_directory: Some(directory.path().to_owned()), ..threads(1) };
    run_until_end(&counting(|_, _| ()), FaultLog::new(log.clone(), &script), config.clone()).unwrap();
    assert_eq!(script.refused_count(), 1);
    let seen = counts(&log);
    let counted: usize = seen.values().map(Vec::len).sum();
    assert!((81..=160).contains(&counted), "something came twice: {counted}");
    assert!(seen.values().all(|seen| seen.windows(2).all(|pair| pair[1] <= pair[0] + 1)), "no gap: {seen:?}");
    for partition in 0..PARTITIONS {
        let partition = TopicPartition::new(topics().input, partition);
        let end = log.watermarks(&partition, Isolation::ReadCommitted).unwrap().high;
        let committed = log.committed(&topics().application, &[partition]).unwrap();
        assert_eq!(committed[0].as_ref().unwrap().offset, end);
    }
    // Nothing more is done twice where nothing fails, with one guarantee or the other.
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let before = read(&log, &topics().output).len();
        fill(&log, 20);
        let config = Config { guarantee, ..config.clone() };
        run_until_end(&counting(|_, _| ()), log.clone(), config).unwrap();
        assert_eq!(read(&log, &topics().output).len(), before + 80);
    }
}
