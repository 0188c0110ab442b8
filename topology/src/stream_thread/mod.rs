//! The loop of one stream thread: poll -> process -> maybe commit. Generic over log and clock, steppable with
//! [`StreamThread::run_once`]; it belongs on an OS thread of its own, for its calls block.
//!
//! ```text
//! config       its settings, and the names that follow from them
//! input        what the consumer brings, to the tasks
//! pace         how many records between two looks at the clock
//! ownership    which tasks the group's word makes its own: pure
//! assignment   what it does about that, and how far each task has come to life
//! take_over    fence, committed offsets, restore, run: in this order
//! commit       the transaction
//! recovery     rewind and rejoin
//! cleanup      what tasks left behind that run elsewhere
//! complaints   what does not go on, and when to say so
//! losses       what was committed and did not come through whole
//! producers    one transactional producer of its own, one for each single writer
//! until_end    when a bounded run is done
//! ```
//!
//! Per commit interval:
//! ```text
//!   process ─> outputs are sent as they arise, store writes stay in overlays
//!   prepare ─> overlays sent as changelog records; flush
//!   commit  ─> offsets with fresh group metadata, commit          <─ a crash before this point costs only work
//!   apply   ─> overlays + positions into the stores, atomically   <─ a crash before this one is mended by restoring
//! ```
//! May use all the crate but `client` and `test_driver`.

mod assignment;
mod cleanup;
mod commit;
mod complaints;
mod config;
mod input;
mod losses;
mod ownership;
mod pace;
mod producers;
mod recovery;
mod take_over;
mod until_end;

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

pub use config::Config;
pub(crate) use config::THREAD;

use crate::clock::Clock;
use crate::error::{Class, Result};
use crate::graph::Topology;
use crate::log::{self, Awaited, Consumer, GroupProtocol, Log};
use crate::metrics::Metrics;
use crate::processor::{Limits, Losses};
use crate::store::{Resources, StateDirectory, Stores};
use crate::task::TaskId;
use crate::updater;
use crate::watch::Watch;

use assignment::{Assigned, Phase};
use cleanup::Cleanup;
use commit::Then;
use complaints::{Complaints, SAY_EVERY_MS, Subject};
use ownership::{Action, Change, Ownership};
use pace::Pace;
use producers::{Slot, Slots};
use recovery::Fencing;
use until_end::UntilEnd;

/// How far a stream thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no word from the group yet, or is between assignments.
    Joining,
    /// It brings stores up to their changelogs.
    Restoring,
    /// It processes. (Also with nothing assigned: others have all partitions.)
    Running,
    /// [`Config::until_end`]: all is processed and committed.
    Finished,
}

/// One stream thread: one consumer of the group and its transactional producers.
pub(crate) struct StreamThread<L: Log> {
    config: Config,
    topology: Topology,
    limits: Arc<Limits>,
    log: L,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    state_directory: Option<Arc<StateDirectory>>,
    resources: Resources,
    consumer: L::Consumer,
    slots: Slots<L>,
    restorer: updater::Handle<TaskId>,
    watch: Rc<Watch>,
    /// Tasks given up while the restorer had their stores; they come back from it.
    returning: BTreeSet<TaskId>,
    /// Whether the group was asked for partitions.
    subscribed: bool,
    /// What the group changed and was not looked at yet.
    changes: VecDeque<Change>,
    /// What is still to be done about the change before.
    actions: VecDeque<Action>,
    ownership: Ownership,
    /// `None` until the group spoke, and between assignments.
    assigned: Option<Vec<Assigned>>,
    /// Tasks that were taken away, until it is known whether they come back.
    parked: Vec<Assigned>,
    pace: Pace,
    /// Which task's queues were drained first the last time.
    drained: usize,
    last_commit_ms: i64,
    fencing: Fencing,
    until_end: Option<UntilEnd>,
    /// A random number per new changelog.
    incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
    /// When it was last said that there is no input, monotonic ms.
    complaints: Complaints,
    /// What the consumer said last, while there was no input.
    input_error: Option<String>,
    cleanup: Cleanup,
    /// Committed, and not said yet.
    losses: Losses,
}

/// What a stream thread is made from, besides its settings.
pub(crate) struct Parts<L: Log> {
    /// The graph.
    pub topology: Topology,
    /// This instance's identity: sortable, unique, the same after a restart.
    pub instance_id: String,
    /// What the topics take that are written.
    pub limits: Limits,
    /// The log.
    pub log: L,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Shared with whoever watches.
    pub metrics: Arc<Metrics>,
    /// The locked state directory; `None` where all stores are in memory.
    pub state_directory: Option<Arc<StateDirectory>>,
    /// What the stores of all tasks share.
    pub resources: Resources,
    /// Brings stores up to their changelogs.
    pub restorer: updater::Handle<TaskId>,
    /// Watches over the topics.
    pub watch: Watch,
    /// Makes a random id for a new changelog.
    pub incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
}

/// What one turn of the loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Records processed.
    pub record_count: usize,
    /// Whether a transaction was committed.
    pub committed: bool,
}

impl<L: Log> StreamThread<L> {
    /// Joins the group. Topics must exist.
    pub(crate) fn new(config: Config, parts: Parts<L>) -> Result<Self> {
        let consumer = parts.log.consumer(&config::consumer_options(&config, &parts.instance_id))?;
        let until_end = config.until_end.then(|| take_ends(&parts.topology, &parts.log, &*parts.clock)).transpose()?;
        let now_ms = parts.clock.monotonic_ms();
        let slots = make_slots(config::transactional_id(&config, &parts.instance_id), &parts.topology, now_ms);
        let ownership = Ownership::new(&parts.topology, config.group_protocol);
        Ok(Self {
            pace: Pace::new(config::turn_max_ms(&config)),
            drained: 0,
            config,
            topology: parts.topology,
            limits: Arc::new(parts.limits),
            log: parts.log,
            clock: parts.clock,
            metrics: parts.metrics,
            state_directory: parts.state_directory,
            resources: parts.resources,
            consumer,
            slots,
            restorer: parts.restorer,
            watch: Rc::new(parts.watch),
            returning: BTreeSet::new(),
            subscribed: false,
            changes: VecDeque::new(),
            actions: VecDeque::new(),
            ownership,
            assigned: None,
            parked: Vec::new(),
            last_commit_ms: now_ms,
            fencing: Fencing::default(),
            until_end,
            incarnations: parts.incarnations,
            complaints: Complaints::default(),
            input_error: None,
            cleanup: Cleanup::new(now_ms),
            losses: Losses::default(),
        })
    }

    /// One turn: poll, process, take partitions over or give them up, punctuate, commit if it is time. An error is one that
    /// the thread cannot mend.
    pub(crate) fn run_once(&mut self) -> Result<Turn> {
        match self.turn() {
            Ok(turn) => Ok(turn),
            Err(error) => self.recover(error).map(|()| Turn::default()),
        }
    }

    fn turn(&mut self) -> Result<Turn> {
        self.watch.check()?;
        self.subscribe()?;
        let record_count = self.poll()?;
        self.apply_changes()?;
        self.await_group();
        self.await_parts();
        self.advance_take_overs()?;
        self.advance_clocks()?;
        let committed = self.maybe_commit()?;
        self.clean_up();
        self.say_losses(false);
        self.direct_consumer()?;
        Ok(Turn { record_count, committed })
    }

    /// Joins the group, unless it did.
    fn subscribe(&mut self) -> Result<()> {
        if !self.subscribed {
            let topics: Vec<String> =
                self.topology.source_topics().iter().map(|topic| topic.name().to_owned()).collect();
            self.consumer.subscribe(&topics).map_err(log::Error::may_pass)?;
            self.subscribed = true;
        }
        Ok(())
    }

    /// Says that the group assigns nothing, and why that may be.
    fn await_group(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let group = self.config.application_id.as_str();
        if self.assigned.is_some() {
            if let Some(waited_ms) = self.complaints.over(&Subject::Group, now_ms) {
                tracing::info!(group, waited_ms, "the group has assigned partitions");
            }
        } else if let Some(waited_ms) = self.complaints.due(Subject::Group, SAY_EVERY_MS, now_ms) {
            let obstacle = self.log.obstacle(Awaited::Group(group)).or_else(|| self.input_error.clone());
            let why = obstacle.as_deref().unwrap_or(match self.config.group_protocol {
                GroupProtocol::Classic => "it may be waiting for another member",
                // The client goes on looking for a coordinator that has it, and tells nothing.
                GroupProtocol::Consumer => {
                    "it may be waiting for another member, or the brokers lack the group protocol 'consumer': Kafka has it since 4.0"
                }
            });
            tracing::warn!(group, waited_ms, "the group has assigned nothing yet: {why}");
        }
    }

    /// Says which tasks wait for partitions that others have.
    fn await_parts(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let incomplete = self.ownership.incomplete();
        if incomplete.is_empty() {
            self.complaints.over(&Subject::Parts, now_ms);
        } else if let Some(waited_ms) = self.complaints.due(Subject::Parts, SAY_EVERY_MS, now_ms) {
            let partitions = incomplete.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            tracing::error!(
                partitions,
                waited_ms,
                "the group gave this member one part of a task and another member the rest: all members must read the same \
                 topics, with the strategy 'range'. The task waits"
            );
        }
    }

    /// How far it is.
    pub(crate) fn state(&self) -> State {
        if self.until_end.as_ref().is_some_and(UntilEnd::is_finished) {
            return State::Finished;
        }
        match &self.assigned {
            None => State::Joining,
            Some(assigned) if assigned.iter().all(|task| matches!(task.phase, Phase::Running(_))) => State::Running,
            Some(_) => State::Restoring,
        }
    }

    /// Commits, closes the stores and leaves the group. An error is one that a human must act on; where only leaving failed,
    /// all is committed, and the group finds out when the session times out.
    pub(crate) fn close(mut self) -> Result<()> {
        let committed = self.commit(Then::Leave);
        if let Err(error) = &committed {
            tracing::warn!(%error, "the last commit failed; its work will be done again");
        }
        self.say_losses(true);
        self.abandon();
        match committed {
            Err(error) if error.class() == Class::Stop => Err(error),
            _ => Ok(()),
        }
    }

    /// Closes the stores and leaves the group; what is not committed is void.
    pub(crate) fn abandon(mut self) {
        self.release_all();
        self.discard_producers();
        for finished in self.restorer.close() {
            close_stores(&finished.task, finished.stores);
        }
        if let Err(error) = self.consumer.leave() {
            tracing::warn!(%error, "could not leave the group; it will find out by itself");
        }
    }

    fn advance_clocks(&mut self) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let Self { assigned, slots, .. } = self;
        for running in assigned.iter_mut().flatten().filter_map(Assigned::running_mut) {
            running.task.advance_clock(now_ms).map_err(recovery::void)?;
            input::send_outputs(slots, running)?;
            // What was committed last is written down in time, whether more comes or not.
            running.task.stores().borrow_mut().flush_if_due(now_ms)?;
        }
        self.advance_until_end()
    }
}

/// Where a bounded run ends. A log that cannot tell now is asked again, for a while.
fn take_ends<L: Log>(topology: &Topology, log: &L, clock: &dyn Clock) -> Result<UntilEnd> {
    const PATIENCE_MS: i64 = 10_000;
    let until_ms = clock.monotonic_ms().saturating_add(PATIENCE_MS);
    loop {
        match UntilEnd::new(topology, log) {
            Err(error) if error.class() == Class::Retry && clock.monotonic_ms() < until_ms => {
                tracing::warn!(%error, "cannot find out where the input ends; trying again");
                std::thread::sleep(take_over::RETRY_PAUSE);
            }
            taken => return taken,
        }
    }
}

fn close_stores(task: &TaskId, stores: Stores) {
    if let Err(error) = stores.close() {
        tracing::warn!(%task, %error, "closing the stores failed; they will be restored");
    }
}

fn make_slots<L: Log>(own: String, topology: &Topology, now_ms: i64) -> Slots<L> {
    let mut slots = Slots::from([(None, Slot::new(own, now_ms))]);
    for (index, sub_topology) in topology.sub_topologies.iter().enumerate() {
        if let Some(transactional_id) = &sub_topology.single_writer {
            slots.insert(Some(index), Slot::new(transactional_id.clone(), now_ms));
        }
    }
    slots
}
