//! Handles of queries while tasks begin and move, and threads and instances come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use topology::client::{Client, Config};
use topology::clock::SystemClock;
use topology::graph::Store;
use topology::log::memory::MemoryLog;
use topology::log::{Log, Offset, Producer, ProducerRecord, TopicPartition, TopicSpec};
use topology::query::{Error, KeyValue, TaskId};

use super::counting::watched::{Taken, watched};
use super::counting::{in_transaction, produce, spec};
use super::rebalances::{PARTITIONS, PROTOCOLS, fill};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, topics, until, wait};

/// The keys that [`fill`] writes, each as often.
fn keys() -> impl Iterator<Item = Vec<u8>> {
    (0..PARTITIONS).flat_map(|partition| (0..3).map(move |number| format!("{partition}-{number}").into_bytes()))
}

/// Reads until it is over. What was there stays there, and is never less than it was; where it cannot be told, the
/// error says why.
fn follow(counts: &KeyValue<[u8], i64>, is_over: &AtomicBool) -> usize {
    let (mut last, mut answer_count) = (BTreeMap::<Vec<u8>, i64>::new(), 0);
    loop {
        let was_over = is_over.load(Ordering::SeqCst);
        for key in keys() {
            match counts.get(&&*key) {
                Ok(Some(count)) => {
                    let before = last.insert(key, count).unwrap_or(0);
                    assert!(before <= count, "from {before} to {count}");
                    answer_count += 1;
                }
                Ok(None) => assert!(!last.contains_key(&key), "it was there, and is not any more"),
                Err(Error::Moving(_) | Error::Elsewhere { .. } | Error::Undecided { .. }) => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        if was_over {
            return answer_count;
        }
    }
}

/// Ends the reading, also where the test ends early.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_handle_follows_tasks_from_thread_to_thread_and_to_other_instances_and_back() {
    for group_protocol in PROTOCOLS {
        let log = memory_log();
        // The client makes the others.
        log.create_topics(&[TopicSpec { partition_count: PARTITIONS, ..spec(&topics().input) }]).unwrap();
        let counts = Store::<[u8], i64>::memory("counts");
        let start = || {
            let topology = watched(&topics(), PARTITIONS, &counts, &Taken::default());
            Client::start_blocking(&topology, log.clone(), Config { group_protocol, ..config(None) }).unwrap()
        };
        let mut client = start();
        let asked = client.store(&counts).unwrap();
        let is_over = AtomicBool::new(false);
        let here = |expected: i64| {
            until("all is here", || keys().all(|key| asked.get(&&*key) == Ok(Some(expected))));
        };
        thread::scope(|scope| {
            let over = Over(&is_over);
            let readers = [(); 2].map(|()| scope.spawn(|| follow(&asked, &is_over)));
            fill(&log, 3);
            here(1);
            for round in 2..=3 {
                client.add_thread().unwrap();
                fill(&log, 3);
                here(round);
            }
            let mut other = start();
            let of_other = other.store(&counts).unwrap();
            fill(&log, 3);
            let answers = |key: Vec<u8>| [&asked, &of_other].map(|asked| asked.get(&&*key) == Ok(Some(4)));
            until("each has some", || {
                let by: Vec<[bool; 2]> = keys().map(answers).collect();
                by.iter().all(|[here, there]| here != there) && (0..2).all(|at| by.iter().any(|by| by[at]))
            });
            other.stop();
            wait(&mut other).unwrap();
            here(4);
            assert!(client.remove_thread().is_some());
            fill(&log, 3);
            here(5);
            drop(over);
            for reader in readers {
                assert!(reader.join().unwrap() > 100);
            }
        });
        client.stop();
        wait(&mut client).unwrap();
        assert_eq!(asked.get(&b"0-0".as_slice()), Err(Error::Closed));
    }
}

/// Records without a key, which are passed over: what commits them writes no store.
fn produce_for_nothing(log: &MemoryLog) {
    in_transaction(log, "nothing", |producer| {
        for _ in 0..5 {
            let record = ProducerRecord {
                topic: &topics().input,
                partition: Some(0),
                timestamp_ms: 1_000,
                key: None,
                value: Some(b"x"),
                headers: &[],
            };
            producer.send(&record).unwrap();
        }
    });
}

#[test]
fn a_task_says_how_far_its_state_has_read_before_its_first_commit_here() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let input = TopicPartition::new(topics().input, 0);
    let task = TaskId { sub_topology: "counting".to_owned(), partition: 0 };
    let start = || Instance::new(&log, Arc::new(SystemClock::new()), "a", config(Some(directory.path())));
    let position = |instance: &Instance<MemoryLog>| -> Option<Vec<(TopicPartition, Offset)>> {
        Some(instance.queries.snapshot(&task).ok()?.position().to_vec())
    };
    let committed = || log.committed("app", std::slice::from_ref(&input)).unwrap()[0].as_ref().map(|at| at.offset);

    // One that has never committed anything.
    let mut first = start();
    turn_until(&mut [&mut first], |turning| position(turning[0]).is_some());
    assert_eq!((position(&first), committed()), (Some(vec![(input.clone(), 0)]), None));
    produce(&log, &topics(), 20);
    produce_for_nothing(&log);
    turn_until(&mut [&mut first], |turning| turning[0].metrics.snapshot().record_count == 25);
    first.thread.close().unwrap();
    assert!(committed() >= Some(26), "the last commit wrote no store: {:?}", committed());

    // And one whose last commits left nothing in its stores that would tell.
    let mut second = start();
    turn_until(&mut [&mut second], |turning| position(turning[0]).is_some());
    assert_eq!(second.metrics.snapshot().commit_count, 0);
    assert_eq!(position(&second), committed().map(|offset| vec![(input.clone(), offset)]));
    second.thread.close().unwrap();
}
