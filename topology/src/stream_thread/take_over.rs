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
use crate::query::Standing;
use crate::standby::Claim;
use crate::store::{Spec, Stores};
use crate::task::{CommittedInput, InputStart, Metadata, QueueOptions, Task, TaskId, TaskOptions};
use crate::updater::{self, NewChangelog};

use super::StreamThread;
use super::complaints::{Complaints, Subject};
use super::config::{producer_options, restore_options};
use super::environment::Environment;
use super::panic::Panic;
use super::producers::{Producers, TransactionalProducer, Writer};
use super::tasks::{Assigned, Beginning, Kept, Pending, Phase, Restoring, Running, close_stores};

/// Until it is looked again whether a standby's stores have come, ms.
const STANDBY_MS: i64 = 5;
/// Between attempts at something that is not possible yet.
const RETRY_MS: i64 = 250;
/// The same, for those who wait.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(RETRY_MS as u64);
/// How long a take-over waits for an answer about the topics; the next attempt comes soon.
const VOUCH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a take-over waits for stable offsets while other tasks of the thread run, which stand still meanwhile, ms.
/// A broker answers within some; the transaction of a producer that has died is open until it times out.
const STABLE_MS: i64 = 200;
/// A task that cannot be taken over for this long, restoring not counted, stops the thread: nothing is assigned but
/// idle for ever.
const TAKE_OVER_MAX_MS: i64 = 5 * 60 * 1000;

impl<L: Log> StreamThread<L> {
    /// Brings pending tasks one step further, and restored ones to life.
    pub(super) fn advance_take_overs(&mut self) -> Result<()> {
        let Self { environment, tasks, producers, complaints, .. } = self;
        let now_ms = environment.monotonic_ms();
        let others_run = tasks.running().next().is_some();
        let returning = &tasks.returning;
        for task in tasks.assigned.iter_mut().flatten() {
            let Phase::Pending(pending) = &mut task.phase else { continue };
            if now_ms < pending.not_before_ms || returning.contains(&task.id) {
                continue;
            }
            pending.not_before_ms = now_ms + RETRY_MS;
            let waited_ms = now_ms - pending.since_ms;
            // The broker may be one that needs longer.
            let patience = Duration::from_millis((STABLE_MS + waited_ms / 50).unsigned_abs());
            let offsets_timeout = if others_run { patience } else { environment.request_timeout() };
            task.begin_take_over(environment, producers, waited_ms, offsets_timeout)
                .or_else(|error| be_patient(complaints, &task.id, error, waited_ms, now_ms))?;
        }
        while let Some(finished) = self.environment.restorer.try_finished()? {
            self.start(finished)?;
        }
        Ok(())
    }

    /// A task's stores are back from the restorer. A task that cannot run yet keeps them, and waits to be taken over
    /// again.
    fn start(&mut self, finished: updater::Finished<TaskId>) -> Result<()> {
        let Self { environment, tasks, producers, complaints, .. } = self;
        let updater::Finished { task: id, stores, outcome } = finished;
        tasks.returning.remove(&id);
        let is_meant = |task: &&mut Assigned| task.id == id && matches!(task.phase, Phase::Restoring(_));
        let now_ms = environment.monotonic_ms();
        if let Some(parked) = tasks.parked.iter_mut().find(is_meant) {
            parked.phase = Phase::Pending(Pending::new(Kept::undamaged(stores), now_ms, now_ms));
            return Ok(());
        }
        let Some(task) = tasks.iter_mut().find(is_meant) else {
            close_stores(&id, stores);
            return Ok(());
        };
        let Phase::Restoring(restoring) =
            task.replace_phase(Phase::Pending(Pending::new(Kept::Nothing, now_ms, now_ms)))
        else {
            return Ok(());
        };
        let Restoring { beginnings, waited_ms, is_cancelled, .. } = restoring;
        if let Some(until_end) = &environment.until_end {
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
                environment.note_restored(restored.iter().map(|store| store.records).sum());
                tell_restored(&id, &restored);
                let found: Vec<_> = beginnings.iter().map(|beginning| beginning.found.clone()).collect();
                match task.make(environment, producers, beginnings, stores) {
                    Ok(running) => {
                        if let Some(waited_ms) = complaints.over(&Subject::TakeOver(id.clone()), now_ms) {
                            tracing::info!(task = %id, waited_ms, "the task could be taken over");
                        }
                        (Phase::Running(Box::new(running)), Ok(()))
                    }
                    Err((error, kept)) => (again(kept), Err(environment.cause_of(error, &task.partitions, &found))),
                }
            }
        };
        task.phase = phase;
        result.or_else(|error| be_patient(complaints, &id, error, waited_ms, now_ms))
    }
}

impl Assigned {
    fn replace_phase(&mut self, phase: Phase) -> Phase {
        std::mem::replace(&mut self.phase, phase)
    }

    fn take_kept(&mut self) -> Kept {
        match &mut self.phase {
            Phase::Pending(pending) => std::mem::replace(&mut pending.kept, Kept::Nothing),
            Phase::Restoring(_) | Phase::Running(_) => Kept::Nothing,
        }
    }

    fn keep(&mut self, kept: Kept) {
        if let Phase::Pending(pending) = &mut self.phase {
            pending.kept = kept;
        }
    }

    /// Takes the stores that were kept warm, open as they are, where there are any. False: they are on their way.
    fn claim_standby<L: Log>(&mut self, environment: &Environment<L>) -> Result<bool> {
        let (Some(standbys), Phase::Pending(pending)) = (&environment.standbys, &mut self.phase) else {
            return Ok(true);
        };
        if !matches!(pending.kept, Kept::Nothing) {
            return Ok(true);
        }
        match standbys.claim(&self.id)? {
            Claim::None => {}
            Claim::Coming => {
                pending.not_before_ms = environment.monotonic_ms() + STANDBY_MS;
                return Ok(false);
            }
            Claim::Stores(stores) => {
                tracing::info!(task = %self.id, "its stores were kept warm");
                pending.kept = Kept::Stores(stores);
            }
        }
        Ok(true)
    }

    /// Fences the predecessor, reads where the inputs begin, and has the stores restored; a task that was kept whole
    /// goes on where no other member has committed since.
    fn begin_take_over<L: Log>(
        &mut self,
        environment: &mut Environment<L>,
        producers: &mut Producers<L>,
        waited_ms: i64,
        offsets_timeout: Duration,
    ) -> Result<()> {
        if !self.claim_standby(environment)? {
            return Ok(());
        }
        environment.watch.vouch_within(VOUCH_TIMEOUT).map_err(not_yet)?;
        let spec = &environment.topology.sub_topologies[self.sub_topology];
        let options = producer_options(&environment.config, &environment.topology, environment.thread);
        let producer = producers.get_mut(Writer::of(self.sub_topology, spec))?;
        producer.prepare(&environment.log, &options, environment.request_timeout())?;
        let committed = environment.log.committed_within(environment.group(), &self.partitions, offsets_timeout);
        let committed = committed.map_err(log::Error::may_pass)?;
        match self.take_kept() {
            Kept::Task(running) if running.committed == committed => {
                tracing::info!(task = %self.id, "goes on");
                self.phase = Phase::Running(running);
                return Ok(());
            }
            Kept::Task(running) => self.keep(running.task.into_stores().map_or(Kept::Nothing, Kept::undamaged)),
            kept => self.keep(kept),
        }
        let inputs = self.partitions.iter().zip(committed);
        let beginnings = inputs.map(|(partition, committed)| beginning(&environment.log, partition, committed));
        let beginnings = beginnings.collect::<Result<Vec<Beginning>>>()?;
        let stores = match self.take_kept() {
            Kept::Stores(stores) => *stores,
            Kept::Nothing | Kept::Task(_) => environment.open_stores(&self.id, &spec.stores)?,
        };
        let may_repeat = Writer::of(self.sub_topology, spec).may_repeat(&environment.config);
        let changelogs = spec.stores.iter().map(|spec| {
            let topic = changelog_topic(&environment.config.application_id, &spec.name);
            let random = spec.has_changelog.then(|| (environment.incarnations)());
            let beginning = random.map(if may_repeat { NewChangelog::Beside } else { NewChangelog::Alone });
            beginning.map(|beginning| updater::Changelog { topic, beginning })
        });
        let plan = updater::Plan {
            partition: self.id.partition,
            changelogs: changelogs.collect(),
            options: restore_options(&environment.config),
            followed: None,
        };
        let since_ms = environment.monotonic_ms();
        self.phase = Phase::Restoring(Restoring { beginnings, waited_ms, since_ms, is_cancelled: false });
        environment.restorer.submit(self.id.clone(), stores, plan)
    }

    /// The consumer is told where it begins at the end of the turn. An error gives the stores back.
    fn make<L: Log>(
        &self,
        environment: &Environment<L>,
        producers: &Producers<L>,
        beginnings: Vec<Beginning>,
        stores: Stores,
    ) -> Result<Running, (Error, Kept)> {
        let spec = &environment.topology.sub_topologies[self.sub_topology];
        let writer = Writer::of(self.sub_topology, spec);
        if !producers.get(writer).is_some_and(TransactionalProducer::is_prepared) {
            let message = "another task's failure took the producer while stores were restored";
            return Err((Error::new(Class::Retry, message), Kept::undamaged(stores)));
        }
        let OutputTopics { names: topics, dead_letters, changelogs } = spec.outputs(environment.group());
        let found = beginnings.iter().map(|beginning| beginning.found.clone()).collect();
        let inputs = beginnings.into_iter().zip(dead_letters);
        let inputs = inputs.map(|(Beginning { committed, range, .. }, dead_letters)| InputStart {
            committed,
            range,
            dead_letters,
        });
        let runtime = RuntimeOptions {
            stores_as_left: !stores.is_read_into(),
            now_ms: environment.now_ms(),
            log_ahead_ms: environment.log.clock_ahead_ms(),
            topics,
            limits: Arc::clone(&environment.limits),
            vouch: Rc::clone(&environment.watch) as Rc<dyn Vouch>,
        };
        let config = &environment.config;
        let queues = QueueOptions { max_idle_ms: config.max_task_idle_ms, max_bytes: config.queue_max_bytes };
        let options = TaskOptions {
            id: self.id.clone(),
            sub_topology: self.sub_topology,
            inputs: inputs.collect(),
            runtime,
            changelogs,
            queues,
            may_repeat: writer.may_repeat(config),
        };
        let stores = Rc::new(RefCell::new(stores));
        let made = Panic::catch(|| Task::new(&environment.topology, options, Rc::clone(&stores)));
        match made.unwrap_or_else(|panic| Err(environment.refuse_panic(&self.id, &panic))) {
            Ok(task) => {
                task.note_begun();
                let offsets: Vec<Offset> = (0..task.input_count()).map(|input| task.next_offset(input)).collect();
                tracing::info!(task = %self.id, ?offsets, "running");
                let inputs = self.partitions.iter().map(|input| (input.topic.as_str(), input.partition));
                let metrics = environment.thread_metrics.task(&self.id.to_string(), inputs);
                let reader = task.stores().borrow().reader();
                let _offer = environment.queries.offer(self.sub_topology, self.id.clone(), reader, Standing::Active);
                let paused = vec![true; offsets.len()];
                let queue_share = environment.resources.queue_share();
                Ok(Running { task, metrics, writer, committed: found, paused, queue_share, panic: None, _offer })
            }
            Err(error) => {
                let stores = Rc::into_inner(stores).map(RefCell::into_inner);
                Err((error, stores.map_or(Kept::Nothing, Kept::undamaged)))
            }
        }
    }
}

impl<L: Log> Environment<L> {
    /// A task that panics at its beginning is begun again, unless panics end the client. Nothing was done yet that
    /// would be void.
    fn refuse_panic(&self, task: &TaskId, panic: &Panic) -> Error {
        let class = if self.config.replaces_threads() { Class::Retry } else { Class::Stop };
        Error::new(class, panic.error(task).to_string())
    }

    /// What a task refuses at its beginning may come of a topic that was made anew: with it went the group's offset. It
    /// may also come of a member that had the task meanwhile, as where this one was held up for longer than its session
    /// lasts, and does not know it yet: the state was restored up to what that member committed, behind the offsets
    /// that were read here before.
    fn cause_of(&self, error: Error, partitions: &[TopicPartition], found: &[Option<Committed>]) -> Error {
        if error.class() != Class::Stop {
            return error;
        }
        // What vouched for the topics before does not vouch for them now.
        self.watch.input_read();
        if let Err(cause) = self.watch.vouch_within(VOUCH_TIMEOUT)
            && cause.class() == Class::Stop
        {
            return cause;
        }
        match self.log.committed(self.group(), partitions) {
            Ok(now) if now == found => error,
            Ok(_) => Error::new(Class::Retry, "another member has committed since the offsets were read"),
            Err(unknown) if unknown.class() == Class::Retry => {
                let message = format!("whether another member has committed is not known: {unknown}");
                Error::new(Class::Retry, message).caused_by(error)
            }
            Err(_) => error,
        }
    }

    /// In the task's directory, or without one in memory.
    fn open_stores(&self, task: &TaskId, specs: &[Spec]) -> Result<Stores> {
        let directory = self.state_directory.as_deref();
        Stores::of_task(&task.to_string(), specs, directory, self.config.fingerprint, &self.resources)
    }
}

/// What cannot be done yet is done later, within limits.
fn be_patient(complaints: &mut Complaints, task: &TaskId, error: Error, waited_ms: i64, now_ms: i64) -> Result<()> {
    if error.class() != Class::Retry {
        return Err(error);
    }
    if waited_ms >= TAKE_OVER_MAX_MS {
        return Err(Error::stop(format!("gave up taking task {task} over after {waited_ms} ms: {error}")));
    }
    let subject = Subject::TakeOver(task.clone());
    if complaints.due(subject, 0, now_ms).is_some() {
        tracing::warn!(%task, %error, waited_ms, "cannot take the task over yet; trying again");
    }
    Ok(())
}

/// Nothing was done yet that would be void.
fn not_yet(error: Error) -> Error {
    match error.class() {
        Class::Rewind => Error::new(Class::Retry, error.to_string()).caused_by(error),
        _ => error,
    }
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
