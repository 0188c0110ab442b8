//! The commit.
//!
//! ```text
//!                      die here, or fail: only work is lost; rewind
//! prepare_commit ──> send changelog records ──> flush ──> send offsets ──> commit
//!                                                                            │  die here: stores are behind, restore
//!                                                                            v
//!                                                     Task::committed: overlays + positions ──> stores
//! ```
//! An outcome that is not known is treated as a failure: the rewind reads back what really happened.

use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::log::{Consumer, Log, OffsetCommit, TopicPartition};

use super::assignment::{Assigned, Running};
use super::recovery::void;
use super::{StreamThread, send_outputs};

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
            self.commit()?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn wants_commit(&self) -> bool {
        self.slots.values().any(super::Slot::is_open) || self.running().any(|running| running.task.needs_commit())
    }

    pub(super) fn commit_due_ms(&self) -> i64 {
        let is_idle = !self.slots.values().any(super::Slot::is_open) && self.running().all(|run| run.task.is_idle());
        let at_least_ms = if is_idle { IDLE_COMMIT_INTERVAL_MS } else { 0 };
        self.last_commit_ms.saturating_add(self.config.commit_interval_ms.max(at_least_ms))
    }

    fn uncommitted_bytes(&self) -> usize {
        let sent: usize = self.slots.values().map(super::Slot::sent_bytes).sum();
        sent + self.running().map(|running| running.task.uncommitted_bytes()).sum::<usize>()
    }

    /// Commits what all tasks did since the last commit: one transaction for each producer that has something.
    pub(super) fn commit(&mut self) -> Result<()> {
        let keys: Vec<Option<usize>> = self.slots.keys().copied().collect();
        for key in keys {
            self.commit_slot(key)?;
        }
        self.last_commit_ms = self.clock.monotonic_ms();
        self.fencing.committed();
        Ok(())
    }

    fn commit_slot(&mut self, key: Option<usize>) -> Result<()> {
        let timeout = Duration::from_millis(u64::from(self.config.request_timeout_ms));
        let is_open = self.slots.get(&key).is_some_and(super::Slot::is_open);
        let mine = |running: &Running| running.slot == key;
        if !is_open && !self.running().any(|running| mine(running) && running.task.needs_commit()) {
            return Ok(());
        }
        if self.consumer.assignment_lost() {
            return Err(Error::new(Class::Rejoin, "the group took this member's partitions away before the commit"));
        }
        let now_ms = self.clock.now_ms();
        let Self { assigned, slots, consumer, metrics, clock, .. } = self;
        let mut tasks: Vec<&mut Running> =
            assigned.iter_mut().flatten().filter_map(Assigned::running_mut).filter(|running| mine(running)).collect();

        let mut offsets: Vec<OffsetCommit> = Vec::with_capacity(tasks.len());
        for running in &mut tasks {
            let slot = slots.get_mut(&key).ok_or_else(|| Error::stop("a task has no producer"))?;
            offsets.push(running.task.prepare_commit(&mut |outputs| slot.send(outputs)).map_err(void)?);
        }
        // Fresh, for a rebalance since the last commit changes it.
        let group = consumer.group().ok_or_else(|| Error::new(Class::Rejoin, "this member is in no group"))?;
        let slot = slots.get_mut(&key).ok_or_else(|| Error::stop("a task has no producer"))?;
        let began_ms = clock.monotonic_ms();
        slot.commit(&offsets, &group, timeout)?;
        metrics.add_commit(clock.monotonic_ms() - began_ms);

        for (running, commit) in tasks.iter_mut().zip(&offsets) {
            let slot = slots.get(&key);
            let Running { task, topics, .. } = &mut **running;
            let delivered = |topic: &str| {
                let partition = TopicPartition::new(topic, commit.partition.partition);
                slot.and_then(|slot| slot.delivered(&partition))
            };
            task.committed(commit.offset, |target| delivered(&topics[target.0]), now_ms).map_err(void)?;
        }
        // What processors did on hearing of it belongs to the next transaction.
        for running in tasks {
            send_outputs(slots, running)?;
        }
        Ok(())
    }
}
