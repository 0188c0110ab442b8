//! Instances of one chain on a topic of four partitions, on a real broker: one becomes three and one again under load,
//! one is stopped past its session and continued, the one that seals is killed. Each offset is in one block, there is
//! one chain, and it stands still no longer than sessions and transactions last.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Chain, Process, assert_one_chain, create_topic, payments, until_sealed};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Start, TopicPartition};

const PARTITIONS: i32 = 4;
/// How long a transaction is open at most, and how long a member's session lasts, on the broker of the tests too.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What comes on top: the broker looks for such transactions twice a second, the group shares anew, stores are
/// restored, on two processors that other tests use as well.
const ON_TOP: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// A `cairn run` with a state directory of its own.
struct Instance {
    name: &'static str,
    process: Process,
}

impl Instance {
    fn start(chain: &Chain, name: &'static str) -> Self {
        let mut command: Command = chain.run_in(&chain.directory.path().join(name), &[]);
        command.arg("--keys").arg(chain.keys());
        Self { name, process: Process::start(&mut command, chain.directory.path()) }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -\"$0\" \"$1\"", name, &self.process.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// The tasks that it has begun to run, oldest first, each with the time.
    fn begun(&self) -> Vec<(String, String)> {
        let lines = self.process.stderr();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let begun = lines.filter(|line| line["message"] == "running").filter_map(|line| {
            // The instance as a whole says so too, and names no task.
            Some((line["task"].as_str()?.to_owned(), line["timestamp"].as_str()?.to_owned()))
        });
        begun.collect()
    }

    /// When it last began to seal, if it ever did.
    fn seals_since(&self) -> Option<String> {
        self.begun().into_iter().rev().find(|(task, _)| task == "seal_0").map(|(_, since)| since)
    }

    fn terminate(self) {
        self.process.terminate();
        let finished = self.process.wait();
        assert!(finished.status.success(), "{finished}");
    }
}

fn begun_by(instances: &[Instance]) -> usize {
    instances.iter().map(|instance| instance.begun().len()).sum()
}

/// Where the one is that seals.
fn sealing(instances: &[Instance]) -> usize {
    let since = instances.iter().enumerate().map(|(index, instance)| (instance.seals_since(), index));
    since.max().filter(|(since, _)| since.is_some()).expect("one of them seals").1
}

fn until(what: &str, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The chain while instances come and go.
struct World {
    chain: Chain,
    protocol: &'static str,
    must_stop: AtomicBool,
    submitted: AtomicUsize,
    /// When each block could be read.
    blocks: Mutex<Vec<Instant>>,
}

impl World {
    fn new(protocol: &'static str) -> Self {
        let parameters = [("CAIRN_BLOCK_MAX_TRANSACTIONS", "50"), ("CAIRN_BLOCK_MAX_AGE_MS", "300")];
        let options = [("CAIRN_GROUP_PROTOCOL", protocol), ("CAIRN_STANDBY_REPLICAS", "1")];
        let chain = Chain::new(&[&parameters[..], &options].concat());
        create_topic(&chain.transactions, PARTITIONS, &[]);
        chain.run_until_end();
        let (must_stop, submitted, blocks) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::default());
        Self { chain, protocol, must_stop, submitted, blocks }
    }

    fn must_stop(&self) -> bool {
        self.must_stop.load(Ordering::Relaxed)
    }

    /// Submits payments until it is told to stop.
    fn submit(&self) {
        const AT_ONCE: usize = 200;
        while !self.must_stop() {
            let from = self.submitted.load(Ordering::Relaxed);
            self.chain.submit(&payments(from..from + AT_ONCE));
            self.submitted.store(from + AT_ONCE, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Notes when blocks can be read, until it is told to stop.
    fn observe(&self) {
        let log = KafkaLog::new(Options::new(self.chain.cluster.brokers())).unwrap();
        let options = ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: "observer".into(),
            batch_records: 1,
            prefetch_bytes: 1 << 20,
            out_of_range: OutOfRange::Earliest,
        };
        let mut consumer = log.consumer(&options).unwrap();
        consumer.assign(&[(TopicPartition::new(&*self.chain.blockchain, 0), Start::Beginning)]).unwrap();
        while !self.must_stop() {
            let mut note = |event: Event<'_>| {
                if matches!(event, Event::Records { .. }) {
                    self.blocks.lock().unwrap().push(Instant::now());
                }
            };
            consumer.poll(Duration::from_millis(20), &mut note).unwrap();
        }
    }

    fn block_count(&self) -> usize {
        self.blocks.lock().unwrap().len()
    }

    /// Does something, waits until the chain goes on after it, and looks for how long it stood still.
    fn stands_still_at_most(&self, limit: Duration, what: &str, act: impl FnOnce()) {
        let from = Instant::now();
        act();
        let before = self.block_count();
        until("the chain goes on", || self.block_count() >= before + 5);
        let times = self.blocks.lock().unwrap();
        let last = times.iter().rev().find(|at| **at <= from).copied();
        let all: Vec<Instant> = last.into_iter().chain(times.iter().copied().filter(|at| *at > from)).collect();
        let longest = all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        println!("{:<9} {what:<42} the chain stood still for {longest:?} at most", self.protocol);
        assert!(longest < limit, "{what}: {longest:?}");
    }

    /// One becomes three, one of which sleeps, another one dies, and two leave.
    /// Returns the one that stays.
    fn come_and_go(&self) -> Instance {
        let mut instances = vec![Instance::start(&self.chain, "a")];
        until("the first seals", || self.block_count() > 5);
        self.stands_still_at_most(TIMEOUT, "1 -> 3 instances", || {
            instances.extend(["b", "c"].map(|name| Instance::start(&self.chain, name)));
            until("all have some", || instances.iter().all(|instance| !instance.begun().is_empty()));
        });

        let sleeper = instances.swap_remove((sealing(&instances) + 1) % 3);
        // Its transaction is open, and the sealer reads no further than that.
        self.stands_still_at_most(TIMEOUT + ON_TOP, "one that admits sleeps past its session", || {
            let (before, from) = (begun_by(&instances), Instant::now());
            sleeper.signal("STOP");
            until("others have its tasks", || begun_by(&instances) > before);
            std::thread::sleep((TIMEOUT + Duration::from_secs(2)).saturating_sub(from.elapsed()));
        });
        self.stands_still_at_most(TIMEOUT, "it wakes up, as one that others replaced", || {
            let before = sleeper.begun().len();
            sleeper.signal("CONT");
            until("it is a member again", || sleeper.begun().len() > before);
        });
        instances.push(sleeper);

        // Standbys find out within some seconds which they are.
        std::thread::sleep(Duration::from_secs(6));
        let Instance { name, process } = instances.swap_remove(sealing(&instances));
        self.stands_still_at_most(TIMEOUT + ON_TOP, "the one that seals is killed", || {
            let before: Vec<_> = instances.iter().map(Instance::seals_since).collect();
            process.kill();
            until("another one seals", || instances.iter().map(Instance::seals_since).ne(before.iter().cloned()));
        });
        let successor = &instances[sealing(&instances)];
        let kept_warm = successor.process.stderr().lines().any(|line| line.contains("its stores were kept warm"));
        println!("{:<9} its successor had its state warm: {kept_warm}", self.protocol);
        // Members of the consumer protocol are in an order of which others do not know.
        assert!(kept_warm || self.protocol == "consumer", "{}", successor.process.stderr());
        self.stands_still_at_most(TIMEOUT, "it is started again", || {
            instances.push(Instance::start(&self.chain, name));
            until("it has some", || !instances.last().unwrap().begun().is_empty());
        });

        for Instance { name, process } in &mut instances {
            assert!(process.is_running(), "{name} ended by itself:\n{}", process.stderr());
        }
        let last = instances.remove(0);
        self.stands_still_at_most(TIMEOUT, "3 -> 1 instances", || instances.into_iter().for_each(Instance::terminate));
        last
    }
}

/// Ends what others do, also where a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn check(protocol: &'static str) {
    let world = World::new(protocol);
    std::thread::scope(|scope| {
        let submitting = scope.spawn(|| world.submit());
        scope.spawn(|| world.observe());
        let stop = Stop(&world.must_stop);
        let last = world.come_and_go();
        drop(stop);
        submitting.join().unwrap();
        until_sealed(&world.chain, world.submitted.load(Ordering::Relaxed));
        last.terminate();
    });
    assert_one_chain(&world.chain, world.submitted.load(Ordering::Relaxed));
}

#[test]
fn instances_of_a_classic_group_come_and_go_and_seal_each_offset_once() {
    check("classic");
}

#[test]
fn instances_of_a_group_of_the_consumer_protocol_come_and_go_and_seal_each_offset_once() {
    match test_cluster::Cluster::version() {
        (..4, _) => println!("this Kafka has no consumer protocol"),
        _ => check("consumer"),
    }
}
