//! The loop of one stream thread: poll -> process -> maybe commit. Generic over log and clock, steppable with
//! [`StreamThread::run_once`]; it belongs on an OS thread of its own, for its calls block.
//!
//! ```text
//! config       its settings
//! assignment   what the group gave it, and how far each task has come to life
//! take_over    fence, committed offsets, restore, run: in this order
//! commit       the transaction
//! recovery     rewind and rejoin
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
mod commit;
mod config;
mod producers;
mod recovery;
mod take_over;
mod until_end;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use config::Config;

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::graph::Topology;
pub use crate::graph::{changelog_topic, dead_letter_topic};
use crate::log::{Consumer, ConsumerOptions, Event, GroupOptions, Isolation, Log, ProducerOptions, TopicPartition};
use crate::metrics::Metrics;
use crate::restore::RestoreThread;
use crate::store::{Shared, StateDirectory, Stores};
use crate::task::TaskId;

use assignment::{Assigned, Phase};
use producers::{Slot, Slots};
use recovery::Fencing;
use until_end::UntilEnd;

/// How often it is said that there is no input, ms.
const COMPLAIN_EVERY_MS: i64 = 5_000;

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
pub struct StreamThread<L: Log> {
    config: Config,
    topology: Topology,
    log: L,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    state_directory: Option<Arc<StateDirectory>>,
    store_memory: Shared,
    consumer: L::Consumer,
    slots: Slots<L>,
    restorer: RestoreThread<TaskId>,
    /// Tasks given up while the restorer had their stores; they come back from it.
    returning: BTreeSet<TaskId>,
    /// Whether the group was asked for partitions.
    subscribed: bool,
    /// What the group changed and was not answered yet.
    changes: VecDeque<Change>,
    /// `None` until the group spoke.
    assigned: Option<Vec<Assigned>>,
    last_commit_ms: i64,
    fencing: Fencing,
    until_end: Option<UntilEnd>,
    /// A random number per new changelog.
    incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
    /// When it was last said that there is no input, monotonic ms.
    complained_ms: Option<i64>,
}

/// What a stream thread is made from, besides its settings.
pub struct Parts<L: Log> {
    /// The graph.
    pub topology: Topology,
    /// The log.
    pub log: L,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Shared with whoever watches.
    pub metrics: Arc<Metrics>,
    /// The locked state directory; `None` where all stores are in memory.
    pub state_directory: Option<Arc<StateDirectory>>,
    /// Memory that the stores of all tasks share.
    pub store_memory: Shared,
    /// Brings stores up to their changelogs.
    pub restorer: RestoreThread<TaskId>,
    /// Makes a random id for a new changelog.
    pub incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
}

/// What one turn of the loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Records processed.
    pub record_count: usize,
    /// Whether a transaction was committed.
    pub committed: bool,
}

impl<L: Log> StreamThread<L> {
    /// Joins the group. Topics must exist.
    pub fn new(config: Config, parts: Parts<L>) -> Result<Self> {
        let Parts { topology, log, clock, metrics, state_directory, store_memory, restorer, incarnations } = parts;
        let consumer = log.consumer(&consumer_options(&config))?;
        let until_end = config.until_end.then(|| UntilEnd::new(&topology, &log)).transpose()?;
        let slots = make_slots(&config, &topology);
        Ok(Self {
            last_commit_ms: clock.monotonic_ms(),
            config,
            topology,
            log,
            clock,
            metrics,
            state_directory,
            store_memory,
            consumer,
            slots,
            restorer,
            returning: BTreeSet::new(),
            subscribed: false,
            changes: VecDeque::new(),
            assigned: None,
            fencing: Fencing::default(),
            until_end,
            incarnations,
            complained_ms: None,
        })
    }

    /// One turn: poll, process, take partitions over or give them up, punctuate, commit if it is time. An error is one that
    /// the thread cannot mend.
    pub fn run_once(&mut self) -> Result<Turn> {
        match self.turn() {
            Ok(turn) => Ok(turn),
            Err(error) => self.recover(error).map(|()| Turn::default()),
        }
    }

    fn turn(&mut self) -> Result<Turn> {
        self.subscribe()?;
        let record_count = self.poll()?;
        self.apply_changes()?;
        self.advance_take_overs()?;
        self.advance_clocks()?;
        let committed = self.maybe_commit()?;
        self.pause_suspended()?;
        Ok(Turn { record_count, committed })
    }

    /// Joins the group, unless it did.
    fn subscribe(&mut self) -> Result<()> {
        if !self.subscribed {
            let topics: Vec<String> =
                self.topology.source_topics().iter().map(|topic| topic.name().to_owned()).collect();
            self.consumer.subscribe(&topics)?;
            self.subscribed = true;
        }
        Ok(())
    }

    /// How far it is.
    pub fn state(&self) -> State {
        if self.until_end.as_ref().is_some_and(UntilEnd::is_finished) {
            return State::Finished;
        }
        match &self.assigned {
            None => State::Joining,
            Some(assigned) if assigned.iter().all(|task| matches!(task.phase, Phase::Running(_))) => State::Running,
            Some(_) => State::Restoring,
        }
    }

    /// Commits, closes the stores and leaves the group.
    pub fn close(mut self) -> Result<()> {
        let committed = self.commit();
        if let Err(error) = &committed {
            tracing::warn!(%error, "the last commit failed; its work will be done again");
        }
        self.abandon()?;
        match committed {
            Err(error) if error.class() == Class::Stop => Err(error),
            _ => Ok(()),
        }
    }

    /// Closes the stores and leaves the group; what is not committed is void.
    pub fn abandon(mut self) -> Result<()> {
        self.release_all();
        self.discard_producers();
        for finished in self.restorer.shutdown() {
            close_stores(&finished.task, finished.stores);
        }
        Ok(self.consumer.leave()?)
    }

    /// Polls, and processes what comes. Rebalances are noted only: they are answered after what was processed is safe.
    fn poll(&mut self) -> Result<usize> {
        let timeout = self.poll_timeout();
        let now_ms = self.clock.now_ms();
        let Self { consumer, assigned, slots, until_end, changes, .. } = self;
        let until_end = until_end.as_ref();
        let mut record_count = 0;
        let mut failed = None;
        let polled = consumer.poll(timeout, &mut |event| match event {
            Event::Assigned(partitions) => changes.push_back(Change::Assigned(partitions)),
            Event::Revoked { partitions: _, lost } => changes.push_back(Change::Revoked { lost }),
            // After an error what follows would be processed over a gap.
            _ if failed.is_some() => {}
            Event::Records { partition, records } => {
                let Some(task) = running(assigned, partition) else { return };
                let wanted = match until_end {
                    Some(until_end) => until_end.within(partition, records),
                    None => records,
                };
                if let Some(last) = wanted.last() {
                    task.delivered_to = last.offset + 1;
                    task.task.set_now(now_ms);
                    record_count += wanted.len();
                    let done =
                        task.task.process(wanted).map_err(recovery::void).and_then(|()| send_outputs(slots, task));
                    failed = done.err();
                }
                // A record at the end or behind it shows that nothing before the end is still to come.
                if let (Some(until_end), None, Some(first_left)) = (until_end, &failed, records.get(wanted.len())) {
                    task.task.advance_to(until_end.cap(partition, first_left.offset));
                }
            }
            Event::EndOfPartition { partition, offset } => {
                if let Some(task) = running(assigned, partition) {
                    let offset = until_end.map_or(offset, |until_end| until_end.cap(partition, offset));
                    // The end is told once. A task that goes back behind it, or takes nothing now, must be told again.
                    task.delivered_to = task.delivered_to.max(offset);
                    task.task.advance_to(offset);
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        match polled {
            Ok(()) => {}
            Err(error) if error.class() == Class::Retry => self.complain(&error),
            Err(error) => return Err(error.into()),
        }
        self.metrics.add_records(record_count);
        Ok(record_count)
    }

    /// Says that there is no input, now and then.
    fn complain(&mut self, error: &crate::log::Error) {
        let now_ms = self.clock.monotonic_ms();
        if self.complained_ms.is_none_or(|said| now_ms - said >= COMPLAIN_EVERY_MS) {
            self.complained_ms = Some(now_ms);
            tracing::warn!(%error, "no input for now; trying again");
        }
    }

    fn poll_timeout(&self) -> Duration {
        let now_ms = self.clock.now_ms();
        let until_punctuation =
            self.running().filter_map(|task| task.task.next_wall_clock_ms()).map(|due| due - now_ms);
        let until_commit = self.wants_commit().then(|| self.commit_due_ms() - self.clock.monotonic_ms());
        let restoring = self.assigned.iter().flatten().any(|task| !matches!(task.phase, Phase::Running(_)));
        let soon = restoring.then_some(10);
        let wait_ms = until_punctuation.chain(until_commit).chain(soon).min().unwrap_or(self.config.poll_max_ms);
        Duration::from_millis(u64::try_from(wait_ms.clamp(0, self.config.poll_max_ms)).unwrap_or(0))
    }

    fn advance_clocks(&mut self) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let Self { assigned, slots, .. } = self;
        for task in assigned.iter_mut().flatten().filter_map(Assigned::running_mut) {
            task.task.advance_clock(now_ms).map_err(recovery::void)?;
            send_outputs(slots, task)?;
        }
        self.advance_until_end()
    }

    /// Stops delivery to tasks that take no input for now, and begins it again where they stopped.
    fn pause_suspended(&mut self) -> Result<()> {
        let Self { assigned, consumer, .. } = self;
        for task in assigned.iter_mut().flatten() {
            let Phase::Running(running) = &mut task.phase else { continue };
            let partitions = std::slice::from_ref(&task.partition);
            if running.task.is_suspended() {
                if !running.paused {
                    consumer.pause(partitions)?;
                    running.paused = true;
                }
            } else if running.paused || running.task.next_offset() < running.delivered_to {
                running.delivered_to = running.task.next_offset();
                consumer.seek(&task.partition, running.delivered_to)?;
                consumer.resume(partitions)?;
                running.paused = false;
            }
        }
        Ok(())
    }

    /// Answers the group, one change after the other; one that cannot be answered now is answered in the next turn.
    fn apply_changes(&mut self) -> Result<()> {
        while let Some(change) = self.changes.pop_front() {
            let answered = match &change {
                Change::Assigned(partitions) => self.assign(partitions.clone()),
                Change::Revoked { lost } => self.revoke(*lost),
            };
            if let Err(error) = answered {
                self.changes.push_front(change);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// What the group changed.
enum Change {
    Assigned(Vec<TopicPartition>),
    Revoked { lost: bool },
}

fn running<'a>(
    assigned: &'a mut Option<Vec<Assigned>>,
    partition: &TopicPartition,
) -> Option<&'a mut assignment::Running> {
    assigned.iter_mut().flatten().find(|task| &task.partition == partition).and_then(Assigned::running_mut)
}

fn send_outputs<L: Log>(slots: &mut Slots<L>, running: &mut assignment::Running) -> Result<()> {
    if running.task.outputs().is_empty() {
        return Ok(());
    }
    let slot = slots.get_mut(&running.slot).ok_or_else(|| Error::stop("a task has no producer"))?;
    slot.send(running.task.outputs())
}

fn close_stores(task: &TaskId, stores: Stores) {
    if let Err(error) = stores.close() {
        tracing::warn!(%task, %error, "closing the stores failed; they will be restored");
    }
}

fn make_slots<L: Log>(config: &Config, topology: &Topology) -> Slots<L> {
    let own = format!("{}-{}-{}", config.application_id, config.instance_id, config.thread);
    let mut slots = Slots::from([(None, Slot::new(own))]);
    for (index, sub_topology) in topology.sub_topologies.iter().enumerate() {
        if let Some(transactional_id) = &sub_topology.single_writer {
            slots.insert(Some(index), Slot::new(transactional_id.clone()));
        }
    }
    slots
}

fn consumer_options(config: &Config) -> ConsumerOptions {
    ConsumerOptions {
        group: Some(GroupOptions {
            id: config.application_id.clone(),
            instance_id: Some(format!("{}-{}", config.instance_id, config.thread)),
            session_timeout_ms: config.session_timeout_ms,
        }),
        isolation: Isolation::ReadCommitted,
        client_id: client_id(config),
        batch_records: config.batch_records,
        prefetch_bytes: config.prefetch_bytes,
    }
}

fn producer_options(config: &Config, topology: &Topology) -> ProducerOptions {
    ProducerOptions {
        transactional_id: String::new(),
        transaction_timeout_ms: config.transaction_timeout_ms,
        client_id: client_id(config),
        track_topics: topology.store_names().map(|store| changelog_topic(&config.application_id, store)).collect(),
    }
}

fn client_id(config: &Config) -> String {
    format!("{}-{}", config.application_id, config.thread)
}
