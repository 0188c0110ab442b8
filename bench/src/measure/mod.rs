//! The measurement: every subject is a process that is looked at from outside, in the same way.
//!
//! ```text
//! figure    what there is to measure, and in which unit
//! progress  how far a process has come: the offset that its group has committed, and the CPU time until then
//! count     counting what is there
//! restore   coming back with the store, and without it
//! latency   from the moment a record is due to the moment a reader may see its count
//! ```

mod count;
pub(crate) mod figure;
mod latency;
mod progress;
mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use figure::{Figure, Figures};

use crate::arguments::Options;
use crate::cluster::Cluster;
use crate::error::{Doing, Result};
use crate::input::{Generator, key};
use crate::process::Process;
use crate::subject::{Run, Store, Subject, streams};

/// What all runs have in common.
pub(crate) struct Setup<'a> {
    pub(crate) options: &'a Options,
    pub(crate) cluster: &'a Cluster,
    pub(crate) streams: Option<streams::Built>,
    /// For stores and logs.
    pub(crate) directory: PathBuf,
    /// By their number of partitions.
    inputs: BTreeMap<i32, Input>,
    /// Of a thousand inputs, how many the engine writes to its changelog: what the pipe is to write too.
    changelog_per_mille: u32,
}

/// The topic that is counted, and what is in it.
struct Input {
    topic: String,
    /// The number of each record's key, in order.
    keys: Vec<u32>,
}

impl<'a> Setup<'a> {
    /// Fills the input topics of these subjects, and of the warm-up.
    pub(crate) fn new(
        options: &'a Options,
        cluster: &'a Cluster,
        streams: Option<streams::Built>,
        subjects: &[Subject],
        directory: PathBuf,
    ) -> Result<Self> {
        let mut setup = Self { options, cluster, streams, directory, inputs: BTreeMap::new(), changelog_per_mille: 0 };
        let counts: BTreeSet<i32> = subjects.iter().map(|subject| subject.shape.partitions).chain([1]).collect();
        for partitions in counts {
            let input = setup.fill(partitions)?;
            setup.inputs.insert(partitions, input);
        }
        Ok(setup)
    }

    fn fill(&self, partitions: i32) -> Result<Input> {
        let mut input = Input { topic: test_cluster::unique("bench-input"), keys: Vec::new() };
        self.cluster.create_topic(&input.topic, partitions)?;
        let writer = self.cluster.writer(&input.topic, 50)?;
        let mut generator = Generator::new(self.options.seed, self.options.keys);
        for _ in 0..self.options.records {
            let number = generator.key_number();
            writer.send(&key(number), &generator.value())?;
            input.keys.push(number);
        }
        writer.finish()?;
        Ok(input)
    }

    /// What a subject counts.
    fn input(&self, subject: &Subject) -> &Input {
        &self.inputs[&subject.shape.partitions]
    }

    /// One more record, for an application that has counted all there were.
    fn append(&mut self, subject: &Subject) -> Result<()> {
        let Some(input) = self.inputs.get_mut(&subject.shape.partitions) else { return Ok(()) };
        let writer = self.cluster.writer(&input.topic, 0)?;
        let number = input.keys[0];
        writer.send(&key(number), &[0; crate::input::VALUE_BYTES])?;
        writer.finish()?;
        input.keys.push(number);
        Ok(())
    }

    /// A run under a name that no other has.
    fn run(&self, subject: &Subject) -> Run {
        let application = test_cluster::unique(&format!("bench-{}", subject.name));
        Run {
            brokers: self.cluster.brokers.clone(),
            input: self.input(subject).topic.clone(),
            output: format!("{application}-output"),
            state_directory: self.directory.join(&application),
            commit_interval_ms: self.options.commit_interval_ms,
            compression: self.options.compression.clone(),
            changelog_per_mille: self.changelog_per_mille,
            application,
        }
    }

    fn start(&self, subject: &Subject, run: &Run) -> Result<Process> {
        let log = self.directory.join(format!("{}.log", run.application));
        Process::start(subject.command(run, self.streams.as_ref())?, subject.ending(), &log)
    }

    /// Counts the whole input and, where it is asked for, comes back after that. Figures that were measured before a
    /// failure stay in `figures`.
    pub(crate) fn bulk(&mut self, subject: &Subject, with_restore: bool, figures: &mut Figures) -> Result<()> {
        let run = self.run(subject);
        self.prepare(subject, &run)?;
        let mut measured = count::measure(self, subject, &run, figures);
        if with_restore && subject.store != Store::None {
            measured = measured.and_then(|()| restore::measure(self, subject, &run, figures));
        }
        self.clear(&run);
        measured
    }

    /// Measures latency, on an input of its own.
    pub(crate) fn latency(&self, subject: &Subject, figures: &mut Figures) -> Result<()> {
        let run = self.run(subject);
        let run = Run { input: format!("{}-input", run.application), ..run };
        self.cluster.create_topic(&run.input, 1)?;
        self.prepare(subject, &run)?;
        let measured = latency::measure(self, subject, &run, figures);
        self.clear(&run);
        measured
    }

    fn prepare(&self, subject: &Subject, run: &Run) -> Result<()> {
        std::fs::create_dir_all(&run.state_directory).doing("creating a state directory")?;
        self.cluster.create_topic(&run.output, subject.shape.partitions)?;
        match subject.store {
            // An engine creates the changelog of its store itself.
            Store::None => self.cluster.create_topic(&run.changelog(), subject.shape.partitions),
            Store::Memory | Store::Disk => Ok(()),
        }
    }

    /// Topics and stores are of no more use. A failure here costs disk, and no measurement.
    fn clear(&self, run: &Run) {
        let _ = self.cluster.delete_topics(&run.application);
        let _ = std::fs::remove_dir_all(&run.state_directory);
    }

    /// Warms the broker up, and learns how much the engine writes to its changelog.
    pub(crate) fn warm_up(&mut self, subject: &Subject) -> Result<()> {
        let mut figures = Figures::new();
        self.bulk(subject, false, &mut figures)?;
        if let Some(share) = figures.get(&Figure::ChangelogShare) {
            self.changelog_per_mille = (share * 1_000.0).round().clamp(0.0, 1_000.0) as u32;
        }
        Ok(())
    }
}

impl Drop for Setup<'_> {
    fn drop(&mut self) {
        // On a broker of the user's, they would stay.
        for input in self.inputs.values() {
            let _ = self.cluster.delete_topics(&input.topic);
        }
    }
}
