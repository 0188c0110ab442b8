//! Taking over a task, in this order:
//!
//! ```text
//! 1  init_transactions          aborts what the predecessor under the same id left open, and fences it
//! 2  committed offsets          stable ones: a pending transaction that holds some is waited for
//! 3  high watermark             of the changelogs, uncommitted data included  ┐ by the
//! 4  restore                    committed data, up to that watermark          ┘ restorer
//! 5  run                        read from the committed offset
//! ```
//! Any other order can restore old state against newer offsets.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::graph::OutputTopics;
use crate::log::{Committed, Consumer, Isolation, Log, Offset, TopicPartition};
use crate::processor::RuntimeOptions;
use crate::restore;
use crate::store::{Fingerprint, Shared, Spec, StateDirectory, Stores};
use crate::task::{Metadata, Task, TaskId, TaskOptions};

use super::assignment::{Assigned, Pending, Phase, Running};
use super::{Config, StreamThread, changelog_topic, close_stores, producer_options};

/// Between attempts at something that is not possible yet.
const RETRY_MS: i64 = 250;
/// A task that cannot be taken over for this long stops the thread: nothing is assigned but idle for ever.
const TAKE_OVER_MAX_MS: i64 = 5 * 60 * 1000;

impl<L: Log> StreamThread<L> {
    /// Brings pending tasks one step further, and restored ones to life.
    pub(super) fn advance_take_overs(&mut self) -> Result<()> {
        let now_ms = self.clock.monotonic_ms();
        for index in 0..self.assigned.as_ref().map_or(0, Vec::len) {
            let Some(task) = self.assigned.as_mut().and_then(|tasks| tasks.get_mut(index)) else { break };
            let Phase::Pending(pending) = &mut task.phase else { continue };
            if now_ms < pending.not_before_ms || self.returning.contains(&task.id) {
                continue;
            }
            pending.not_before_ms = now_ms + RETRY_MS;
            let waited_ms = now_ms - pending.since_ms;
            match self.begin_take_over(index) {
                Ok(()) => {}
                Err(error) if error.class() == Class::Retry && waited_ms < TAKE_OVER_MAX_MS => {
                    tracing::warn!(%error, waited_ms, "cannot take the task over yet; trying again");
                }
                Err(error) if error.class() == Class::Retry => {
                    return Err(Error::stop(format!("gave up taking a task over after {waited_ms} ms: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
        while let Some(finished) = self.restorer.try_finished() {
            self.start(finished)?;
        }
        Ok(())
    }

    fn begin_take_over(&mut self, index: usize) -> Result<()> {
        let Some(task) = self.assigned.as_mut().and_then(|tasks| tasks.get_mut(index)) else { return Ok(()) };
        let timeout = Duration::from_millis(u64::from(self.config.request_timeout_ms));
        let options = producer_options(&self.config, &self.topology);
        let own_slot =
            self.topology.sub_topologies[task.sub_topology].single_writer.as_ref().map(|_| task.sub_topology);
        if let Some(slot) = self.slots.get_mut(&own_slot) {
            slot.prepare(&self.log, &options, timeout)?;
        }
        let partitions = std::slice::from_ref(&task.partition);
        let committed = self.log.committed(&self.config.application_id, partitions)?.pop().flatten();

        let Phase::Pending(pending) = &mut task.phase else { return Ok(()) };
        let specs = &self.topology.sub_topologies[task.sub_topology].stores;
        let stores = match pending.stores.take() {
            Some(stores) => *stores,
            None => open_stores(
                self.state_directory.as_deref(),
                &self.store_memory,
                &task.id,
                specs,
                self.config.fingerprint,
            )?,
        };
        let changelogs = specs.iter().map(|spec| restore::Changelog {
            topic: changelog_topic(&self.config.application_id, &spec.name),
            new_incarnation: (self.incarnations)(),
        });
        let plan = restore::Plan {
            partition: task.partition.partition,
            changelogs: changelogs.collect(),
            options: restore_options(&self.config),
        };
        task.phase = Phase::Restoring { committed };
        self.restorer.submit(task.id.clone(), stores, plan)
    }

    /// A task's stores are back from the restorer.
    fn start(&mut self, finished: restore::Finished<TaskId>) -> Result<()> {
        let restore::Finished { task: id, stores, outcome } = finished;
        self.returning.remove(&id);
        let waits = |task: &&mut Assigned| task.id == id && matches!(task.phase, Phase::Restoring { .. });
        let Some(task) = self.assigned.iter_mut().flatten().find(waits) else {
            close_stores(&id, stores);
            return Ok(());
        };
        let now_ms = self.clock.monotonic_ms();
        let again = |stores| Phase::Pending(Pending { since_ms: now_ms, not_before_ms: now_ms + RETRY_MS, stores });
        let restored = match outcome {
            restore::Outcome::Restored(restored) => restored,
            restore::Outcome::Cancelled => {
                task.phase = again(Some(Box::new(stores)));
                return Ok(());
            }
            restore::Outcome::Failed(error) if error.class() == Class::Retry => {
                tracing::warn!(task = %id, %error, "restoring did not finish; beginning again");
                task.phase = again(Some(Box::new(stores)));
                return Ok(());
            }
            restore::Outcome::Failed(error) => return Err(error),
        };
        let Phase::Restoring { committed } = std::mem::replace(&mut task.phase, again(None)) else { return Ok(()) };
        self.metrics.add_restored(restored.iter().map(|store| store.records).sum());
        tell_restored(&id, &restored);
        let (partition, sub_topology) = (task.partition.clone(), task.sub_topology);
        let running = self.make_task(&partition, sub_topology, id, committed, stores)?;
        let next_offset = running.task.next_offset();
        self.consumer.seek(&partition, next_offset)?;
        self.consumer.resume(std::slice::from_ref(&partition))?;
        tracing::info!(task = %running.task.id(), offset = next_offset, "running");
        if let Some(task) = self.assigned.iter_mut().flatten().find(|task| task.partition == partition) {
            task.phase = Phase::Running(Box::new(running));
        }
        Ok(())
    }

    pub(super) fn make_task(
        &mut self,
        partition: &TopicPartition,
        sub_topology: usize,
        id: TaskId,
        committed: Option<Committed>,
        stores: Stores,
    ) -> Result<Running> {
        let spec = &self.topology.sub_topologies[sub_topology];
        let OutputTopics { names: topics, dead_letters, changelogs } = spec.outputs(&self.config.application_id);
        let next_offset = first_offset(&self.log, partition, committed.as_ref())?;
        let metadata = committed.as_ref().map(|committed| Metadata::decode(&committed.metadata)).transpose();
        let metadata = metadata.map_err(|error| Error::stop(error.to_string()))?.unwrap_or_default();
        let runtime = RuntimeOptions {
            partition: partition.clone(),
            next_offset,
            input_end: self.log.watermarks(partition, Isolation::ReadCommitted)?.high,
            stream_time_ms: metadata.stream_time_ms,
            now_ms: self.clock.now_ms(),
            topics: topics.clone(),
            dead_letters,
            dead_letter_max_bytes: self.config.dead_letter_max_bytes,
        };
        let options = TaskOptions { id, sub_topology, runtime, changelogs };
        let task = Task::new(&self.topology, options, Rc::new(RefCell::new(stores)))?;
        let slot = spec.single_writer.as_ref().map(|_| sub_topology);
        Ok(Running { task, slot, topics, paused: false, delivered_to: next_offset })
    }
}

/// In the task's directory, or without one in memory.
fn open_stores(
    directory: Option<&StateDirectory>,
    memory: &Shared,
    task: &TaskId,
    specs: &[Spec],
    fingerprint: Fingerprint,
) -> Result<Stores> {
    Ok(match directory {
        Some(directory) => Stores::open(specs.to_vec(), directory.lock_task(&task.to_string())?, memory, fingerprint)?,
        None => Stores::in_memory(specs.to_vec(), fingerprint, memory.options())?,
    })
}

/// One line per task: an operator sees from it whether a start read on or began from empty.
fn tell_restored(task: &TaskId, restored: &[restore::Restored]) {
    let count = |of: fn(&restore::Decision) -> bool| restored.iter().filter(|store| of(&store.decision)).count();
    let continued = count(|decision| matches!(decision, restore::Decision::Continue(_)));
    let rebuilt = count(|decision| matches!(decision, restore::Decision::Rebuild(_)));
    let begun = count(|decision| matches!(decision, restore::Decision::Begin));
    let records: u64 = restored.iter().map(|store| store.records).sum();
    tracing::info!(%task, records, continued, rebuilt, begun, "restored");
}

fn restore_options(config: &Config) -> restore::Options {
    restore::Options {
        transaction_timeout_ms: i64::from(config.transaction_timeout_ms),
        client_id: format!("{}-restore", config.application_id),
        ..restore::Options::default()
    }
}

/// Where a task begins to read: at the committed offset, or at the first record there is. Input that was deleted before it was
/// processed is said aloud; nobody can bring it back.
fn first_offset<L: Log>(log: &L, partition: &TopicPartition, committed: Option<&Committed>) -> Result<Offset> {
    let low = log.watermarks(partition, Isolation::ReadCommitted)?.low;
    match committed {
        Some(committed) if committed.offset < low => {
            let lost = low - committed.offset;
            tracing::error!(%partition, committed = committed.offset, low, lost, "input was deleted before it was processed");
            Ok(low)
        }
        Some(committed) => Ok(committed.offset),
        None => Ok(low),
    }
}
