//! A task: one sub-topology over the same partition of each topic that it reads, as a pure state machine.
//!
//! ```text
//!   records, time ──> Task ──> outputs, store writes (uncommitted), input positions
//!
//!            process / punctuate            prepare_commit
//!   running ─────────────────────> running ────────────────> prepared ── committed ──> running
//!      ^                                                         │
//!      └──────── a new Task over the same stores (rewind) ───────┘ the commit failed, or its outcome is unknown
//! ```
//! A task does nothing by itself: what it wants produced is in [`Task::outputs`], what it wrote is in the overlays of
//! its stores, and only [`Task::committed`] moves it from there into the stores. While a commit is prepared the caller
//! takes changelog records as they are made, so that they are never in memory all at once.
//!
//! ```text
//! cycle      one commit of several tasks
//! merge      which of several inputs comes next
//! options    what a task is made from
//! queue      what arrived of one input and was not taken yet
//! arrival    what the log brings, to the queues
//! metadata   what a committed offset carries beside it
//! ```
//! May use `graph` and what that may use.

mod agreement;
mod arrival;
pub(crate) mod cycle;
mod id;
mod merge;
mod metadata;
mod options;
mod queue;

use std::cell::RefCell;
use std::rc::Rc;

pub(crate) use agreement::CommittedInput;
pub use id::TaskId;
pub(crate) use metadata::{Mark, Metadata, Vouched};
pub(crate) use options::{InputStart, QueueOptions, TaskOptions};

use crate::error::{Class, Error, Result};
use crate::graph::{Instance, Topology};
use crate::log::{self, Offset, OffsetCommit, ProducerRecord, TopicPartition};
use crate::processor::{InputOptions, Losses, Outputs, Position, Punctuation, Runtime, Target};
use crate::store::Stores;

use agreement::State;
use merge::Merge;

/// One sub-topology over the same partition of each of its topics. Its inputs are numbered from 0, in the order in
/// which the graph names the topics.
pub(crate) struct Task {
    id: TaskId,
    instance: Instance,
    runtime: Runtime,
    stores: Rc<RefCell<Stores>>,
    /// For each store: its changelog, if it has one.
    changelogs: Vec<Option<Changelog>>,
    merge: Merge,
    queue_max_bytes: usize,
    /// Whether records were processed since the last commit.
    processed: bool,
}

/// Where a store's changelog goes.
struct Changelog {
    target: Target,
    partition: TopicPartition,
}

/// While a commit is prepared, outputs are handed over when they are this many bytes.
const CHUNK_BYTES: usize = 64 << 10;

impl Task {
    /// Makes the task over restored stores, and initialises its processors. Refuses state that does not belong to what
    /// is committed.
    pub(crate) fn new(topology: &Topology, options: TaskOptions, stores: Rc<RefCell<Stores>>) -> Result<Self> {
        stores.borrow_mut().discard();
        stores.borrow_mut().empty_unlogged()?;
        let instance = topology.instantiate(options.sub_topology, &stores)?;
        let changelog = |target: Target| {
            let topic = options.runtime.topics.get(target.0).cloned().unwrap_or_default();
            Changelog { target, partition: TopicPartition::new(topic, options.id.partition) }
        };
        let changelogs = options.changelogs.iter().map(|target| target.map(changelog)).collect();
        let inputs = options.inputs.iter().map(InputOptions::from).collect();
        let handlers = topology.handlers.clone();
        let runtime = Runtime::new(options.runtime, inputs, Rc::clone(&stores), handlers);
        let mut task = Self {
            id: options.id,
            instance,
            stores,
            changelogs,
            merge: Merge::new(runtime.input_count(), options.queues.max_idle_ms),
            queue_max_bytes: options.queues.max_bytes,
            processed: false,
            runtime,
        };
        task.each_processor(|processor, runtime| processor.init(runtime))?;
        task.agree(&options.inputs, options.may_repeat)?;
        task.runtime.begin()?;
        Ok(task)
    }

    /// State and committed offsets must belong together, where no processor knows by itself where an input begins.
    fn agree(&self, inputs: &[InputStart], may_repeat: bool) -> Result<()> {
        let unchosen = inputs.iter().enumerate().filter(|(input, _)| !self.runtime.begins_by_choice(*input));
        let unchosen: Vec<&CommittedInput> = unchosen.map(|(_, start)| &start.committed).collect();
        let stores = self.stores.borrow();
        let states =
            stores.specs().iter().zip(&self.changelogs).enumerate().filter_map(|(index, (spec, changelog))| {
                let changelog = &changelog.as_ref()?.partition.topic;
                Some(State { store: &spec.name, changelog, meta: stores.meta(index) })
            });
        agreement::agree(&unchosen, &states.collect::<Vec<_>>(), may_repeat)
    }

    /// Which task.
    pub(crate) fn id(&self) -> &TaskId {
        &self.id
    }

    /// Its stores.
    pub(crate) fn stores(&self) -> &Rc<RefCell<Stores>> {
        &self.stores
    }

    /// It begins: from now on its stores are its own, and say how far their input is taken.
    pub(crate) fn note_begun(&self) {
        self.stores.borrow_mut().note_begun(self.positions());
    }

    /// How far a commit now would take each input: all before that is in the stores then, and nothing behind it.
    fn positions(&self) -> Vec<(TopicPartition, Offset)> {
        let position = |input: usize| (self.runtime.partition(input).clone(), self.runtime.committable_offset(input));
        (0..self.runtime.input_count()).map(position).collect()
    }

    /// Whether it has any stores with a changelog.
    pub(crate) fn has_changelogs(&self) -> bool {
        self.changelogs.iter().any(Option::is_some)
    }

    /// Takes it apart; what it had not committed is void.
    pub(crate) fn into_stores(self) -> Option<Stores> {
        let Self { instance, runtime, stores, .. } = self;
        // Processors and runtime hold the stores too.
        drop((instance, runtime));
        let mut stores = Rc::into_inner(stores)?.into_inner();
        stores.discard();
        Some(stores)
    }

    /// What it wants produced; the caller drains it.
    pub(crate) fn outputs(&mut self) -> &mut Outputs {
        self.runtime.outputs()
    }

    /// Processes consecutive records of an input. Records below its position are ignored: they were processed.
    fn process(&mut self, input: usize, records: &[log::Record<'_>]) -> Result<()> {
        let seen = records.partition_point(|record| record.offset < self.runtime.next_offset(input));
        let mut rest = &records[seen..];
        // A processor may have suspended, and gone back, since the last record.
        self.runtime.forget_suspended();
        while !self.runtime.is_suspended()
            && let Some(length) = self.until_punctuation(rest)
        {
            let (run, after) = rest.split_at(length);
            self.process_run(input, run)?;
            rest = after;
        }
        Ok(())
    }

    /// How many records to process before stream-time punctuations are looked at: up to and with the first record that
    /// makes one due, so that they fall behind the same records however the input is cut into batches.
    fn until_punctuation(&self, records: &[log::Record<'_>]) -> Option<usize> {
        let crosses = |record: &log::Record<'_>| self.runtime.crosses_stream_time(record.timestamp_ms);
        let crossing =
            if self.runtime.schedules().any_by_stream_time() { records.iter().position(crosses) } else { None };
        crossing.map(|index| index + 1).or_else(|| (!records.is_empty()).then_some(records.len()))
    }

    fn process_run(&mut self, input: usize, records: &[log::Record<'_>]) -> Result<()> {
        let Some(last) = records.last() else { return Ok(()) };
        let before_ms = self.runtime.stream_time_ms();
        self.processed = true;
        self.runtime.take(Position::new(input, self.runtime.next_offset(input)));
        let source = &mut self.instance.sources[self.instance.source_of[input]];
        source.process_batch(input, records, &mut self.runtime).map_err(|error| self.refused(error))?;
        match self.runtime.is_suspended() {
            true => self.runtime.forget_suspended(),
            false => self.runtime.set_next_offset(input, last.offset + 1),
        }
        let due = self.runtime.due_by_stream_time(before_ms);
        self.punctuate(due)
    }

    /// A record cannot be processed, and no handler lets it pass.
    fn refused(&self, error: Error) -> Error {
        if error.class() != Class::Input {
            return error;
        }
        let Position { input, offset } = self.runtime.cause();
        let partition = self.runtime.partition(input);
        Error::stop(format!(
            "the record at offset {offset} of {partition}: {error}. What becomes of such records, as that they go to the dead \
             letters, is said with Builder::on_processing_error"
        ))
        .caused_by(error)
    }

    /// Sets the wall-clock time that processors see; nothing is punctuated yet.
    pub(crate) fn set_now(&mut self, now_ms: i64) {
        self.runtime.set_now(now_ms);
    }

    /// The log's clock is so far ahead, if that is known.
    pub(crate) fn set_log_ahead(&mut self, log_ahead_ms: Option<i64>) {
        self.runtime.log_ahead_ms = log_ahead_ms;
    }

    /// Lets wall-clock time pass. Returns whether a punctuation was due.
    pub(crate) fn advance_clock(&mut self, now_ms: i64) -> Result<bool> {
        self.runtime.set_now(now_ms);
        let due = self.runtime.due_by_wall_clock();
        let any = !due.is_empty();
        self.runtime.clear_cause();
        self.punctuate(due)?;
        self.settle_ends();
        Ok(any)
    }

    fn punctuate(&mut self, due: Vec<(usize, Punctuation)>) -> Result<()> {
        for (node, punctuation) in due {
            let found = self.instance.processors.iter().find(|(index, _)| *index == node);
            if let Some((_, processor)) = found.filter(|_| self.runtime.schedules().goes_on(punctuation.id)) {
                processor.borrow_mut().punctuate(punctuation, &mut self.runtime)?;
            }
        }
        Ok(())
    }

    /// No more input will come: processors finish what they hold. To be called again after commits while
    /// [`Task::is_holding`].
    pub(crate) fn end_of_input(&mut self) -> Result<()> {
        self.runtime.clear_cause();
        self.each_processor(|processor, runtime| processor.end_of_input(runtime))
    }

    /// Whether input is held.
    pub(crate) fn is_holding(&self) -> bool {
        self.runtime.is_holding()
    }

    /// Whether it takes no input for now. When it does again, that begins at [`Task::next_offset`] of each input.
    pub(crate) fn is_suspended(&self) -> bool {
        self.runtime.is_suspended()
    }

    /// Next offset of an input to process.
    pub(crate) fn next_offset(&self, input: usize) -> Offset {
        self.runtime.next_offset(input)
    }

    /// Whether a processor asked for a commit as soon as possible.
    pub(crate) fn commit_requested(&self) -> bool {
        self.runtime.commit_requested()
    }

    /// When a wall-clock punctuation is due next, ms since 1970.
    pub(crate) fn next_wall_clock_ms(&self) -> Option<i64> {
        self.runtime.schedules().next_wall_clock_ms()
    }

    /// Bytes that wait for the next commit.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.stores.borrow().uncommitted_bytes() + self.runtime.uncommitted_bytes()
    }

    /// Whether there is a commit to make, sooner or later, beside that of outputs already drained: of store writes, of
    /// a position that moved, or because a processor asked for one. Those who run tasks ask this and nothing else.
    pub(crate) fn wants_commit(&self) -> bool {
        self.commit_requested() || self.stores.borrow().has_uncommitted() || self.runtime.moves_on_commit()
    }

    /// Whether nothing was processed or written since the last commit. A position that moved all the same passed over
    /// the log's own markers, and its commit is not urgent.
    pub(crate) fn is_idle(&self) -> bool {
        !self.processed && !self.stores.borrow().has_uncommitted()
    }

    /// Begins a commit: lets processors finish, adds dead letters and changelog records to the outputs, and returns the
    /// offset of each input to commit in the same transaction. `send` drains the outputs, each time that there are
    /// some; none are left at the end. It asserts the law of held and suspended input.
    pub(crate) fn prepare_commit(
        &mut self,
        send: &mut dyn FnMut(&mut Outputs) -> Result<()>,
    ) -> Result<Vec<OffsetCommit>> {
        self.runtime.clear_cause();
        self.each_processor(|processor, runtime| processor.prepare_commit(runtime))?;
        self.runtime.check_untaken()?;
        self.runtime.release_source_letters();
        self.stores.borrow_mut().cover(self.positions());
        self.write_changelogs(send)?;
        let inputs = 0..self.runtime.input_count();
        let stores = self.stores.borrow();
        let marks = stores.marks().filter_map(|(spec, mark)| {
            let (incarnation, sequence) = mark?;
            Some(Mark::new(&spec.name, &incarnation, sequence))
        });
        let marks: Vec<Mark> = marks.collect();
        let commit = |input: usize| {
            let offset = self.runtime.committable_offset(input);
            let vouched = Some(Vouched { offset, marks: marks.clone() });
            let stream_time_ms = self.runtime.stream_time_before_ms(input, offset);
            let partition = self.runtime.partition(input).clone();
            OffsetCommit { partition, offset, metadata: Metadata { stream_time_ms, vouched }.encode() }
        };
        Ok(inputs.map(commit).collect())
    }

    fn write_changelogs(&mut self, send: &mut dyn FnMut(&mut Outputs) -> Result<()>) -> Result<()> {
        let partition = Some(self.id.partition);
        let outputs = self.runtime.outputs();
        self.stores.borrow_mut().changelog_records(|record| {
            let Some(changelog) = &self.changelogs[record.store] else { return Ok(()) };
            outputs.push(changelog.target, partition, ProducerRecord::NOW, Some(record.key), record.value, &[]);
            if outputs.size_bytes() < CHUNK_BYTES { Ok(()) } else { send(outputs) }
        })?;
        if outputs.is_empty() { Ok(()) } else { send(outputs) }
    }

    /// The transaction with this task's work was committed, with these offsets of its inputs, in their order.
    /// `delivered` tells the highest offset delivered to a partition in it. Moves the overlays into the stores and
    /// tells the processors.
    fn committed(
        &mut self,
        commits: &[OffsetCommit],
        delivered: impl Fn(&TopicPartition) -> Option<Offset>,
        now_ms: i64,
    ) -> Result<()> {
        let changelogs = self.changelogs.iter().enumerate();
        let delivered =
            changelogs.filter_map(|(store, changelog)| Some((store, delivered(&changelog.as_ref()?.partition)? + 1)));
        let positions: Vec<(usize, Offset)> = delivered.collect();
        {
            let mut stores = self.stores.borrow_mut();
            stores.commit(&positions, now_ms)?;
            stores.flush_if_due(now_ms)?;
        }
        self.processed = false;
        self.runtime.committed(commits.iter().map(|commit| commit.offset));
        self.runtime.clear_cause();
        self.each_processor(|processor, runtime| processor.committed(runtime))
    }

    /// What did not come through whole of what was committed since the last call.
    pub(crate) fn take_losses(&mut self) -> Losses {
        self.runtime.take_losses()
    }

    fn each_processor(
        &mut self,
        mut call: impl FnMut(&mut dyn crate::processor::Lifecycle, &mut Runtime) -> Result<()>,
    ) -> Result<()> {
        for (_, processor) in &self.instance.processors {
            call(&mut *processor.borrow_mut(), &mut self.runtime)?;
        }
        Ok(())
    }
}
