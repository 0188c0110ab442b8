//! A bounded run: process what was there at the start, finish what is held, commit, stop.
//!
//! The end is taken at the start, for topics fed from outside, and moves on only to where the input ended when the task
//! was taken over; for a topic that an earlier sub-topology feeds it is taken when that one is done. Records at or
//! behind the end are left alone, so the result does not depend on when the run happened to look.
//!
//! ```text
//!   a thread's look at the current sub-topology             all threads
//!   not yet ── at the end ──> holding ── finished ──> to commit ── committed ──> done: the partitions are noted
//!                                                                                all noted: the next sub-topology
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::graph::Topology;
use crate::log::{self, Isolation, Log, Offset, Record, TopicPartition};
use crate::task::{Task, TaskId};

use super::StreamThread;
use super::commit::{Then, wants_commit};
use super::environment::Environment;
use super::recovery::void;
use super::take_over::RETRY_PAUSE;
use super::tasks::Tasks;

/// How long a log may not be able to tell where the input ends, ms.
const PATIENCE_MS: i64 = 10_000;
/// How often it is asked whether another process has come into the group, ms.
const COUNT_MEMBERS_EVERY_MS: i64 = 500;

/// How far a bounded run is: shared by the threads of a process.
pub(crate) struct UntilEnd {
    stages: Mutex<Stages>,
    /// How many members of the group are this process's.
    thread_count: AtomicUsize,
}

#[derive(Debug)]
struct Stages {
    /// Per sub-topology, in graph order: its partitions, and where they end; not known yet where an earlier one feeds
    /// it.
    ends: Vec<BTreeMap<TopicPartition, Option<Offset>>>,
    /// Sub-topologies before this one are done.
    current: usize,
    /// Of the current one: partitions of which everything is done and committed.
    done: BTreeSet<TopicPartition>,
    /// When it was last found that the process has the group for itself, monotonic ms.
    alone_ms: Option<i64>,
}

impl UntilEnd {
    /// Takes the ends. A log that cannot tell now is asked again, for a while.
    pub(crate) fn take<L: Log>(topology: &Topology, log: &L, clock: &dyn Clock) -> Result<Self> {
        let until_ms = clock.monotonic_ms().saturating_add(PATIENCE_MS);
        loop {
            match Stages::new(topology, log) {
                Err(error) if error.class() == Class::Retry && clock.monotonic_ms() < until_ms => {
                    tracing::warn!(%error, "cannot find out where the input ends; trying again");
                    clock.sleep(RETRY_PAUSE);
                }
                Err(error) => return Err(error),
                Ok(stages) => return Ok(Self { stages: Mutex::new(stages), thread_count: AtomicUsize::new(1) }),
            }
        }
    }

    /// So many members of the group are this process's.
    pub(crate) fn set_thread_count(&self, thread_count: usize) {
        self.thread_count.store(thread_count, Ordering::Relaxed);
    }

    pub(super) fn is_finished(&self) -> bool {
        self.lock().is_finished()
    }

    /// The records before the end.
    pub(super) fn within<'r, 'a>(&self, partition: &TopicPartition, records: &'r [Record<'a>]) -> &'r [Record<'a>] {
        match self.lock().end_of(partition) {
            Some(end) => &records[..records.partition_point(|record| record.offset < end)],
            None => records,
        }
    }

    /// How far a position may move: what lies behind the end was not processed, and must not be committed as if it
    /// were.
    pub(super) fn cap(&self, partition: &TopicPartition, offset: Offset) -> Offset {
        self.lock().end_of(partition).map_or(offset, |end| offset.min(end))
    }

    /// A task is taken over whose committed input reached this far by then. A predecessor may have read as far after
    /// the end was taken here, and what it signed or sent must not be cut differently now: so the run does not end
    /// before that. A sub-topology that is done has nothing more to finish: its end stays.
    pub(super) fn reach(&self, sub_topology: usize, partition: &TopicPartition, input_end: Offset) {
        let mut stages = self.lock();
        if sub_topology >= stages.current
            && let Some(Some(end)) = stages.ends.get_mut(sub_topology).and_then(|ends| ends.get_mut(partition))
        {
            *end = (*end).max(input_end);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stages> {
        // A poisoned lock only says that some thread panicked; each step leaves it whole.
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result depends on nothing else only where no other process has a part of the tasks.
    fn check_alone<L: Log>(&self, environment: &Environment<L>) -> Result<()> {
        let now_ms = environment.monotonic_ms();
        let is_fresh = |then_ms: i64| now_ms.saturating_sub(then_ms) < COUNT_MEMBERS_EVERY_MS;
        if self.lock().alone_ms.is_some_and(is_fresh) {
            return Ok(());
        }
        let group = environment.group();
        let members = environment.log.group_member_count(group)?;
        if members > self.thread_count.load(Ordering::Relaxed) {
            return Err(Error::stop(format!(
                "a run until the end needs the group '{group}' for itself, but it has {members} members: stop the others \
                 first (a killed one counts until its session ends)"
            )));
        }
        self.lock().alone_ms = Some(now_ms);
        Ok(())
    }
}

impl Stages {
    fn new<L: Log>(topology: &Topology, log: &L) -> Result<Self> {
        let mut ends = Vec::new();
        let mut fed = Vec::new();
        for spec in topology.sub_topologies.iter() {
            let count = spec.partition_count();
            let mut of_sub_topology = BTreeMap::new();
            for topic in spec.source_topics() {
                for number in 0..count {
                    let partition = TopicPartition::new(topic.name(), number);
                    let is_fed = fed.contains(&partition.topic);
                    let end = if is_fed { None } else { Some(end_now(log, &partition)?) };
                    of_sub_topology.insert(partition, end);
                }
            }
            ends.push(of_sub_topology);
            fed.extend(spec.sink_topics());
        }
        Ok(Self { ends, current: 0, done: BTreeSet::new(), alone_ms: None })
    }

    fn is_finished(&self) -> bool {
        self.current == self.ends.len()
    }

    fn end_of(&self, partition: &TopicPartition) -> Option<Offset> {
        self.ends.iter().find_map(|ends| ends.get(partition)).copied().flatten()
    }

    /// What a thread's tasks of the current sub-topology have still to do.
    fn look<L: Log>(&mut self, log: &L, tasks: &mut Tasks) -> Result<Look> {
        let Some(ends) = self.ends.get_mut(self.current) else { return Ok(Look::NotYet) };
        let mut look = Look::AtEnd(Vec::new());
        for (partition, end) in ends.iter_mut() {
            let Some((running, input)) = tasks.running_with(partition) else { continue };
            let end = match end {
                Some(end) => *end,
                None => *end.insert(end_now(log, partition)?),
            };
            if running.task.next_offset(input) < end {
                return Ok(Look::NotYet);
            }
            // A processor that takes no input for now, and holds none, is busy with something else: it will say when it
            // is done.
            if running.task.is_suspended() && !running.task.is_holding() {
                return Ok(Look::NotYet);
            }
            look.note(partition, running.task.is_holding().then(|| running.task.id().clone()));
        }
        Ok(look)
    }

    /// Everything of these is done and committed.
    fn note_done(&mut self, partitions: Vec<TopicPartition>) {
        self.done.extend(partitions);
        let is_done = |ends: &BTreeMap<TopicPartition, _>| ends.keys().all(|partition| self.done.contains(partition));
        if self.ends.get(self.current).is_some_and(is_done) {
            self.current += 1;
            self.done.clear();
        }
    }
}

enum Look {
    /// Input, or something else that the tasks will tell of.
    NotYet,
    /// These hold input that must be finished.
    Holding(Vec<TaskId>),
    /// Nothing but a commit, of these partitions.
    AtEnd(Vec<TopicPartition>),
}

impl Look {
    fn note(&mut self, partition: &TopicPartition, holding: Option<TaskId>) {
        match (&mut *self, holding) {
            (Self::Holding(tasks), Some(task)) if !tasks.contains(&task) => tasks.push(task),
            (Self::AtEnd(_), Some(task)) => *self = Self::Holding(vec![task]),
            (Self::AtEnd(partitions), None) => partitions.push(partition.clone()),
            _ => {}
        }
    }
}

fn end_now<L: Log>(log: &L, partition: &TopicPartition) -> Result<Offset> {
    Ok(log.watermarks(partition, Isolation::ReadCommitted).map_err(log::Error::may_pass)?.high)
}

impl<L: Log> StreamThread<L> {
    /// Looks whether the current sub-topology is at its end, and if so makes it finish what it holds.
    pub(super) fn advance_until_end(&mut self) -> Result<()> {
        let Self { environment, tasks, producers, .. } = self;
        let Some(until_end) = environment.until_end.as_deref() else { return Ok(()) };
        if until_end.is_finished() || !tasks.are_known() {
            return Ok(());
        }
        until_end.check_alone(environment)?;
        if !tasks.all_run() {
            return Ok(());
        }
        let look = until_end.lock().look(&environment.log, tasks)?;
        match look {
            Look::NotYet => {}
            Look::Holding(holding) => {
                for running in tasks.running_mut().filter(|running| holding.contains(running.task.id())) {
                    running.call(Task::end_of_input).map_err(void)?;
                    producers.send_outputs(running)?;
                }
            }
            Look::AtEnd(partitions) => match wants_commit(tasks, producers, environment.monotonic_ms()) {
                true => drop(self.commit(Then::GoOn)?),
                false => until_end.lock().note_done(partitions),
            },
        }
        Ok(())
    }
}
