//! A run, from the first record to the last check.
//!
//! ```text
//!   wild     input is written, faults occur           until all of it is written, and a while has passed
//!   calm     no more faults: all instances run        until all input is processed
//!   closing  they stop, one after the other           then it is looked what is left
//! ```

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use super::checks::Application;
use super::faults::Rates;
use super::history::History;
use super::input::Input;
use super::instance::{Blueprint, Instance};
use super::mishaps::{Mishaps, Phase};
use super::stage::{Parts, Stage};
use super::trace::Trace;
use super::writer::Writer;
use super::{Outcome, Random, Report, Simulation};
use crate::client::{Config, prepare_topics, resolve_topics};
use crate::clock::{Clock, ManualClock};
use crate::graph::Topology;
use crate::log::memory::MemoryLog;
use crate::log::{GroupMember, GroupProtocol, Isolation, Log, TopicPartition, TopicSpec};
use crate::store::StoreOptions;
use crate::stream_thread::Panic;

/// A run of a simulation.
pub(super) struct Run<'s> {
    simulation: &'s Simulation,
    random: Random,
    is_traced: bool,
}

/// What is wrong.
type Wrong = String;

/// When a simulation begins, ms since 1970.
const BEGIN_MS: i64 = 1_700_000_000_000;
/// How long instances may take to process all input once nothing goes wrong any more.
const CALM_MAX_MS: i64 = 120_000;

/// The topics of a run.
struct Topics {
    /// To which the input is written.
    inputs: BTreeSet<String>,
    sources: Vec<TopicPartition>,
    changelogs: Vec<TopicPartition>,
    /// What the topology writes.
    written: Vec<TopicPartition>,
    /// The same and its dead letters, some of which may not be there yet.
    named: Vec<String>,
    all: Vec<TopicPartition>,
}

impl<'s> Run<'s> {
    pub(super) fn new(simulation: &'s Simulation, seed: u64, is_traced: bool) -> Self {
        Self { simulation, random: Random::new(seed), is_traced }
    }

    /// Plays it. An error: what is wrong, and the trace.
    pub(super) fn play(mut self) -> Result<(Report, Outcome), (Wrong, Vec<String>)> {
        let (stage, topics) = self.set().map_err(|wrong| (wrong, Vec::new()))?;
        let stage = Rc::new(stage);
        let played = stage.play(|stage| {
            stage.trace.listen(|| {
                let played = self.play_on(stage, &topics).and_then(|()| self.look(stage, &topics));
                played.inspect_err(|wrong| stage.note(None, || format!("FAILED: {wrong}")))
            })
        });
        let (virtual_ms, turn_count, faults) = (stage.now_ms(), stage.turn_count(), stage.counts());
        let trace = Rc::into_inner(stage).map(|stage| stage.trace.into_lines()).unwrap_or_default();
        match played {
            Ok(outcome) => Ok((Report { virtual_ms, turn_count, faults, trace }, outcome)),
            Err(wrong) => Err((wrong, trace)),
        }
    }

    /// Sets the stage: topics, input, machines.
    fn set(&mut self) -> Result<(Stage, Topics), Wrong> {
        let Simulation { topology, instance_count, .. } = self.simulation;
        let time = ManualClock::new(BEGIN_MS);
        let of_log = time.clone();
        let log = MemoryLog::stepped(Arc::new(move || of_log.now_ms()));
        let mut input = Input::default();
        for make in &self.simulation.make_input {
            let made = guarded("the input's function", || make(&mut self.random, &mut input))?;
            made.map_err(|error| format!("the input cannot be made: {error}"))?;
        }
        input.check(topology, &self.simulation.application_id)?;
        let (config, store_options) = guarded("the settings' function", || self.choose())?;
        let topics = make_topics(topology, (&log, &time), &config, &input)?;
        let is_there_first = input.is_there_first;
        let unfit = |error: crate::log::Error| format!("the input cannot be written: {error}");
        let mut writer = Writer::new(&log, input).map_err(unfit)?;
        if is_there_first {
            writer.write_all(&mut self.random).map_err(unfit)?;
        }
        let (topology, make_topology) = (topology.clone(), self.simulation.make_topology.clone());
        let blueprint = Blueprint { topology, make_topology, config, store_options };
        let instances: Vec<Instance> =
            (0..*instance_count).map(|index| Instance::new(index, blueprint.clone())).collect();
        let start_at_ms = (0..*instance_count).map(|index| match index {
            0 => 0,
            _ => self.random.within(0..2_000),
        });
        let start_at_ms = start_at_ms.collect();
        let names = |partitions: &[TopicPartition]| {
            let mut names: Vec<String> = partitions.iter().map(|partition| partition.topic.clone()).collect();
            names.dedup();
            names
        };
        let mishaps = Mishaps::new(start_at_ms, names(&topics.all), names(&topics.changelogs));
        let history = History::new(&topics.all, Isolation::ReadCommitted);
        let random = self.random.fork();
        let trace = Trace::new(self.is_traced);
        Ok((Stage::new(Parts { log, time, trace, instances, writer, mishaps, history, random }), topics))
    }

    /// Settings, which differ from seed to seed.
    fn choose(&mut self) -> (Config, StoreOptions) {
        let random = &mut self.random;
        let mut config = Config {
            thread_count: random.one_of([1, 1, 2]),
            commit_interval_ms: random.one_of([0, 20, 50, 100]),
            batch_records: random.one_of([1, 3, 10, 50]),
            session_timeout_ms: random.one_of([1_500, 4_000]),
            transaction_timeout_ms: random.one_of([2_000, 5_000]),
            uncommitted_max_bytes: random.one_of([200, 64 << 20]),
            standby_replicas: random.one_of([0, 0, 1, 2]),
            repartition_purge_interval_ms: random.one_of([100, 1_000, 30_000]),
            group_protocol: random.one_of([GroupProtocol::Classic, GroupProtocol::Consumer]),
            ..Config::new(&self.simulation.application_id)
        };
        for make in &self.simulation.make_config {
            config = make(random, config);
        }
        let store_options = StoreOptions {
            memory_bytes: random.one_of([16 << 10, 256 << 10]),
            flush_bytes: random.one_of([200, 5_000]),
            flush_interval_ms: random.one_of([200, 2_000]),
        };
        (config, store_options)
    }

    fn play_on(&mut self, stage: &Stage, topics: &Topics) -> Result<(), Wrong> {
        stage.rates.replace(self.simulation.faults.rates(&mut self.random));
        stage.wake_all_others();
        let wild_ms = self.random.within(1_000..5_000);
        while stage.now_ms() < wild_ms || !stage.writer.borrow().is_done() {
            stage.play_until(stage.now_ms() + 100);
            stage.failure()?;
        }
        stage.note(None, || "nothing goes wrong any more".to_owned());
        stage.trace.excuse();
        stage.rates.replace(Rates::none());
        stage.hidden.borrow_mut().clear();
        stage.mishaps.borrow_mut().set_phase(Phase::Calm);
        let give_up_ms = stage.now_ms() + CALM_MAX_MS;
        let application = self.application();
        while let Some(missing) = application.missing(&stage.log, &topics.sources, &topics.all)? {
            if stage.now_ms() > give_up_ms {
                note_group(stage, &self.simulation.application_id);
                let complaint = stage.trace.complaint();
                return Err(format!("{CALM_MAX_MS} ms after the last fault: {missing}{complaint}"));
            }
            stage.play_until(stage.now_ms() + 100);
            stage.failure()?;
        }
        stage.note(None, || "all input is processed".to_owned());
        stage.mishaps.borrow_mut().set_phase(Phase::Closing);
        for instance in &stage.instances {
            instance.bury_zombie(stage);
            instance.stop(stage);
            stage.failure()?;
        }
        Ok(())
    }

    /// Looks what is left.
    fn look(&self, stage: &Stage, topics: &Topics) -> Result<Outcome, Wrong> {
        let application = self.application();
        if let Some(missing) = application.missing(&stage.log, &topics.sources, &topics.all)? {
            return Err(format!("after all instances have stopped: {missing}"));
        }
        let mut history = stage.history.replace(History::new(&[], Isolation::ReadCommitted));
        history.read_on(&stage.log).map_err(|error| error.to_string())?;
        // At least once: a task that another member has by now may still write its changelog, and says nothing false by
        // it. That must only be such that it can be read.
        application.check_beginnings(&history, &topics.changelogs)?;
        if stage.instances.iter().all(Instance::is_exactly_once) {
            application.check_changelogs(&history, &topics.changelogs)?;
            for disk in stage.instances.iter().flat_map(Instance::disks) {
                application.check_disk(&history, &disk)?;
            }
        }
        let mut written = History::new(&topics.written, Isolation::ReadUncommitted);
        written.read_on(&stage.log).map_err(|error| error.to_string())?;
        let application_id = self.simulation.application_id.clone();
        let mut all = history.into_topics();
        // Known and empty are those too that are made when something is written to them.
        for name in &topics.named {
            all.entry(name.clone()).or_default();
        }
        let (inputs, written) = (topics.inputs.clone(), written.into_topics());
        let outcome = Outcome { application_id, inputs, topics: all, written };
        for check in &self.simulation.checks {
            guarded("a check", || check(&outcome))?.map_err(|error| error.to_string())?;
        }
        Ok(outcome)
    }

    fn application(&self) -> Application<'_> {
        Application { id: &self.simulation.application_id }
    }
}

/// Calls what belongs to the user of a simulation. Where it panics, as a failed assertion does, that is what is wrong
/// with the run: so it is told with its seed and its trace.
fn guarded<T>(whose: &str, call: impl FnOnce() -> T) -> Result<T, Wrong> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| format!("{whose} panicked: {}", Panic::text(&*panic)))
}

/// Who has what, where something is not done.
fn note_group(stage: &Stage, group: &str) {
    let members = stage.log.describe_group(group).unwrap_or_default();
    for GroupMember { id, instance_id, partitions, .. } in members {
        let partitions = partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(", ");
        let instance_id = instance_id.unwrap_or_default();
        stage.note(None, || format!("in the group: {instance_id} as {id} with {partitions}"));
    }
}

/// Makes all topics, as the first start of an instance does.
fn make_topics(
    topology: &Topology,
    (log, time): (&MemoryLog, &ManualClock),
    config: &Config,
    input: &Input,
) -> Result<Topics, Wrong> {
    let text = |error: crate::Error| error.to_string();
    // Those that must be there before, and those that patterns match.
    let inputs = input.topics();
    let mut given: Vec<String> = inputs.iter().cloned().collect();
    let asked = topology.source_topics();
    given.retain(|name| asked.iter().all(|topic| topic.name() != name || !topic.may_create()));
    let count = |name: &str| asked.iter().find(|topic| topic.name() == name).and_then(|topic| topic.partition_count());
    let spec = |name: &String| {
        let partition_count = count(name).unwrap_or(1);
        TopicSpec { name: name.clone(), partition_count, replication_factor: None, config: Vec::new() }
    };
    let specs: Vec<TopicSpec> = given.iter().map(spec).collect();
    log.create_topics(&specs).map_err(|error| error.to_string())?;
    let topology = resolve_topics(topology, (log, time), &config.application_id, &|| false).map_err(text)?;
    prepare_topics(&topology, (log, time), config, &|| false).map_err(text)?;

    let describe = |name: &str| match log.describe_topic(name) {
        Ok(Some(found)) => Ok((name.to_owned(), found.partition_count)),
        Ok(None) => Err(format!("there is no topic '{name}'")),
        Err(error) => Err(error.to_string()),
    };
    let partitions = |names: &mut dyn Iterator<Item = String>| -> Result<Vec<TopicPartition>, Wrong> {
        let described = names.map(|name| describe(&name)).collect::<Result<Vec<_>, _>>()?;
        let all =
            described.into_iter().flat_map(|(name, count)| (0..count).map(move |of| TopicPartition::new(&*name, of)));
        Ok(all.collect())
    };
    let sources = partitions(&mut topology.source_topics().into_iter().map(|topic| topic.name().to_owned()))?;
    let changelogs = partitions(&mut topology.changelog_topics(&config.application_id))?;
    let written = partitions(&mut topology.sink_topics().into_iter().map(|topic| topic.name().to_owned()))?;
    let mut names = log.list_topics(std::time::Duration::ZERO).map_err(|error| error.to_string())?;
    names.sort_unstable();
    let all = partitions(&mut names.into_iter())?;
    let named = topology.written_topics(&config.application_id);
    Ok(Topics { inputs, sources, changelogs, written, named, all })
}
