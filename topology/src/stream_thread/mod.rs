//! The loop of one stream thread: poll -> process -> maybe commit. Generic over log and clock, steppable with
//! [`StreamThread::run_once`]; it belongs on an OS thread of its own, for its calls block.
//!
//! ```text
//! environment  what it runs in, and is shared
//! config       its settings, and the names that follow from them
//! tasks        its tasks, and how far each has come to life
//! producers    one transactional producer of its own, one for each single writer
//! membership   what the group says, and what is done about it
//! ownership    which tasks that makes its own: pure
//! take_over    fence, committed offsets, restore, run: in this order
//! input        what the consumer brings, to the tasks
//! pace         how many records between two looks at the clock
//! commit       the transaction
//! recovery     rewind and rejoin
//! panic        tasks that panic, and no others
//! until_end    when a bounded run is done
//! cleanup      what tasks left behind that run elsewhere
//! purge        what was read of repartition topics
//! awaiting     what others have to do first
//! complaints   what does not go on, and when to say so
//! losses       what was committed and did not come through whole
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

mod awaiting;
mod cleanup;
mod commit;
mod complaints;
mod config;
mod environment;
mod input;
mod losses;
mod membership;
mod ownership;
mod pace;
mod panic;
mod producers;
mod purge;
mod recovery;
mod take_over;
mod tasks;
mod until_end;

pub(crate) use cleanup::Cleanup;
pub(crate) use config::standby_options;
pub use config::{Config, Guarantee, OnPanic};
pub(crate) use environment::Parts;
pub(crate) use panic::{Killed, Panic};
pub(crate) use until_end::UntilEnd;

use std::sync::Arc;

use crate::error::{Class, Result};
use crate::log::{Consumer, Log};

use commit::{CommitSchedule, Then};
use complaints::Complaints;
use environment::Environment;
use input::Intake;
use losses::Unsaid;
use membership::Membership;
use ownership::Ownership;
use pace::Pace;
use panic::Panics;
use producers::Producers;
use purge::Purge;
use recovery::Failures;
use tasks::{Tasks, close_stores};

/// How far a stream thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
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
    environment: Environment<L>,
    consumer: L::Consumer,
    membership: Membership,
    tasks: Tasks,
    producers: Producers<L>,
    intake: Intake,
    commits: CommitSchedule,
    failures: Failures,
    panics: Panics,
    complaints: Complaints,
    purge: Purge,
    losses: Unsaid,
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
        let consumer = parts.log.consumer(&config::consumer_options(&config, &parts.instance_id, parts.thread))?;
        let now_ms = parts.clock.monotonic_ms();
        let transactional_id = config::transactional_id(&config, &parts.instance_id, parts.thread);
        Ok(Self {
            consumer,
            membership: Membership::new(Ownership::new(&parts.topology, config.group_protocol)),
            tasks: Tasks::default(),
            producers: Producers::new(transactional_id, config.guarantee, &parts.topology, now_ms),
            intake: Intake::new(Pace::new(config::turn_max_ms(&config))),
            commits: CommitSchedule::new(now_ms),
            failures: Failures::default(),
            panics: Panics::default(),
            complaints: Complaints::default(),
            purge: Purge::new(&parts.topology, config.repartition_purge_interval_ms, now_ms),
            losses: Unsaid::default(),
            environment: Environment::new(config, parts),
        })
    }

    /// One turn: poll, process, take partitions over or give them up, punctuate, commit if it is time. An error is one
    /// that the thread cannot mend.
    pub(crate) fn run_once(&mut self) -> Result<Turn> {
        match self.turn() {
            Ok(turn) => Ok(turn),
            Err(error) => self.recover(error).map(|()| Turn::default()),
        }
    }

    fn turn(&mut self) -> Result<Turn> {
        self.environment.watch.check()?;
        self.membership.subscribe(&mut self.consumer, &self.environment.topology)?;
        let record_count = self.poll()?;
        self.apply_changes()?;
        self.await_group();
        self.await_parts();
        self.await_restorer();
        self.advance_take_overs()?;
        self.advance_clocks()?;
        let committed = self.maybe_commit()?;
        let Self { environment, consumer, tasks, producers, intake, complaints, losses, purge, .. } = self;
        let now_ms = environment.monotonic_ms();
        if intake.must_measure(now_ms) {
            input::measure_lag(consumer, tasks);
            producers.serve();
        }
        environment.clean_up(tasks, now_ms);
        losses.say(complaints, false, now_ms);
        input::direct_consumer(environment, consumer, tasks)?;
        purge.look(environment, tasks, now_ms);
        Ok(Turn { record_count, committed })
    }

    fn advance_clocks(&mut self) -> Result<()> {
        let (now_ms, log_ahead_ms) = (self.environment.now_ms(), self.environment.log.clock_ahead_ms());
        for running in self.tasks.running_mut() {
            running.task.set_log_ahead(log_ahead_ms);
            running.call(|task| task.advance_clock(now_ms)).map_err(recovery::void)?;
            self.producers.send_outputs(running)?;
            // What was committed last is written down in time, whether more comes or not.
            running.task.stores().borrow_mut().flush_if_due(now_ms)?;
        }
        self.advance_until_end()
    }

    /// How far it is.
    pub(crate) fn state(&self) -> State {
        if self.environment.until_end.as_ref().is_some_and(|until_end| until_end.is_finished()) {
            return State::Finished;
        }
        match self.tasks.are_known() {
            false => State::Joining,
            true if self.tasks.all_run() => State::Running,
            true => State::Restoring,
        }
    }

    /// Commits, closes the stores and leaves the group. An error is one that a human must act on; where only leaving
    /// failed, all is committed, and the group finds out when the session times out.
    pub(crate) fn close(mut self) -> Result<()> {
        let committed = self.commit(Then::Leave);
        if let Err(error) = &committed {
            tracing::warn!(%error, "the last commit failed; its work will be done again");
        }
        self.losses.say(&mut self.complaints, true, self.environment.monotonic_ms());
        let deletion = self.purge.begin_last(&self.environment, &self.tasks);
        let clock = Arc::clone(&self.environment.clock);
        self.abandon();
        purge::finish(deletion, &*clock);
        match committed {
            Err(error) if error.class() == Class::Stop => Err(error),
            _ => Ok(()),
        }
    }

    /// Closes the stores and leaves the group; what is not committed is void.
    pub(crate) fn abandon(mut self) {
        self.give_all_up();
        for finished in self.environment.restorer.close() {
            close_stores(&finished.task, finished.stores);
        }
        if let Err(error) = self.consumer.leave() {
            tracing::warn!(%error, "could not leave the group; it will find out by itself");
        }
    }

    /// Closes all tasks, and gives up what is not committed.
    fn give_all_up(&mut self) {
        self.tasks.release_all(&self.environment.restorer);
        self.producers.give_up_open(|_| true);
        self.producers.discard_all();
        self.membership.end();
    }
}
