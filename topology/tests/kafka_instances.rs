//! Several instances of one application on a real broker, as processes: they come, go, are killed, and stop and go on
//! behind their session's end, while records come. Each record is counted once, and each count is its predecessor's
//! successor: whatever two instances do at the same time, one of them writes.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in other processes.
#![allow(clippy::disallowed_methods)]

mod counting;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use counting::{Topics, assert_exact, producer, read, spec, transact};
use test_cluster::{Cluster, unique};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Producer, ProducerRecord, Start, TopicPartition,
    TopicSpec,
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longer than the session of a member, whatever the group protocol.
const BEYOND_THE_SESSION: Duration = Duration::from_secs(14);
/// No task that stays may pause for longer: less than a session or a transaction lasts. In a classic group all stand
/// still until each member has answered, which takes a second and more where other tests run meanwhile.
const STAYING_PAUSE_MAX: Duration = Duration::from_secs(5);

/// An application, its topics, and where its instances have their state.
struct World {
    topics: Topics,
    log: KafkaLog,
    brokers: String,
    partition_count: i32,
    directory: tempfile::TempDir,
    options: Vec<&'static str>,
}

/// A process.
struct Instance {
    child: Child,
    name: String,
}

impl World {
    fn new(cluster: &Cluster, partition_count: i32, options: &[&'static str]) -> Self {
        let topics = Topics::new(unique("instances"));
        let log = KafkaLog::new(Options::new(cluster.brokers())).unwrap();
        let input = TopicSpec { partition_count, ..spec(&topics.input) };
        log.create_topics(&[input, spec(&topics.output)]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        Self {
            topics,
            log,
            brokers: cluster.brokers().to_owned(),
            partition_count,
            directory,
            options: options.to_vec(),
        }
    }

    fn start(&self, name: &str) -> Instance {
        let test = std::env::current_exe().unwrap();
        let example = test.parent().and_then(Path::parent).unwrap().join("examples/count");
        assert!(example.exists(), "{} is not built: cargo build --release --examples", example.display());
        let stderr = File::options().append(true).create(true).open(self.log_file(name)).unwrap();
        let mut command = Command::new(example);
        command.args(["--brokers", &self.brokers, "--app-id", &self.topics.application]);
        command.args(["--in", &self.topics.input, "--out", &self.topics.output, "--state-dir"]);
        command.arg(self.directory.path().join(name)).args(&self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).env("NO_COLOR", "1");
        Instance { child: command.spawn().unwrap(), name: name.to_owned() }
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    /// The partitions whose tasks an instance has begun to run, one after the other.
    fn begun_by(&self, name: &str) -> Vec<i32> {
        let text = std::fs::read_to_string(self.log_file(name)).unwrap_or_default();
        let begun = text.lines().filter_map(|line| line.split_once(" running task=counting_"));
        begun.map(|(_, rest)| rest.split_once(' ').unwrap().0.parse().unwrap()).collect()
    }

    fn tasks_begun(&self, instance: &Instance) -> usize {
        self.begun_by(&instance.name).len()
    }

    /// The same of all instances.
    fn begun(&self) -> BTreeMap<&'static str, Vec<i32>> {
        ["a", "b", "c"].map(|name| (name, self.begun_by(name))).into()
    }
}

impl Instance {
    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "{}: {signal}", self.name);
    }

    fn assert_alive(&mut self, world: &World) {
        let ended = self.child.try_wait().unwrap();
        let said = std::fs::read_to_string(world.log_file(&self.name)).unwrap();
        assert!(ended.is_none(), "{} ended by itself: {ended:?}\n{said}", self.name);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes to all partitions, in transactions that follow each other, until it is told to stop.
fn feed(world: &World, must_stop: &AtomicBool, fed: &AtomicUsize) {
    let mut producer = producer(&world.log, &format!("{}-input", world.topics.application));
    while !must_stop.load(Ordering::Relaxed) {
        transact(&mut producer, |producer| {
            for partition in 0..world.partition_count {
                let key = format!("key-{partition}");
                let record = ProducerRecord {
                    topic: &world.topics.input,
                    partition: Some(partition),
                    timestamp_ms: 1_000,
                    key: Some(key.as_bytes()),
                    value: Some(b"x"),
                    headers: &[],
                };
                producer.send(&record).unwrap();
            }
        });
        fed.fetch_add(world.partition_count as usize, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// When each task's commits could be read: in its partition of the changelog, where it alone writes. Behind an output
/// that tasks share, readers wait for the transactions of those that died as well.
type Seen = Mutex<BTreeMap<i32, Vec<Instant>>>;

fn observe(world: &World, must_stop: &AtomicBool, seen: &Seen) {
    let options = ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "observer".into(),
        batch_records: 100,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    let changelog = format!("{}-counts-changelog", world.topics.application);
    let is_there = || world.log.describe_topic(&changelog).unwrap().is_some();
    until("there is a changelog", PATIENCE, || is_there() || must_stop.load(Ordering::Relaxed));
    let mut consumer = world.log.consumer(&options).unwrap();
    let partitions =
        (0..world.partition_count).map(|number| (TopicPartition::new(&*changelog, number), Start::Beginning));
    consumer.assign(&partitions.collect::<Vec<_>>()).unwrap();
    while !must_stop.load(Ordering::Relaxed) {
        let mut note = |event: Event<'_>| {
            if let Event::Records { partition, .. } = event {
                seen.lock().unwrap().entry(partition.partition).or_default().push(Instant::now());
            }
        };
        consumer.poll(Duration::from_millis(20), &mut note).unwrap();
    }
}

/// What happens between two moments.
struct Interval<'w> {
    world: &'w World,
    from: Instant,
    begun: BTreeMap<&'static str, Vec<i32>>,
}

impl<'w> Interval<'w> {
    fn begin(world: &'w World) -> Self {
        Self { world, from: Instant::now(), begun: world.begun() }
    }

    /// Waits until nothing moves any more, and prints the longest time in which nothing of each partition came, those
    /// that moved apart. Those that stayed must have gone on.
    fn end(&self, what: &str, event: &str, seen: &Seen) {
        let count = || self.world.begun().values().map(Vec::len).sum::<usize>();
        let goes_on =
            |since: Instant| seen.lock().unwrap().values().all(|times| times.last().is_some_and(|last| *last > since));
        until("all is at rest", PATIENCE, || {
            let (before, since) = (count(), Instant::now());
            std::thread::sleep(Duration::from_secs(2));
            count() == before && goes_on(since)
        });
        let now = Instant::now();
        let before = |name: &str| self.begun.get(name).map_or(0, Vec::len);
        let moved: BTreeSet<i32> =
            self.world.begun().iter().flat_map(|(name, begun)| begun[before(name)..].to_vec()).collect();
        let gap = |times: &Vec<Instant>| {
            let last = times.iter().rev().find(|at| **at <= self.from).copied();
            let after = times.iter().copied().filter(|at| *at > self.from).chain([now]);
            let all: Vec<Instant> = last.into_iter().chain(after).collect();
            all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
        };
        let gaps: BTreeMap<i32, Duration> =
            seen.lock().unwrap().iter().map(|(partition, times)| (*partition, gap(times))).collect();
        let of = |wanted: bool| -> Vec<Duration> {
            let those = gaps.iter().filter(|(partition, _)| moved.contains(partition) == wanted);
            those.map(|(_, gap)| *gap).collect()
        };
        let (moved, stayed) = (of(true), of(false));
        let ms = |gaps: &[Duration]| gaps.iter().map(Duration::as_millis).collect::<Vec<_>>();
        println!("{what:<30} {event:<30} longest pauses, ms: moved {:?}, stayed {:?}", ms(&moved), ms(&stayed));
        assert!(stayed.iter().all(|gap| *gap < STAYING_PAUSE_MAX), "{what}, {event}: a task that stayed stood still");
    }
}

fn until(what: &str, limit: Duration, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < limit, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process stands still for longer than its session, so that others get its tasks, and goes on as if it still had
/// them.
fn stop_beyond_its_session(world: &World, zombie: &Instance, begun_by_others: impl Fn() -> usize) {
    let (from, before) = (Instant::now(), begun_by_others());
    zombie.signal("-STOP");
    until("others have its tasks", PATIENCE, || begun_by_others() > before);
    std::thread::sleep(BEYOND_THE_SESSION.saturating_sub(from.elapsed()));
    zombie.signal("-CONT");
    let before = world.tasks_begun(zombie);
    until("the zombie is a member again", PATIENCE, || world.tasks_begun(zombie) > before);
}

/// One instance, then three, one killed, one stopped beyond its session and continued, and one again.
fn come_and_go(world: &World, what: &str) {
    let (must_stop, fed, seen) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::default());
    let mut last = std::thread::scope(|scope| {
        scope.spawn(|| feed(world, &must_stop, &fed));
        scope.spawn(|| observe(world, &must_stop, &seen));
        // Ends the two also where this fails.
        let stop = Stop(&must_stop);
        let mut a = world.start("a");
        until("a counts all partitions", PATIENCE, || seen.lock().unwrap().len() == world.partition_count as usize);

        let interval = Interval::begin(world);
        let mut b = world.start("b");
        until("b has some", PATIENCE, || world.tasks_begun(&b) >= 2);
        let mut c = world.start("c");
        until("c has some", PATIENCE, || world.tasks_begun(&c) >= 1);
        interval.end(what, "1 -> 3 instances", &seen);

        let interval = Interval::begin(world);
        let before = world.tasks_begun(&a) + world.tasks_begun(&b);
        c.signal("-KILL");
        c.child.wait().unwrap();
        until("others have its tasks", PATIENCE, || world.tasks_begun(&a) + world.tasks_begun(&b) > before);
        interval.end(what, "one killed with -9", &seen);
        let mut c = world.start("c");
        let before = world.tasks_begun(&c);
        until("it is back", PATIENCE, || world.tasks_begun(&c) > before);

        let interval = Interval::begin(world);
        stop_beyond_its_session(world, &b, || world.tasks_begun(&a) + world.tasks_begun(&c));
        interval.end(what, "one stopped beyond its session", &seen);
        for instance in [&mut a, &mut b, &mut c] {
            instance.assert_alive(world);
        }

        let interval = Interval::begin(world);
        let before = world.tasks_begun(&a);
        // The example has no handler for it, and leaves no group.
        b.signal("-TERM");
        c.signal("-TERM");
        until("one has all", PATIENCE, || world.tasks_begun(&a) > before);
        interval.end(what, "3 -> 1, without leaving", &seen);
        a.assert_alive(world);
        drop(stop);
        a
    });
    let fed = fed.load(Ordering::Relaxed);
    until("all is counted", PATIENCE, || read(&world.log, &world.topics.output).len() >= fed);
    assert_exact(&world.log, &world.topics, fed);
    last.assert_alive(world);
    last.signal("-TERM");
    last.child.wait().unwrap();
    let inputs: Vec<TopicPartition> =
        (0..world.partition_count).map(|partition| TopicPartition::new(&*world.topics.input, partition)).collect();
    let committed = world.log.committed(&world.topics.application, &inputs).unwrap();
    for (input, committed) in inputs.iter().zip(committed) {
        let end = world.log.watermarks(input, Isolation::ReadCommitted).unwrap().high;
        // Only the mark behind the last transaction may lie between.
        assert!(end - committed.unwrap().offset <= 1, "{input}");
    }
}

/// Ends what others do.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn instances_of_a_classic_group_come_and_go_and_each_record_is_counted_once() {
    come_and_go(&World::new(Cluster::shared(), 4, &[]), "classic");
}

#[test]
fn so_they_do_with_standbys_and_two_threads_each() {
    come_and_go(
        &World::new(Cluster::shared(), 8, &["--standbys", "1", "--threads", "2"]),
        "classic, 2 threads, 1 standby",
    );
}

#[test]
fn instances_of_a_group_of_the_consumer_protocol_come_and_go_and_each_record_is_counted_once() {
    if Cluster::version() < (4, 0) {
        println!("this Kafka has no consumer protocol");
        return;
    }
    come_and_go(&World::new(Cluster::shared(), 4, &["--group-protocol", "consumer"]), "consumer");
}
