//! How long tasks stand still when instances of an application come and go.
//!
//! Three instances of the count share the partitions, each with its part of a state of a million keys; records go on
//! coming. How far a partition is, the offset says that its group has committed, which is asked for all the time:
//!
//! ```text
//!   one is killed          its partitions go to others that never had them
//!   a new one joins        it has nothing yet, and gets some
//!   that one leaves        they go back to one that had them
//! ```
//! Between two commits of a partition that is not disturbed lies a commit interval, 100 ms.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use topology::log::Log;
use topology::log::kafka::{self, KafkaLog};

use crate::cluster::Cluster;
use crate::error::{Doing, Error, Result};
use crate::input::{Generator, VALUE_BYTES, key};
use crate::process::{Directory, Process, now};
use crate::report::Spread;
use crate::subject::{Run, Shape, engine};

const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Long enough for the group to come to rest, and for standbys to find out what they are and to catch up.
const REST: Duration = Duration::from_secs(12);
const STUCK_AFTER: Duration = Duration::from_secs(90);
/// Commits after which a partition goes on again.
const GOES_ON: usize = 5;
const RECORDS_PER_S: u64 = 2_000;

/// Lets instances come and go, and looks for how long their tasks stand still
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Different keys, which are the state
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// Partitions of the input
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(3..=100))]
    partitions: i32,
    /// How often each case is measured
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Group protocols
    #[arg(long, value_delimiter = ',', default_values = ["classic", "consumer"], value_parser = ["classic", "consumer"])]
    protocols: Vec<String>,
    /// On how many other instances stores are kept warm
    #[arg(long, value_delimiter = ',', default_values = ["0", "1"])]
    standbys: Vec<usize>,
}

/// A row of the table.
type Case = (String, usize, &'static str);

/// For how long partitions stood still, ms, in all rounds.
#[derive(Debug, Default)]
struct Pauses {
    stayed: Vec<f64>,
    moved: Vec<f64>,
}

/// Measures, and prints a table.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cluster = Cluster::start()?;
    let mut pauses: BTreeMap<Case, Pauses> = BTreeMap::new();
    for round in 1..=arguments.rounds {
        for protocol in &arguments.protocols {
            for standbys in &arguments.standbys {
                eprintln!("round {round}: {protocol}, {standbys} standbys");
                let group = Group::new(&cluster, arguments, protocol, *standbys)?;
                for (event, measured) in group.measure()? {
                    let all = pauses.entry((protocol.clone(), *standbys, event)).or_default();
                    all.stayed.extend(measured.stayed);
                    all.moved.extend(measured.moved);
                }
            }
        }
    }
    println!(
        "{:<9} {:>8}  {:<16} {:>24} {:>24}",
        "protocol", "standbys", "event", "tasks that stay, ms", "that move, ms"
    );
    for ((protocol, standbys, event), Pauses { stayed, moved }) in &pauses {
        println!("{protocol:<9} {standbys:>8}  {event:<16} {:>24} {:>24}", spread(stayed), spread(moved));
    }
    Ok(())
}

fn spread(values: &[f64]) -> String {
    let shown = |spread: Spread| format!("{:.0} [{:.0}..{:.0}]", spread.median, spread.least, spread.greatest);
    Spread::of(values.iter().copied()).map_or_else(|| "-".to_owned(), shown)
}

/// An application and its instances.
struct Group<'a> {
    cluster: &'a Cluster,
    arguments: &'a Arguments,
    options: Vec<String>,
    run: Run,
    log: KafkaLog,
    directory: Directory,
    must_stop: AtomicBool,
    /// When each partition's commits were seen.
    commits: Mutex<Vec<Vec<Instant>>>,
}

impl<'a> Group<'a> {
    fn new(cluster: &'a Cluster, arguments: &'a Arguments, protocol: &str, standbys: usize) -> Result<Self> {
        let application = test_cluster::unique("bench-rebalance");
        let run = Run {
            brokers: cluster.brokers.clone(),
            input: format!("{application}-input"),
            output: format!("{application}-output"),
            state_directory: PathBuf::new(),
            commit_interval_ms: 100,
            compression: "none".to_owned(),
            changelog_per_mille: 0,
            application,
        };
        cluster.create_topic(&run.input, arguments.partitions)?;
        cluster.create_topic(&run.output, arguments.partitions)?;
        let mut options = vec!["--standbys".to_owned(), standbys.to_string()];
        options.extend((protocol == "consumer").then(|| "--consumer-protocol".to_owned()));
        let log = KafkaLog::new(kafka::Options::new(&cluster.brokers)).doing("connecting")?;
        let commits = Mutex::new(vec![Vec::new(); arguments.partitions as usize]);
        let (directory, must_stop) = (Directory::new(None)?, AtomicBool::new(false));
        Ok(Self { cluster, arguments, options, run, log, directory, must_stop, commits })
    }

    fn start(&self, name: &str) -> Result<Process> {
        let subject = engine(Shape { partitions: self.arguments.partitions, ..Shape::PLAIN });
        let run = Run { state_directory: self.directory.path().join(name), ..self.run.clone() };
        let mut command = subject.command(&run, None)?;
        command.args(&self.options);
        Process::start(command, subject.ending(), &self.directory.path().join(format!("{name}.log")))
    }

    fn measure(&self) -> Result<Vec<(&'static str, Pauses)>> {
        self.fill()?;
        std::thread::scope(|scope| {
            let stop = Stop(&self.must_stop);
            let writing = scope.spawn(|| self.write());
            let watching = scope.spawn(|| self.watch());
            let measured = self.come_and_go();
            drop(stop);
            for thread in [writing, watching] {
                thread.join().unwrap_or_else(|_| Err(Error::new("a thread of the driver panicked")))?;
            }
            measured
        })
    }

    /// One record of each key.
    fn fill(&self) -> Result<()> {
        let writer = self.cluster.writer(&self.run.input, 50)?;
        (0..self.arguments.keys).try_for_each(|number| writer.send(&key(number), &[0; VALUE_BYTES]))?;
        writer.finish()
    }

    /// Goes on with records of all partitions.
    fn write(&self) -> Result<()> {
        let writer = self.cluster.writer(&self.run.input, 1)?;
        let mut generator = Generator::new(42, self.arguments.keys);
        while !self.must_stop.load(Ordering::Relaxed) {
            for _ in 0..RECORDS_PER_S / 100 {
                writer.send(&key(generator.key_number()), &[0; VALUE_BYTES])?;
            }
            writer.serve();
            std::thread::sleep(Duration::from_millis(10));
        }
        writer.finish()
    }

    /// Notes when partitions are committed.
    fn watch(&self) -> Result<()> {
        let observer = self.cluster.observer(&self.run.application)?;
        let mut before = vec![0; self.arguments.partitions as usize];
        while !self.must_stop.load(Ordering::Relaxed) {
            // A question that is not answered is asked again.
            if let Ok(committed) = observer.committed(&self.run.input, self.arguments.partitions) {
                let (at, mut commits) = (now(), self.commits());
                for (partition, offset) in committed.into_iter().enumerate() {
                    if offset > before[partition] {
                        before[partition] = offset;
                        commits[partition].push(at);
                    }
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn commits(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Instant>>> {
        self.commits.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn come_and_go(&self) -> Result<Vec<(&'static str, Pauses)>> {
        let a = self.start("a")?;
        self.until_shared(1)?;
        let b = self.start("b")?;
        self.until_shared(2)?;
        let c = self.start("c")?;
        self.until_shared(3)?;
        self.until_counted()?;
        std::thread::sleep(REST);
        let killed = self.event(2, || {
            drop(c);
            Ok(())
        })?;
        std::thread::sleep(REST);
        let mut d = None;
        let joined = self.event(3, || {
            d = Some(self.start("d")?);
            Ok(())
        })?;
        std::thread::sleep(REST);
        let left = self.event(2, || d.map_or(Ok(()), Process::end))?;
        for process in [b, a] {
            process.end()?;
        }
        Ok(vec![("1 one is killed", killed), ("2 one joins", joined), ("3 one leaves", left)])
    }

    /// Who has which partition of the input.
    fn owners(&self) -> BTreeMap<i32, String> {
        let members = self.log.describe_group(&self.run.application).unwrap_or_default();
        let of = |member: topology::log::GroupMember| {
            let input = member.partitions.into_iter().filter(|partition| partition.topic == self.run.input);
            input.map(|partition| (partition.partition, member.id.clone())).collect::<Vec<_>>()
        };
        members.into_iter().flat_map(of).collect()
    }

    fn is_shared(&self, by: usize) -> bool {
        let owners = self.owners();
        let members: std::collections::BTreeSet<&String> = owners.values().collect();
        owners.len() == self.arguments.partitions as usize && members.len() == by
    }

    /// Waits until so many members have all partitions, and each goes on.
    fn until_shared(&self, by: usize) -> Result<()> {
        until("the partitions are shared", || self.is_shared(by))?;
        let before: Vec<usize> = self.commits().iter().map(Vec::len).collect();
        until("all partitions go on", || {
            self.commits().iter().zip(&before).all(|(commits, before)| commits.len() >= before + GOES_ON)
        })
    }

    /// Waits until what came so far is counted, so that no member has more to do than what comes.
    fn until_counted(&self) -> Result<()> {
        let observer = self.cluster.observer(&self.run.application)?;
        let input = &self.run.input;
        let end = observer.end(input, self.arguments.partitions)?.unwrap_or(0);
        until("all is counted", || {
            observer.committed(input, self.arguments.partitions).is_ok_and(|offsets| offsets.iter().sum::<u64>() >= end)
        })
    }

    /// Does something, waits until so many members share all partitions again, and looks for how long each stood still.
    fn event(&self, members: usize, act: impl FnOnce() -> Result<()>) -> Result<Pauses> {
        let (owners, from) = (self.owners(), now());
        act()?;
        self.until_shared(members)?;
        let after = self.owners();
        let mut pauses = Pauses::default();
        for (partition, times) in self.commits().iter().enumerate() {
            let last = times.iter().rev().find(|at| **at <= from).copied();
            let all: Vec<Instant> = last.into_iter().chain(times.iter().copied().filter(|at| *at > from)).collect();
            let longest = all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default().as_secs_f64() * 1e3;
            let partition = partition as i32;
            match owners.get(&partition) == after.get(&partition) {
                true => pauses.stayed.push(longest),
                false => pauses.moved.push(longest),
            }
        }
        Ok(pauses)
    }
}

fn until(what: &str, happened: impl Fn() -> bool) -> Result<()> {
    let begun = now();
    while !happened() {
        if begun.elapsed() > STUCK_AFTER {
            return Err(Error::new(format!("never: {what}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Ends what other threads do, also after an error.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
