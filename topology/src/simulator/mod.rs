//! A topology where everything goes wrong that can, in virtual time: instances die, stop and come back, commits are not
//! answered, brokers are behind, others take part and leave. What a seed does, it does in each run.
//!
//! ```text
//! mod         a simulation, and a run of it
//! random      chance, from a seed
//! faults      what goes wrong, and how often
//! stage       virtual time, and whose turn it is
//! instance    a machine, and the processes on it
//! beginning   what a process may use that has a topology of its own
//! log         the log as a process sees it
//! clock       the time of a machine
//! input, writer   what is written to the topics that are read, and how
//! mishaps     what happens to the whole
//! history, checks, outcome   what was committed, and what must hold of it
//! differences where it is not what is expected, in words
//! reads       what others read meanwhile
//! trace       what happened, a line for each event
//! totals      what many runs did
//! ```
//! What runs is the production code: stream threads, tasks, stores, updaters, over [`MemoryLog`] with its transactions,
//! fencing and groups. What a run shows it proves of that code, as far as the memory log does what Kafka does.
//!
//! ```
//! use topology::graph::{Builder, Store};
//! use topology::simulator::Simulation;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = Builder::new();
//! builder.sub_topology("counting").source::<str, ()>("words").count(&Store::rocksdb("counts")).sink("totals");
//! let simulation = Simulation::new(&builder.build()?, "app")
//!     .input(|random, input| {
//!         (0..40).try_for_each(|_| input.send::<str, ()>("words", random.one_of(["tea", "ink"]), (), 0))
//!     })
//!     // Whatever went wrong: what was written follows from what was read, and from nothing else.
//!     .check(|outcome| {
//!         let mut counts = std::collections::BTreeMap::new();
//!         let words = outcome.read::<str, ()>("words")?;
//!         let totals = words.into_iter().flat_map(|(word, _)| word).map(|word| {
//!             let count = counts.entry(word).or_insert(0);
//!             *count += 1;
//!             (word, *count)
//!         });
//!         outcome.expect::<str, i64>("totals", totals)
//!     });
//! for seed in 0..20 {
//!     simulation.run(seed)?; // an error says what is wrong, and all that happened before
//! }
//! # Ok(())
//! # }
//! ```
//! May use all the crate.

mod beginning;
mod checks;
mod clock;
mod differences;
mod faults;
mod history;
mod input;
mod instance;
mod log;
mod mishaps;
mod outcome;
mod random;
mod reads;
mod run;
mod stage;
#[cfg(test)]
mod tests;
mod totals;
mod trace;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use beginning::Beginning;
pub use faults::{Fault, Faults};
pub use input::Input;
pub use log::{SimulatedConsumer, SimulatedLog, SimulatedProducer};
pub use outcome::Outcome;
pub use random::Random;
pub use totals::Totals;

use crate::client::Config;
use crate::error::Result;
use crate::graph::Topology;
#[allow(unused_imports, reason = "the text above names it")]
use crate::log::memory::MemoryLog;
use run::Run;

type MakeInput = Arc<dyn Fn(&mut Random, &mut Input) -> Result<()> + Send + Sync>;
type MakeTopology = Arc<dyn Fn(&mut Beginning) -> Result<Topology> + Send + Sync>;
type MakeConfig = Arc<dyn Fn(&mut Random, Config) -> Config + Send + Sync>;
type Check = Arc<dyn Fn(&Outcome) -> Result<()> + Send + Sync>;

/// A topology with its input, and what is to be true of what it wrote. See [the module](self).
#[derive(Clone)]
pub struct Simulation {
    topology: Topology,
    make_topology: Option<MakeTopology>,
    application_id: String,
    instance_count: usize,
    faults: Faults,
    make_input: Vec<MakeInput>,
    make_config: Vec<MakeConfig>,
    checks: Vec<Check>,
    compares: bool,
    replay: String,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How much time has passed, ms of the simulation.
    pub virtual_ms: i64,
    /// How many turns were taken.
    pub turn_count: u64,
    /// How often each fault has occurred.
    pub faults: Vec<(Fault, u64)>,
    /// What happened, a line for each event: see [`Simulation::trace`].
    pub trace: Vec<String>,
}

/// A run that did what must not be. Its `Debug` writes what its `Display` does: that is what a test shows which returns
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of which run.
    pub seed: u64,
    /// What is not as it must be.
    pub what: String,
    /// All that happened, a line for each event.
    pub trace: Vec<String>,
    replay: String,
}

impl Simulation {
    /// Of a topology as this application, with two instances and all faults.
    pub fn new(topology: &Topology, application_id: &str) -> Self {
        Self {
            topology: topology.clone(),
            make_topology: None,
            application_id: application_id.to_owned(),
            instance_count: 2,
            faults: Faults::all(),
            make_input: Vec::new(),
            make_config: Vec::new(),
            checks: Vec::new(),
            compares: false,
            replay: "call Simulation::trace with this seed".to_owned(),
        }
    }

    /// With so many instances, at least one.
    pub fn instances(self, count: usize) -> Self {
        Self { instance_count: count.max(1), ..self }
    }

    /// Each process has a topology that is made for it, of the same graph: for processors that share something beside
    /// the engine, which goes with the process, or that ask the log themselves.
    pub fn each_process(self, make: impl Fn(&mut Beginning) -> Result<Topology> + Send + Sync + 'static) -> Self {
        Self { make_topology: Some(Arc::new(make)), ..self }
    }

    /// With these faults.
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// With what this writes. It may choose; what it chooses must follow from the numbers that it is given.
    pub fn input(mut self, make: impl Fn(&mut Random, &mut Input) -> Result<()> + Send + Sync + 'static) -> Self {
        self.make_input.push(Arc::new(make));
        self
    }

    /// With settings of your own. `make` takes the ones that the simulation has chosen: commit intervals, timeouts,
    /// sizes of batches differ from seed to seed.
    pub fn config(mut self, make: impl Fn(&mut Random, Config) -> Config + Send + Sync + 'static) -> Self {
        self.make_config.push(Arc::new(make));
        self
    }

    /// What must hold of what was committed once all input is processed: an error fails the run, and so does a panic,
    /// as of an assertion. That each input is processed at all, that stores are what their changelogs say, and that one
    /// task at a time writes a changelog is looked after unasked.
    pub fn check(mut self, check: impl Fn(&Outcome) -> Result<()> + Send + Sync + 'static) -> Self {
        self.checks.push(Arc::new(check));
        self
    }

    /// What was written to topics, by key, is what one instance writes to which nothing happens, if it is given the
    /// same input at once. For topologies whose output follows from the order of each partition's records, and not from
    /// what else there was at the time.
    pub fn same_as_undisturbed(self) -> Self {
        Self { compares: true, ..self }
    }

    /// What a failure says that one should do to see it again; `{seed}` stands for the seed.
    pub fn replayed_by(self, command: &str) -> Self {
        Self { replay: command.to_owned(), ..self }
    }

    /// Runs it. An error where something is not as it must be: then it was run twice, for the trace.
    pub fn run(&self, seed: u64) -> Result<Report, Failure> {
        self.run_once(seed, false).map_err(|failure| self.run_once(seed, true).err().unwrap_or(failure))
    }

    /// Runs it, and keeps what happens, line by line: when, in ms of the simulation; which instance, and in which of
    /// its lives; what.
    pub fn trace(&self, seed: u64) -> Result<Report, Failure> {
        self.run_once(seed, true)
    }

    fn run_once(&self, seed: u64, is_traced: bool) -> Result<Report, Failure> {
        let failure = |(what, trace)| {
            let replay = self.replay.replace("{seed}", &seed.to_string());
            Failure { seed, what, trace, replay }
        };
        let (report, outcome) = Run::new(self, seed, is_traced).play().map_err(failure)?;
        if self.compares {
            let undisturbed = self.undisturbed(&outcome);
            let (_, expected) = Run::new(&undisturbed, seed, false).play().map_err(failure)?;
            // What was processed is deleted from topics between two stages.
            let between = self.topology.repartition_topics(&self.application_id);
            let sinks = self.topology.sink_topics();
            let sinks = sinks.iter().map(|topic| topic.name()).filter(|name| !between.iter().any(|at| at == name));
            let same = outcome.expect_same(&expected, sinks);
            same.map_err(|error| failure((format!("otherwise than undisturbed: {error}"), report.trace.clone())))?;
        }
        Ok(report)
    }

    /// One instance, to which nothing happens, with what was committed as its input.
    fn undisturbed(&self, outcome: &Outcome) -> Self {
        let sinks: Vec<_> = self.topology.sink_topics().into_iter().map(|topic| topic.name()).collect();
        let between = self.topology.repartition_topics(&self.application_id);
        let inputs = outcome.inputs.iter().map(String::as_str);
        let given = inputs.filter(|name| !sinks.contains(name) && !between.iter().any(|at| at == name));
        let mut input =
            Input::of(given.flat_map(|name| outcome.records(name).iter().map(move |record| (name, record))));
        input.all_there_first();
        let make: MakeInput = Arc::new(move |_, made| {
            *made = input.clone();
            Ok(())
        });
        let (make_input, checks, faults) = (vec![make], Vec::new(), Faults::none());
        Self { instance_count: 1, faults, make_input, checks, compares: false, ..self.clone() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many of the last lines are shown.
        const LINES: usize = 150;
        let Self { seed, what, trace, replay } = self;
        writeln!(f, "seed {seed}: {what}")?;
        let left_out = trace.len().saturating_sub(LINES);
        if left_out > 0 {
            writeln!(f, "  ... {left_out} lines before")?;
        }
        trace.iter().skip(left_out).try_for_each(|line| writeln!(f, "  {line}"))?;
        write!(f, "to see it again: {replay}")
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
