//! The commit.
//!
//! ```text
//!                      die here, or fail: only work is lost; rewind
//! prepare_commit ──> send changelog records ──> flush ──> send offsets ──> commit
//!      └── has a check of the topics begin; it must have passed before ───────┘  │  die here: stores are behind, restore
//!                                                                            v
//!                                                     Task::committed: overlays + positions ──> stores
//! ```
//! The check vouches for all input of the transaction: it is of the topics that were there when the run began. It costs
//! no time, for its answer comes while the records are flushed. An outcome that is not known is treated as a failure:
//! the rewind reads back what really happened.

use crate::error::{Class, Error, Result};
use crate::log::{Committed, Consumer, Log, Offset, OffsetCommit, TopicPartition};
use crate::processor::Outputs;
use crate::task::{Task, cycle};

use super::StreamThread;
use super::complaints::Subject;
use super::environment::Environment;
use super::producers::{Producers, TransactionalProducer, Writer};
use super::recovery::{Failures, void};
use super::tasks::{Running, Tasks};

/// A store knows when it was up to date last, and after half of `delete.retention.ms` (12 h by default) it must be
/// rebuilt. So a task without input commits nothing but its position, this often: no other member can have written in
/// the meantime.
const RENEW_MS: i64 = 60 * 60 * 1000;

/// What comes after a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The next transaction.
    GoOn,
    /// Nothing: a transaction that was opened now would never be committed, and hold readers up.
    Leave,
}

/// Time between commits of a position that only passed over the markers behind others' transactions, ms.
const IDLE_COMMIT_INTERVAL_MS: i64 = 1_000;

/// When the next commit is due.
pub(super) struct CommitSchedule {
    last_ms: i64,
}

impl CommitSchedule {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { last_ms: now_ms }
    }

    /// Monotonic ms.
    pub(super) fn due_ms<L: Log>(&self, env: &Environment<L>, tasks: &Tasks, producers: &Producers<L>) -> i64 {
        let is_idle = !producers.any_open() && tasks.running().all(|running| running.task.is_idle());
        let at_least_ms = if is_idle { IDLE_COMMIT_INTERVAL_MS } else { 0 };
        self.last_ms.saturating_add(i64::from(env.config.commit_interval_ms).max(at_least_ms))
    }
}

impl<L: Log> StreamThread<L> {
    /// Commits if there is something to commit and the interval has passed, too much is waiting, or a processor asked
    /// for it.
    pub(super) fn maybe_commit(&mut self) -> Result<bool> {
        let Self { environment, tasks, producers, commits, .. } = &*self;
        let now_ms = environment.monotonic_ms();
        if !wants_commit(tasks, producers, now_ms) {
            return Ok(false);
        }
        let interval_passed = now_ms >= commits.due_ms(environment, tasks, producers);
        let asked = tasks.running().any(|running| running.task.commit_requested());
        if interval_passed || asked || uncommitted_bytes(tasks, producers) > environment.config.uncommitted_max_bytes {
            let committed = self.commit(Then::GoOn)?;
            // Once for all tasks: the group must not wait long for an answer.
            self.environment.resources.pace();
            return Ok(committed);
        }
        Ok(false)
    }

    /// Commits what all tasks did since the last commit: one transaction for each producer that has something. Returns
    /// whether any had.
    pub(super) fn commit(&mut self, then: Then) -> Result<bool> {
        let mut any = false;
        for writer in self.producers.writers() {
            if writer_wants_commit(&self.tasks, &self.producers, writer, self.environment.monotonic_ms()) {
                self.commit_of(writer, then)?;
                self.losses.note(self.tasks.of_writer(writer), &self.environment.metrics);
                any = true;
            }
        }
        self.commits.last_ms = self.environment.monotonic_ms();
        if any {
            self.failures.backoff.succeeded();
            if let Some(waited_ms) = self.complaints.over(&Subject::Commit, self.commits.last_ms) {
                tracing::info!(group = self.environment.group(), waited_ms, "commits again");
            }
        }
        Ok(any)
    }

    fn commit_of(&mut self, writer: Writer, then: Then) -> Result<()> {
        let Self { environment, consumer, tasks, producers, failures, .. } = self;
        if consumer.assignment_lost() {
            return Err(Error::new(Class::Rejoin, "the group took this member's partitions away before the commit"));
        }
        environment.watch.ask();
        let now_ms = environment.now_ms();
        let mut tasks: Vec<&mut Running> = tasks.of_writer(writer).collect();
        let mut transaction = OpenTransaction { producer: producers.get_mut(writer)?, consumer, environment, failures };
        let committed = cycle::commit(&mut tasks, &mut transaction, now_ms).map_err(void)?;
        for (running, offsets) in tasks.iter_mut().zip(committed) {
            let found = |commit: OffsetCommit| Committed { offset: commit.offset, metadata: commit.metadata };
            running.committed = offsets.into_iter().map(|commit| Some(found(commit))).collect();
        }
        // What processors did on hearing of it belongs to the next transaction.
        if then == Then::GoOn {
            for running in tasks {
                producers.send_outputs(running)?;
            }
        }
        Ok(())
    }
}

/// The transaction of a producer, and what it takes to commit it.
struct OpenTransaction<'t, L: Log> {
    producer: &'t mut TransactionalProducer<L>,
    consumer: &'t mut L::Consumer,
    environment: &'t Environment<L>,
    failures: &'t mut Failures,
}

impl<L: Log> cycle::Transaction for OpenTransaction<'_, L> {
    fn send(&mut self, outputs: &mut Outputs) -> Result<()> {
        self.producer.send(outputs)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        let Self { producer, consumer, environment, failures } = self;
        let began_ms = environment.monotonic_ms();
        if let Err(error) = producer.commit(offsets, consumer, environment.request_timeout(), &*environment.watch) {
            // The membership is good, and so will the next generation be.
            failures.is_other_generation = error.class() == Class::Rejoin && !consumer.assignment_lost();
            return Err(error);
        }
        producer.committed_ms = environment.monotonic_ms();
        environment.note_commit(producer.committed_ms - began_ms);
        Ok(())
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.producer.delivered(partition)
    }
}

impl cycle::Guarded for Running {
    fn call<T>(&mut self, call: impl FnOnce(&mut Task) -> Result<T>) -> Result<T> {
        Running::call(self, call)
    }
}

/// Whether there is something to commit.
pub(super) fn wants_commit<L: Log>(tasks: &Tasks, producers: &Producers<L>, now_ms: i64) -> bool {
    producers.writers().into_iter().any(|writer| writer_wants_commit(tasks, producers, writer, now_ms))
}

fn writer_wants_commit<L: Log>(tasks: &Tasks, producers: &Producers<L>, writer: Writer, now_ms: i64) -> bool {
    let Some(producer) = producers.get(writer) else { return false };
    let is_old = now_ms.saturating_sub(producer.committed_ms) >= RENEW_MS;
    let wants = |task: &Running| task.task.wants_commit() || (is_old && task.task.has_changelogs());
    producer.is_open() || tasks.running().any(|task| task.writer == writer && wants(task))
}

fn uncommitted_bytes<L: Log>(tasks: &Tasks, producers: &Producers<L>) -> usize {
    producers.sent_bytes() + tasks.running().map(|running| running.task.uncommitted_bytes()).sum::<usize>()
}
