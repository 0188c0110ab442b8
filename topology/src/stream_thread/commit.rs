//! The commit.
//!
//! ```text
//!                      die here, or fail: only work is lost; rewind
//! prepare_commit ──> send changelog records ──> flush ──> send offsets ──> commit
//!      └── has a check of the topics begin; it must have passed before ───────┘  │  die here: stores are behind, restore
//!                                                                            v
//!                                                     Task::committed: overlays + positions ──> stores
//! ```
//! The check vouches for all input of the transaction: it is of the topics that were there when the run began. It costs no
//! time, for its answer comes while the records are flushed.
//! An outcome that is not known is treated as a failure: the rewind reads back what really happened.

use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::log::{Committed, Consumer, Log, OffsetCommit, TopicPartition};

use super::StreamThread;
use super::assignment::{Assigned, Running};
use super::complaints::Subject;
use super::input::send_outputs;
use super::producers::Slot;
use super::recovery::void;

/// A store knows when it was up to date last, and after half of `delete.retention.ms` (12 h by default) it must be rebuilt.
/// So a task without input commits nothing but its position, this often: nobody else can have written in the meantime.
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

impl<L: Log> StreamThread<L> {
    /// Commits if there is something to commit and the interval has passed, too much is waiting, or a processor asked for it.
    pub(super) fn maybe_commit(&mut self) -> Result<bool> {
        if !self.wants_commit() {
            return Ok(false);
        }
        let interval_passed = self.clock.monotonic_ms() >= self.commit_due_ms();
        let asked = self.running().any(|running| running.task.commit_requested());
        if interval_passed || asked || self.uncommitted_bytes() > self.config.uncommitted_max_bytes {
            let committed = self.commit(Then::GoOn)?;
            // Once for all tasks: the group must not wait long for an answer.
            self.resources.pace();
            return Ok(committed);
        }
        Ok(false)
    }

    pub(super) fn wants_commit(&self) -> bool {
        self.slots.keys().any(|key| self.slot_wants_commit(*key))
    }

    fn slot_wants_commit(&self, key: Option<usize>) -> bool {
        let Some(slot) = self.slots.get(&key) else { return false };
        let is_old = self.clock.monotonic_ms().saturating_sub(slot.committed_ms) >= RENEW_MS;
        let wants = |task: &Running| task.task.wants_commit() || (is_old && task.task.has_changelogs());
        slot.is_open() || self.running().any(|task| task.slot == key && wants(task))
    }

    pub(super) fn commit_due_ms(&self) -> i64 {
        let is_idle = !self.slots.values().any(Slot::is_open) && self.running().all(|running| running.task.is_idle());
        let at_least_ms = if is_idle { IDLE_COMMIT_INTERVAL_MS } else { 0 };
        self.last_commit_ms.saturating_add(i64::from(self.config.commit_interval_ms).max(at_least_ms))
    }

    fn uncommitted_bytes(&self) -> usize {
        let sent: usize = self.slots.values().map(Slot::sent_bytes).sum();
        sent + self.running().map(|running| running.task.uncommitted_bytes()).sum::<usize>()
    }

    /// Commits what all tasks did since the last commit: one transaction for each producer that has something. Returns
    /// whether any had.
    pub(super) fn commit(&mut self, then: Then) -> Result<bool> {
        let keys: Vec<Option<usize>> = self.slots.keys().copied().collect();
        let mut any = false;
        for key in keys {
            if self.slot_wants_commit(key) {
                self.commit_slot(key, then)?;
                self.note_losses(key);
                any = true;
            }
        }
        self.last_commit_ms = self.clock.monotonic_ms();
        if any {
            self.fencing.committed();
            if let Some(waited_ms) = self.complaints.over(&Subject::Commit, self.last_commit_ms) {
                tracing::info!(group = self.config.application_id, waited_ms, "commits again");
            }
        }
        Ok(any)
    }

    fn commit_slot(&mut self, key: Option<usize>, then: Then) -> Result<()> {
        let timeout = Duration::from_millis(u64::from(self.config.request_timeout_ms));
        if self.consumer.assignment_lost() {
            return Err(Error::new(Class::Rejoin, "the group took this member's partitions away before the commit"));
        }
        self.watch.ask();
        let now_ms = self.clock.now_ms();
        let Self { assigned, slots, consumer, metrics, clock, watch, fencing, .. } = self;
        let tasks = assigned.iter_mut().flatten().filter_map(Assigned::running_mut);
        let mut tasks: Vec<&mut Running> = tasks.filter(|task| task.slot == key).collect();

        let mut offsets: Vec<OffsetCommit> = Vec::with_capacity(tasks.len());
        for running in &mut tasks {
            let slot = slots.get_mut(&key).ok_or_else(|| Error::stop("a task has no producer"))?;
            offsets.extend(running.task.prepare_commit(&mut |outputs| slot.send(outputs)).map_err(void)?);
        }
        // Fresh, for a rebalance since the last commit changes it.
        let group = consumer.group().ok_or_else(|| Error::new(Class::Rejoin, "this member is in no group"))?;
        let slot = slots.get_mut(&key).ok_or_else(|| Error::stop("a task has no producer"))?;
        let began_ms = clock.monotonic_ms();
        if let Err(error) = slot.commit(&offsets, &group, timeout, &**watch) {
            // The membership is good, and so will the next generation be.
            let is_stale = error.class() == Class::Rejoin && !consumer.assignment_lost();
            fencing.is_other_generation = is_stale;
            return Err(error);
        }
        slot.committed_ms = clock.monotonic_ms();
        metrics.add_commit(slot.committed_ms - began_ms);

        let mut rest = &offsets[..];
        for running in &mut tasks {
            let Running { task, topics, committed, .. } = &mut **running;
            let (commits, others) = rest.split_at(task.input_count());
            rest = others;
            let found = |commit: &OffsetCommit| Committed { offset: commit.offset, metadata: commit.metadata.clone() };
            *committed = commits.iter().map(|commit| Some(found(commit))).collect();
            let partition = task.id().partition;
            let delivered = |topic: &str| slot.delivered(&TopicPartition::new(topic, partition));
            task.committed(commits, |target| delivered(&topics[target.0]), now_ms).map_err(void)?;
        }
        // What processors did on hearing of it belongs to the next transaction.
        if then == Then::GoOn {
            for running in tasks {
                send_outputs(slots, running)?;
            }
        }
        Ok(())
    }
}
