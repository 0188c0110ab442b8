//! Taking over a task, in this order:
//!
//! ```text
//! 1  init_transactions          aborts what the predecessor under the same id left open, and fences it
//! 2  committed offsets          stable ones: a pending transaction that holds some is waited for
//! 3  high watermark             of the changelogs, uncommitted data included  ┐ by the
//! 4  restore                    committed data, up to that watermark          ┘ restorer
//! 5  agree                      what was restored is what the offsets were committed with
//! 6  run                        read from the committed offset, or from where the restored state says
//! ```
//! Any other order can restore old state against newer offsets.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::graph::{OutputTopics, changelog_topic};
use crate::log::{self, Committed, Isolation, Log, Offset, TopicPartition, Watermarks};
use crate::processor::{InputRange, RuntimeOptions, Vouch};
use crate::store::{Fingerprint, Resources, Spec, StateDirectory, Stores};
use crate::task::{CommittedInput, InputStart, Metadata, QueueOptions, Task, TaskId, TaskOptions};
use crate::updater;

use super::assignment::{Assigned, Beginning, Kept, Pending, Phase, Restoring, Running};
use super::complaints::Subject;
use super::config::{producer_options, restore_options};
use super::producers::Slot;
use super::{StreamThread, close_stores};

/// Between attempts at something that is not possible yet.
const RETRY_MS: i64 = 250;
/// The same, for those who wait.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(RETRY_MS as u64);
/// How long a take-over waits for an answer about the topics; the next attempt comes soon.
const VOUCH_TIMEOUT: Duration = Duration::from_secs(1);
/// A task that cannot be taken over for this long, restoring not counted, stops the thread: nothing is assigned but idle for
/// ever.
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
            let id = task.id.clone();
            self.begin_take_over(index, waited_ms).or_else(|error| self.be_patient(&id, error, waited_ms))?;
        }
        while let Some(finished) = self.restorer.try_finished()? {
            self.start(finished)?;
        }
        Ok(())
    }

    fn begin_take_over(&mut self, index: usize, waited_ms: i64) -> Result<()> {
        let Some(task) = self.assigned.as_mut().and_then(|tasks| tasks.get_mut(index)) else { return Ok(()) };
        self.watch.vouch_within(VOUCH_TIMEOUT).map_err(not_yet)?;
        let timeout = Duration::from_millis(u64::from(self.config.request_timeout_ms));
        let options = producer_options(&self.config, &self.topology);
        let spec = &self.topology.sub_topologies[task.sub_topology];
        let own_slot = spec.single_writer.as_ref().map(|_| task.sub_topology);
        if let Some(slot) = self.slots.get_mut(&own_slot) {
            slot.prepare(&self.log, &options, timeout)?;
        }
        let committed = self.log.committed(&self.config.application_id, &task.partitions);
        let committed = committed.map_err(log::Error::may_pass)?;
        let Phase::Pending(pending) = &mut task.phase else { return Ok(()) };
        match std::mem::replace(&mut pending.kept, Kept::Nothing) {
            Kept::Task(running) if running.committed == committed => {
                tracing::info!(task = %task.id, "goes on");
                task.phase = Phase::Running(running);
                return Ok(());
            }
            Kept::Task(running) => pending.kept = running.task.into_stores().map_or(Kept::Nothing, Kept::undamaged),
            kept => pending.kept = kept,
        }
        let inputs = task.partitions.iter().zip(committed);
        let beginnings = inputs.map(|(partition, committed)| beginning(&self.log, partition, committed));
        let beginnings = beginnings.collect::<Result<Vec<Beginning>>>()?;

        let Phase::Pending(pending) = &mut task.phase else { return Ok(()) };
        let stores = match std::mem::replace(&mut pending.kept, Kept::Nothing) {
            Kept::Stores(stores) => *stores,
            Kept::Nothing | Kept::Task(_) => open_stores(
                self.state_directory.as_deref(),
                &self.resources,
                &task.id,
                &spec.stores,
                self.config.fingerprint,
            )?,
        };
        let changelogs = spec.stores.iter().map(|spec| {
            let topic = changelog_topic(&self.config.application_id, &spec.name);
            spec.has_changelog.then(|| updater::Changelog { topic, new_incarnation: (self.incarnations)() })
        });
        let plan = updater::Plan {
            partition: task.id.partition,
            changelogs: changelogs.collect(),
            options: restore_options(&self.config),
        };
        task.phase = Phase::Restoring(Restoring { beginnings, waited_ms, is_cancelled: false });
        self.restorer.submit(task.id.clone(), stores, plan)
    }

    /// A task's stores are back from the restorer. A task that cannot run yet keeps them, and waits to be taken over again.
    fn start(&mut self, finished: updater::Finished<TaskId>) -> Result<()> {
        let updater::Finished { task: id, stores, outcome } = finished;
        self.returning.remove(&id);
        let restoring = |task: &Assigned| match &task.phase {
            Phase::Restoring(restoring) if task.id == id => Some(restoring.clone()),
            _ => None,
        };
        let now_ms = self.clock.monotonic_ms();
        if let Some(parked) = self.parked.iter_mut().find(|task| restoring(task).is_some()) {
            parked.phase = Phase::Pending(Pending::new(Kept::undamaged(stores), now_ms, now_ms));
            return Ok(());
        }
        let mut tasks = self.assigned.iter().flatten().enumerate();
        let Some((index, Restoring { beginnings, waited_ms, is_cancelled })) =
            tasks.find_map(|(index, task)| Some((index, restoring(task)?)))
        else {
            close_stores(&id, stores);
            return Ok(());
        };
        if let (Some(until_end), Some(task)) = (&mut self.until_end, self.assigned.iter().flatten().nth(index)) {
            for (partition, beginning) in task.partitions.iter().zip(&beginnings) {
                until_end.reach(task.sub_topology, partition, beginning.range.stable_end);
            }
        }
        let again = |kept| Phase::Pending(Pending::new(kept, now_ms - waited_ms, now_ms + RETRY_MS));
        let (phase, result) = match outcome {
            // What was asked back is wanted again.
            _ if is_cancelled => {
                let pending = Pending::new(Kept::undamaged(stores), now_ms - waited_ms, now_ms);
                (Phase::Pending(pending), Ok(()))
            }
            updater::Outcome::Cancelled => (again(Kept::undamaged(stores)), Ok(())),
            updater::Outcome::Failed(error) => (again(Kept::undamaged(stores)), Err(error)),
            updater::Outcome::Restored(restored) => {
                self.metrics.add_restored(restored.iter().map(|store| store.records).sum());
                tell_restored(&id, &restored);
                let as_left = restored.iter().all(updater::Restored::is_as_left);
                match self.make_task(index, beginnings, (stores, as_left)) {
                    Ok(running) => {
                        if let Some(waited_ms) = self.complaints.over(&Subject::TakeOver(id.clone()), now_ms) {
                            tracing::info!(task = %id, waited_ms, "the task could be taken over");
                        }
                        (Phase::Running(Box::new(running)), Ok(()))
                    }
                    Err((error, kept)) => (again(kept), Err(self.cause_of(error))),
                }
            }
        };
        if let Some(task) = self.assigned.iter_mut().flatten().nth(index) {
            task.phase = phase;
        }
        result.or_else(|error| self.be_patient(&id, error, waited_ms))
    }

    /// What cannot be done yet is done later, within limits.
    fn be_patient(&mut self, task: &TaskId, error: Error, waited_ms: i64) -> Result<()> {
        if error.class() != Class::Retry {
            return Err(error);
        }
        if waited_ms >= TAKE_OVER_MAX_MS {
            return Err(Error::stop(format!("gave up taking task {task} over after {waited_ms} ms: {error}")));
        }
        let subject = Subject::TakeOver(task.clone());
        if self.complaints.due(subject, 0, self.clock.monotonic_ms()).is_some() {
            tracing::warn!(%task, %error, waited_ms, "cannot take the task over yet; trying again");
        }
        Ok(())
    }

    /// What a task refuses at its beginning may come of a topic that was made anew: with it went the group's offset.
    fn cause_of(&self, error: Error) -> Error {
        if error.class() != Class::Stop {
            return error;
        }
        // What vouched for the topics before does not vouch for them now.
        self.watch.input_read();
        match self.watch.vouch_within(VOUCH_TIMEOUT) {
            Err(cause) if cause.class() == Class::Stop => cause,
            _ => error,
        }
    }

    /// The consumer is told where it begins at the end of the turn. An error gives the stores back.
    fn make_task(
        &self,
        index: usize,
        beginnings: Vec<Beginning>,
        (stores, stores_as_left): (Stores, bool),
    ) -> Result<Running, (Error, Kept)> {
        let Some(Assigned { sub_topology, id, .. }) = self.assigned.iter().flatten().nth(index) else {
            return Err((Error::stop("a task that nobody assigned was restored"), Kept::undamaged(stores)));
        };
        let spec = &self.topology.sub_topologies[*sub_topology];
        let slot = spec.single_writer.as_ref().map(|_| *sub_topology);
        if !self.slots.get(&slot).is_some_and(Slot::is_prepared) {
            let message = "another task's failure took the producer while stores were restored";
            return Err((Error::new(Class::Retry, message), Kept::undamaged(stores)));
        }
        let OutputTopics { names: topics, dead_letters, changelogs } = spec.outputs(&self.config.application_id);
        let found = beginnings.iter().map(|beginning| beginning.found.clone()).collect();
        let inputs = beginnings.into_iter().zip(dead_letters);
        let inputs = inputs.map(|(Beginning { committed, range, .. }, dead_letters)| InputStart {
            committed,
            range,
            dead_letters,
        });
        let runtime = RuntimeOptions {
            // A restore that was begun again may have read something the first time.
            stores_as_left: stores_as_left && !stores.is_read_into(),
            now_ms: self.clock.now_ms(),
            topics: topics.clone(),
            limits: Arc::clone(&self.limits),
            vouch: Rc::clone(&self.watch) as Rc<dyn Vouch>,
        };
        let queues = QueueOptions { max_idle_ms: self.config.max_task_idle_ms, max_bytes: self.config.queue_max_bytes };
        let options = TaskOptions {
            id: id.clone(),
            sub_topology: *sub_topology,
            inputs: inputs.collect(),
            runtime,
            changelogs,
            queues,
        };
        let stores = Rc::new(RefCell::new(stores));
        match Task::new(&self.topology, options, Rc::clone(&stores)) {
            Ok(task) => {
                task.stores().borrow_mut().note_begun();
                let offsets: Vec<Offset> = (0..task.input_count()).map(|input| task.next_offset(input)).collect();
                tracing::info!(task = %id, ?offsets, "running");
                Ok(Running { task, slot, topics, committed: found, paused: vec![true; offsets.len()] })
            }
            Err(error) => {
                let stores = Rc::into_inner(stores).map(RefCell::into_inner);
                Err((error, stores.map_or(Kept::Nothing, Kept::undamaged)))
            }
        }
    }
}

/// Nothing was done yet that would be void.
fn not_yet(error: Error) -> Error {
    match error.class() {
        Class::Rewind => Error::new(Class::Retry, error.to_string()).caused_by(error),
        _ => error,
    }
}

/// In the task's directory, or without one in memory.
fn open_stores(
    directory: Option<&StateDirectory>,
    resources: &Resources,
    task: &TaskId,
    specs: &[Spec],
    fingerprint: Fingerprint,
) -> Result<Stores> {
    Ok(match directory {
        Some(directory) => {
            Stores::open(specs.to_vec(), directory.lock_task(&task.to_string())?, resources, fingerprint)?
        }
        None => Stores::in_memory(specs.to_vec(), fingerprint, resources)?,
    })
}

/// One line per task: an operator sees from it whether a start read on or began from empty.
fn tell_restored(task: &TaskId, restored: &[updater::Restored]) {
    let count = |of: fn(&updater::Decision) -> bool| restored.iter().filter(|store| of(&store.decision)).count();
    let continued = count(|decision| matches!(decision, updater::Decision::Continue(_)));
    let rebuilt = count(|decision| matches!(decision, updater::Decision::Rebuild(_)));
    let begun = count(|decision| matches!(decision, updater::Decision::Begin));
    let records: u64 = restored.iter().map(|store| store.records).sum();
    tracing::info!(%task, records, continued, rebuilt, begun, "restored");
}

/// What tells where an input of a task begins; its processors have a say in it.
fn beginning<L: Log>(log: &L, partition: &TopicPartition, found: Option<Committed>) -> Result<Beginning> {
    let watermarks = |isolation| log.watermarks(partition, isolation).map_err(log::Error::may_pass);
    let Watermarks { low: first, high: stable_end } = watermarks(Isolation::ReadCommitted)?;
    let end = watermarks(Isolation::ReadUncommitted)?.high.max(stable_end);
    let metadata = found.as_ref().map_or(Ok(Metadata::default()), |found| Metadata::decode(&found.metadata));
    let metadata = metadata.map_err(|error| Error::stop(error.to_string()))?;
    let offset = found.as_ref().map(|found| found.offset);
    Ok(Beginning {
        found,
        committed: CommittedInput { input: partition.clone(), offset, metadata },
        range: InputRange { first, stable_end, end },
    })
}
