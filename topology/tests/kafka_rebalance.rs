//! A member joins and leaves while another processes, on a real broker: the tasks that stay are the same tasks
//! throughout.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use counting::watched::{Taken, Took, watched};
use counting::{Topics, assert_exact, create, producer, read, send, transact};
use test_cluster::{Cluster, unique, until_within};
use topology::Class;
use topology::client::{Client, Config};
use topology::graph::Store;
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{GroupProtocol, Producer};

const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(40);

fn start(topics: &Topics, taken: &Taken, log: &KafkaLog, protocol: GroupProtocol) -> Client {
    let config =
        Config { group_protocol: protocol, commit_interval_ms: 50, ..Config::new(topics.application.as_str()) };
    Client::start_blocking(&watched(topics, PARTITIONS, &Store::rocksdb("counts"), taken), log.clone(), config).unwrap()
}

/// Two records to each partition, in one transaction.
fn fill(producer: &mut impl Producer, topics: &Topics) -> usize {
    transact(producer, |producer| {
        for partition in (0..PARTITIONS).flat_map(|partition| [partition; 2]) {
            send(producer, topics, partition, format!("key-{partition}").as_bytes(), 1_000);
        }
    });
    2 * PARTITIONS as usize
}

/// Ends what others do, also where a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn partitions(taken: &Taken, from: usize) -> BTreeSet<i32> {
    taken.lock().unwrap()[from..].iter().map(|took| took.partition).collect()
}

/// One member processes, another joins, takes half, and leaves. Returns what each took.
fn come_and_go(log: &KafkaLog, topics: &Topics, protocol: GroupProtocol) -> (Taken, Taken) {
    let (here, there) = (Taken::default(), Taken::default());
    let (must_stop, filled) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut stays = start(topics, &here, log, protocol);
    std::thread::scope(|scope| {
        let filling = scope.spawn(|| {
            // One producer throughout: its transactions follow each other within some milliseconds.
            let mut producer = producer(log, &format!("{}-input", topics.application));
            while !must_stop.load(Ordering::Relaxed) {
                filled.fetch_add(fill(&mut producer, topics), Ordering::Relaxed);
            }
        });
        let stop = Stop(&must_stop);
        until_within(PATIENCE, "the first has all", || partitions(&here, 0).len() == PARTITIONS as usize);
        let mut comes = start(topics, &there, log, protocol);
        until_within(PATIENCE, "the second has half", || partitions(&there, 0).len() == PARTITIONS as usize / 2);
        comes.stop();
        comes.wait().unwrap();
        let from = here.lock().unwrap().len();
        until_within(PATIENCE, "the first has all again", || partitions(&here, from).len() == PARTITIONS as usize);
        drop(stop);
        filling.join().unwrap();
        assert_eq!(comes.metrics().rewind_count, 0);
    });
    let filled = filled.load(Ordering::Relaxed);
    until_within(PATIENCE, "all is counted", || read(log, &topics.output).len() == filled);
    stays.stop();
    stays.wait().unwrap();
    assert_exact(log, topics, filled);
    assert_eq!(stays.metrics().rewind_count, 0);
    (here, there)
}

fn check(protocol: GroupProtocol) {
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    let topics = Topics::new(unique("rebalance"));
    create(&log, &topics, PARTITIONS);
    let (here, there) = come_and_go(&log, &topics, protocol);
    let moved = partitions(&there, 0);
    let here = here.lock().unwrap();
    for partition in (0..PARTITIONS).filter(|partition| !moved.contains(partition)) {
        let took: Vec<&Took> = here.iter().filter(|took| took.partition == partition).collect();
        assert!(took.windows(2).all(|pair| pair[0].processor == pair[1].processor), "it is the same task throughout");
        assert!(took.windows(2).all(|pair| pair[0].offset < pair[1].offset), "nothing is read again");
        let mut gaps: Vec<Duration> = took.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        gaps.sort_unstable();
        let [.., second, longest] = gaps[..] else { panic!("too few records") };
        println!("{protocol:?}: partition {partition} stayed; its longest gaps were {second:?} and {longest:?}");
    }
}

#[test]
fn a_task_that_stays_in_a_classic_group_goes_on_where_it_was() {
    check(GroupProtocol::Classic);
}

#[test]
fn a_task_that_stays_in_a_group_of_the_consumer_protocol_goes_on_meanwhile() {
    match Cluster::version() {
        (..4, _) => println!("this Kafka has no consumer protocol"),
        _ => check(GroupProtocol::Consumer),
    }
}

#[test]
fn brokers_without_the_consumer_protocol_are_a_reason_to_stop_and_to_say_so() {
    if Cluster::version() < (4, 0) {
        println!("librdkafka tells nothing of brokers that are older: kafka_waiting looks at what is said meanwhile");
        return;
    }
    let cluster = Cluster::start_with(&["group.coordinator.rebalance.protocols=classic"]);
    let (log, topics) = (KafkaLog::new(Options::new(cluster.brokers())).unwrap(), Topics::new(unique("rebalance")));
    create(&log, &topics, PARTITIONS);
    let mut client = start(&topics, &Taken::default(), &log, GroupProtocol::Consumer);
    let error = client.wait().unwrap_err();
    let said = error.to_string();
    assert!(error.class() == Class::Stop && said.contains("Choose the classic protocol"), "{said}");
}
