//! The tasks of a thread, and how far each has come to life.
//!
//! ```text
//!            producer fenced, offsets read            stores restored
//!   Pending ─────────────────────> Restoring ─────────────────> Running
//!    ^   │                                                       ^   │
//!    │   └── the task was kept, and no other member has committed ┘   │
//!    └────────── rewind: stores are kept; park: all is kept ──────────┘
//! ```
//! What goes is parked: it keeps its stores, its queues and its processors until the group is answered, and where it
//! comes back it goes on as if nothing had been, if what the group has committed is still what it committed last. After
//! the answer no other member can commit for it: the group takes no offsets of an earlier generation.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::log::{Committed, Offset, TopicPartition};
use crate::metrics::TaskMetrics;
use crate::processor::InputRange;
use crate::query::Offer;
use crate::store::{QueueShare, Stores};
use crate::task::{CommittedInput, Task, TaskId};
use crate::updater;

use super::ownership::NewTask;
use super::panic::Panic;
use super::producers::Writer;

/// All of them.
#[derive(Default)]
pub(super) struct Tasks {
    /// `None` until the group spoke, and between assignments.
    pub(super) assigned: Option<Vec<Assigned>>,
    /// Those that were taken away, until it is known whether they come back.
    pub(super) parked: Vec<Assigned>,
    /// Those given up while the restorer had their stores; they come back from it.
    pub(super) returning: BTreeSet<TaskId>,
}

/// A task whose partitions are assigned, or were until just now.
pub(super) struct Assigned {
    /// The task's inputs, in their order.
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) sub_topology: usize,
    pub(super) id: TaskId,
    pub(super) phase: Phase,
}

pub(super) enum Phase {
    /// Waits to be taken over.
    Pending(Pending),
    /// Its stores are with the restorer.
    Restoring(Restoring),
    /// It processes.
    Running(Box<Running>),
}

pub(super) struct Pending {
    /// What it has of before.
    pub(super) kept: Kept,
    /// Since when it waits, monotonic ms.
    pub(super) since_ms: i64,
    /// No attempt before this, monotonic ms.
    pub(super) not_before_ms: i64,
}

pub(super) enum Kept {
    Nothing,
    /// Its stores are open. What was not committed is not in them.
    Stores(Box<Stores>),
    /// All of it, with nothing uncommitted.
    Task(Box<Running>),
}

#[derive(Clone)]
pub(super) struct Restoring {
    /// Where its task is to begin, of each input.
    pub(super) beginnings: Vec<Beginning>,
    /// How long it had waited before, ms.
    pub(super) waited_ms: i64,
    /// Since when the restorer has them, monotonic ms.
    pub(super) since_ms: i64,
    /// The stores were asked back. Whether they come so or restored: where the task begins must be read again.
    pub(super) is_cancelled: bool,
}

/// What tells where an input of a task begins, as read when its predecessor was fenced.
#[derive(Clone)]
pub(super) struct Beginning {
    /// As the log has it.
    pub(super) found: Option<Committed>,
    pub(super) committed: CommittedInput,
    pub(super) range: InputRange,
}

pub(super) struct Running {
    pub(super) task: Task,
    pub(super) metrics: TaskMetrics,
    pub(super) writer: Writer,
    /// What the group has committed of each input, if no other member has committed since.
    pub(super) committed: Vec<Option<Committed>>,
    /// For each input, whether the consumer delivers nothing of it: the task has no room for more, or the consumer was
    /// not told yet where to begin.
    pub(super) paused: Vec<bool>,
    /// The task's part in the process's memory for queued input.
    pub(super) queue_share: QueueShare,
    /// It panicked, and must not be used any more.
    pub(super) panic: Option<Panic>,
    /// Its stores can be read by others: as long as it runs, or waits parked as it is.
    pub(super) _offer: Offer,
}

/// Why a task's stores are closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Another member has the task.
    ForAnother,
    /// The thread ends, or joins anew.
    ForGood,
}

impl Tasks {
    /// Whether the group has spoken.
    pub(super) fn are_known(&self) -> bool {
        self.assigned.is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Assigned> {
        self.assigned.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Assigned> {
        self.assigned.iter_mut().flatten()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.iter().filter_map(Assigned::running)
    }

    pub(super) fn running_mut(&mut self) -> impl Iterator<Item = &mut Running> {
        self.iter_mut().filter_map(Assigned::running_mut)
    }

    /// Those that use a producer.
    pub(super) fn of_writer(&mut self, writer: Writer) -> impl Iterator<Item = &mut Running> {
        self.running_mut().filter(move |running| running.writer == writer)
    }

    /// The task that has panicked since it was begun, and the producer it used.
    pub(super) fn panicked(&self) -> Option<(TaskId, Writer)> {
        let mut running = self.running();
        running.find(|running| running.panic.is_some()).map(|running| (running.task.id().clone(), running.writer))
    }

    /// A task that waits to be taken over must wait until then.
    pub(super) fn leave_alone(&mut self, id: &TaskId, until_ms: i64) {
        if let Some(Assigned { phase: Phase::Pending(pending), .. }) = self.iter_mut().find(|task| task.id == *id) {
            pending.not_before_ms = until_ms;
        }
    }

    pub(super) fn all_run(&self) -> bool {
        self.iter().all(|task| matches!(task.phase, Phase::Running(_)))
    }

    /// Since when the restorer has had stores of tasks, monotonic ms; `None` where it has none.
    pub(super) fn restoring_since_ms(&self) -> Option<i64> {
        let since_ms = |task: &Assigned| match &task.phase {
            Phase::Restoring(restoring) => Some(restoring.since_ms),
            Phase::Pending(_) | Phase::Running(_) => None,
        };
        self.iter().filter_map(since_ms).min()
    }

    /// The task that has an input and runs, and which of its inputs that is.
    pub(super) fn running_with(&mut self, partition: &TopicPartition) -> Option<(&mut Running, usize)> {
        self.iter_mut().find_map(|task| task.running_with(partition))
    }

    /// Up to where a parked task has read an input, where all of it was kept.
    pub(super) fn parked_at(&self, partition: &TopicPartition) -> Option<Offset> {
        let kept = self.parked.iter().find_map(|task| task.kept_with(partition));
        kept.map(|(running, input)| running.task.delivered_to(input)).filter(|offset| *offset < Offset::MAX)
    }

    /// A task that is new here.
    pub(super) fn begin(&mut self, new: &NewTask, now_ms: i64, backoff_ms: i64) {
        let NewTask { id, sub_topology, inputs } = new.clone();
        let phase = Phase::Pending(Pending::new(Kept::Nothing, now_ms, now_ms + backoff_ms));
        self.assigned.get_or_insert_default().push(Assigned { partitions: inputs, sub_topology, id, phase });
    }

    /// A task stops where it is.
    pub(super) fn park(&mut self, id: &TaskId, restorer: &updater::Handle<TaskId>, now_ms: i64) {
        let Some(tasks) = &mut self.assigned else { return };
        let Some(index) = tasks.iter().position(|task| task.id == *id) else { return };
        let mut task = tasks.remove(index);
        task.phase = match task.phase {
            Phase::Running(running) => Phase::Pending(Pending::new(Kept::Task(running), now_ms, now_ms)),
            Phase::Restoring(restoring) => {
                // Where the thread is gone, looking for what it has restored says so.
                let _ = restorer.cancel(id.clone());
                Phase::Restoring(Restoring { is_cancelled: true, ..restoring })
            }
            pending @ Phase::Pending(_) => pending,
        };
        self.parked.push(task);
    }

    /// A parked task goes on.
    pub(super) fn bring_back(&mut self, id: &TaskId, now_ms: i64, backoff_ms: i64) {
        let Some(mut task) = self.take_parked(id) else { return };
        if let Phase::Pending(pending) = &mut task.phase {
            pending.since_ms = now_ms;
            pending.not_before_ms = now_ms + backoff_ms;
            if let Kept::Task(running) = &mut pending.kept {
                running.paused.fill(true);
            }
        }
        self.assigned.get_or_insert_default().push(task);
    }

    pub(super) fn take_parked(&mut self, id: &TaskId) -> Option<Assigned> {
        let index = self.parked.iter().position(|parked| parked.id == *id)?;
        Some(self.parked.swap_remove(index))
    }

    /// Takes running tasks out of their work: what they have not committed is void, their stores are kept, and they are
    /// taken over again. Returns their inputs: what is delivered of them must wait.
    pub(super) fn set_back(
        &mut self,
        which: impl Fn(&Running) -> bool,
        now_ms: i64,
        backoff_ms: i64,
    ) -> Vec<TopicPartition> {
        let mut waiting = Vec::new();
        for task in self.iter_mut() {
            let pending = |kept| Phase::Pending(Pending::new(kept, now_ms, now_ms + backoff_ms));
            match std::mem::replace(&mut task.phase, pending(Kept::Nothing)) {
                Phase::Running(running) if which(&running) => {
                    task.phase = pending(running.task.into_stores().map_or(Kept::Nothing, Kept::undamaged));
                    waiting.extend(task.partitions.iter().cloned());
                }
                // To be opened anew, and rebuilt.
                Phase::Pending(Pending { kept: Kept::Stores(stores), .. }) if stores.is_damaged() => {}
                // Its work is not part of what failed.
                other => task.phase = other,
            }
        }
        waiting
    }

    /// Closes all tasks; what they have not committed is void.
    pub(super) fn release_all(&mut self, restorer: &updater::Handle<TaskId>) {
        let tasks: Vec<Assigned> = self.assigned.take().into_iter().flatten().chain(self.parked.drain(..)).collect();
        for task in tasks {
            self.release(task, Leaving::ForGood, restorer);
        }
    }

    /// Closes a task.
    pub(super) fn release(&mut self, task: Assigned, leaving: Leaving, restorer: &updater::Handle<TaskId>) {
        let stores = match task.phase {
            Phase::Pending(Pending { kept: Kept::Nothing, .. }) => None,
            Phase::Pending(Pending { kept: Kept::Stores(stores), .. }) => Some(*stores),
            Phase::Pending(Pending { kept: Kept::Task(running), .. }) | Phase::Running(running) => {
                running.task.into_stores()
            }
            Phase::Restoring(_) => {
                if restorer.cancel(task.id.clone()).is_ok() {
                    self.returning.insert(task.id.clone());
                }
                None
            }
        };
        match (stores, leaving) {
            // What was not written down is in the changelog, from where the next to open them takes it. A file that was
            // written now would keep the group waiting.
            (Some(stores), Leaving::ForAnother) => drop(stores),
            (Some(stores), Leaving::ForGood) => close_stores(&task.id, stores),
            (None, _) => {}
        }
    }
}

impl Running {
    /// Calls the task. A panic in it is an error of class rewind, and noted: see [`Tasks::panicked`].
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut Task) -> Result<T>) -> Result<T> {
        let Self { task, panic, .. } = self;
        Panic::catch(|| call(task)).unwrap_or_else(|caught| Err(panic.insert(caught).error(task.id())))
    }
}

impl Assigned {
    pub(super) fn running(&self) -> Option<&Running> {
        match &self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// The task where it runs and has this input, and which of its inputs that is.
    fn running_with(&mut self, partition: &TopicPartition) -> Option<(&mut Running, usize)> {
        let input = self.partitions.iter().position(|at| at == partition)?;
        self.running_mut().map(|running| (running, input))
    }

    /// The task where all of it was kept and has this input, and which of its inputs that is.
    fn kept_with(&self, partition: &TopicPartition) -> Option<(&Running, usize)> {
        let input = self.partitions.iter().position(|at| at == partition)?;
        match &self.phase {
            Phase::Pending(Pending { kept: Kept::Task(running), .. }) => Some((running, input)),
            _ => None,
        }
    }
}

impl Pending {
    pub(super) fn new(kept: Kept, since_ms: i64, not_before_ms: i64) -> Self {
        Self { kept, since_ms, not_before_ms }
    }
}

impl Kept {
    /// Stores, unless they are to be opened anew and rebuilt.
    pub(super) fn undamaged(stores: Stores) -> Self {
        if stores.is_damaged() { Self::Nothing } else { Self::Stores(Box::new(stores)) }
    }
}

/// Writes down what stores have, and closes them.
pub(super) fn close_stores(task: &TaskId, stores: Stores) {
    if let Err(error) = stores.close() {
        tracing::warn!(%task, %error, "closing the stores failed; they will be restored");
    }
}
