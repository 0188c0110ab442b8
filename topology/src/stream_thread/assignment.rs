//! What the group gave this thread, and how far each task has come to life.
//!
//! ```text
//!             fenced, offsets read            stores restored
//!   Pending ─────────────────────> Restoring ─────────────────> Running
//!    ^   │                                                       ^   │
//!    │   └── the task was kept, and nobody else has committed ───┘   │
//!    └────────── rewind: stores are kept; park: all is kept ─────────┘
//! ```
//! [`ownership`](super::ownership) decides which tasks come and go; here that is done. What goes is parked: it keeps its stores, its
//! queues and its processors until the group is answered, and where it comes back it goes on as if nothing had been, if what
//! the group has committed is still what it committed last. After the answer no other member can commit for it: the group takes
//! no offsets of an earlier generation.

use crate::error::{Class, Error, Result};
use crate::log::{self, Committed, Consumer, Log, Offset, Start, TopicPartition};
use crate::processor::InputRange;
use crate::store::Stores;
use crate::task::{CommittedInput, Task, TaskId};

use super::commit::Then;
use super::ownership::{Action, Change, NewTask};
use super::{StreamThread, close_stores};

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
    /// Which producer it uses.
    pub(super) slot: Option<usize>,
    /// Its output topics.
    pub(super) topics: Vec<String>,
    /// What the group has committed of each input, if no other member has committed since.
    pub(super) committed: Vec<Option<Committed>>,
    /// For each input, whether the consumer delivers nothing of it: the task has no room for more, or the consumer was not told
    /// yet where to begin.
    pub(super) paused: Vec<bool>,
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

impl Assigned {
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// The task where it runs and has this input, and which of its inputs that is.
    pub(super) fn running_with(&mut self, partition: &TopicPartition) -> Option<(&mut Running, usize)> {
        let input = self.partitions.iter().position(|at| at == partition)?;
        self.running_mut().map(|running| (running, input))
    }

    pub(super) fn running(&self) -> Option<&Running> {
        match &self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
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

impl<L: Log> StreamThread<L> {
    /// Answers the group, one change after the other; what cannot be done now is done in the next turn.
    pub(super) fn apply_changes(&mut self) -> Result<()> {
        loop {
            while let Some(action) = self.actions.pop_front() {
                if let Err(error) = self.act(&action) {
                    self.actions.push_front(action);
                    return Err(error);
                }
                self.ownership.done(&action);
            }
            let Some(change) = self.changes.pop_front() else { return Ok(()) };
            tell(&change);
            self.actions = self.ownership.decide(change).into();
        }
    }

    fn act(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Commit => self.commit_before_parting(),
            Action::Void(tasks) => self.give_work_up(tasks),
            Action::Park { task, staying } => self.park(task, staying)?,
            Action::Give(partitions) => self.consumer.incremental_unassign(partitions).map_err(log::Error::may_pass)?,
            Action::Await => self.assigned = None,
            Action::Take(partitions) => self.take(partitions)?,
            Action::Return(task) => self.bring_back(task),
            Action::Begin(task) => self.begin(task),
            Action::Close(task) => {
                if let Some(index) = self.parked.iter().position(|parked| parked.id == *task) {
                    let parked = self.parked.swap_remove(index);
                    self.release(parked, Leaving::ForAnother);
                }
            }
        }
        Ok(())
    }

    /// Another member goes on behind what was done here. Where that cannot be committed, that member does it again.
    fn commit_before_parting(&mut self) {
        if let Err(error) = self.commit(Then::Leave) {
            tracing::warn!(%error, "the commit before giving partitions up failed; what was done is done again");
            self.discard_producers();
            self.set_back(|_| true);
            // That was about this commit, and says nothing of the next failure.
            self.fencing.is_other_generation = false;
        }
    }

    /// What these tasks did is void, and so is what others did in the same transactions.
    fn give_work_up(&mut self, tasks: &[TaskId]) {
        let going = self.assigned.iter().flatten().filter(|task| tasks.contains(&task.id));
        let keys: Vec<Option<usize>> = going.filter_map(Assigned::running).map(|running| running.slot).collect();
        for (_, slot) in self.slots.iter_mut().filter(|(key, _)| keys.contains(key)) {
            if slot.is_open() {
                slot.give_up();
            }
        }
        self.set_back(|running| keys.contains(&running.slot));
    }

    fn park(&mut self, id: &TaskId, staying: &[TopicPartition]) -> Result<()> {
        // Nothing takes what would be delivered of them.
        self.consumer.pause(staying).map_err(half_done)?;
        let Some(tasks) = &mut self.assigned else { return Ok(()) };
        let Some(index) = tasks.iter().position(|task| task.id == *id) else { return Ok(()) };
        let mut task = tasks.remove(index);
        let now_ms = self.clock.monotonic_ms();
        task.phase = match task.phase {
            Phase::Running(running) => Phase::Pending(Pending::new(Kept::Task(running), now_ms, now_ms)),
            Phase::Restoring(restoring) => {
                // Where the thread is gone, looking for what it has restored says so.
                let _ = self.restorer.cancel(id.clone());
                Phase::Restoring(Restoring { is_cancelled: true, ..restoring })
            }
            pending @ Phase::Pending(_) => pending,
        };
        self.parked.push(task);
        Ok(())
    }

    /// The consumer reads them; nothing is delivered before their tasks are ready for it. One whose reader comes back goes on where
    /// it had read to.
    fn take(&mut self, added: &[TopicPartition]) -> Result<()> {
        let start = |partition: &TopicPartition| {
            let kept = self.parked.iter().find_map(|task| task.kept_with(partition));
            match kept.map(|(running, input)| running.task.delivered_to(input)) {
                Some(offset) if offset < Offset::MAX => Start::At(offset),
                _ => Start::Beginning,
            }
        };
        let starts: Vec<_> = added.iter().map(|partition| (partition.clone(), start(partition))).collect();
        self.consumer.incremental_assign(&starts).map_err(log::Error::may_pass)?;
        self.assigned.get_or_insert_default();
        self.consumer.pause(added).map_err(half_done)
    }

    fn bring_back(&mut self, id: &TaskId) {
        let Some(index) = self.parked.iter().position(|parked| parked.id == *id) else { return };
        let mut task = self.parked.swap_remove(index);
        if let Phase::Pending(pending) = &mut task.phase {
            pending.since_ms = self.clock.monotonic_ms();
            pending.not_before_ms = pending.since_ms + self.fencing.backoff_ms();
            if let Kept::Task(running) = &mut pending.kept {
                running.paused.fill(true);
            }
        }
        self.assigned.get_or_insert_default().push(task);
    }

    fn begin(&mut self, NewTask { id, sub_topology, inputs }: &NewTask) {
        // The holder of a single writer's task before must be fenced by a producer that is made now.
        if let Some(slot) = self.slots.get_mut(&Some(*sub_topology)) {
            slot.discard();
        }
        let now_ms = self.clock.monotonic_ms();
        let pending = Pending::new(Kept::Nothing, now_ms, now_ms + self.fencing.backoff_ms());
        let phase = Phase::Pending(pending);
        let task = Assigned { partitions: inputs.clone(), sub_topology: *sub_topology, id: id.clone(), phase };
        self.assigned.get_or_insert_default().push(task);
    }

    /// Takes running tasks out of their work: what they have not committed is void, their stores are kept, and they are taken
    /// over again.
    pub(super) fn set_back(&mut self, which: impl Fn(&Running) -> bool) {
        let since_ms = self.clock.monotonic_ms();
        let not_before_ms = since_ms + self.fencing.backoff_ms();
        let mut held = Vec::new();
        for task in self.assigned.iter_mut().flatten() {
            let pending = |kept| Phase::Pending(Pending::new(kept, since_ms, not_before_ms));
            match std::mem::replace(&mut task.phase, pending(Kept::Nothing)) {
                Phase::Running(running) if which(&running) => {
                    task.phase = pending(running.task.into_stores().map_or(Kept::Nothing, Kept::undamaged));
                    held.extend(task.partitions.iter().cloned());
                }
                // To be opened anew, and rebuilt.
                Phase::Pending(Pending { kept: Kept::Stores(stores), .. }) if stores.is_damaged() => {}
                // Its work is not part of what failed.
                other => task.phase = other,
            }
        }
        // What is delivered in spite of it is ignored: a task that comes back to life seeks.
        if let Err(error) = self.consumer.pause(&held) {
            tracing::debug!(%error, "could not stop the delivery of records");
        }
    }

    /// Closes all tasks; what they have not committed is void.
    pub(super) fn release_all(&mut self) {
        let tasks: Vec<Assigned> = self.assigned.take().into_iter().flatten().chain(self.parked.drain(..)).collect();
        for task in tasks {
            self.release(task, Leaving::ForGood);
        }
        for slot in self.slots.values_mut().filter(|slot| slot.is_open()) {
            slot.give_up();
        }
        self.ownership.clear();
        self.changes.clear();
        self.actions.clear();
    }

    fn release(&mut self, task: Assigned, leaving: Leaving) {
        let stores = match task.phase {
            Phase::Pending(Pending { kept: Kept::Nothing, .. }) => None,
            Phase::Pending(Pending { kept: Kept::Stores(stores), .. }) => Some(*stores),
            Phase::Pending(Pending { kept: Kept::Task(running), .. }) | Phase::Running(running) => {
                running.task.into_stores()
            }
            Phase::Restoring(_) => {
                if self.restorer.cancel(task.id.clone()).is_ok() {
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

    pub(super) fn discard_producers(&mut self) {
        for slot in self.slots.values_mut() {
            slot.discard();
        }
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.assigned.iter().flatten().filter_map(Assigned::running)
    }
}

fn tell(change: &Change) {
    let names = |partitions: &[TopicPartition]| match partitions {
        [] => "none".to_owned(),
        partitions => partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(", "),
    };
    match change {
        Change::Assigned(partitions) => tracing::info!(partitions = names(partitions), "assigned"),
        Change::Revoked { partitions, lost } => tracing::info!(partitions = names(partitions), lost, "revoked"),
    }
}

/// Why a task's stores are closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Another member has the task.
    ForAnother,
    /// The thread ends, or joins anew.
    ForGood,
}

/// A partition that could not be paused delivers what no task takes, and the step before cannot be taken again. All begins anew, from
/// what is committed.
fn half_done(error: log::Error) -> Error {
    match error.may_pass() {
        error if error.class() == Class::Stop => error,
        error => Error::new(Class::Rejoin, format!("partitions that change hands could not be paused: {error}")),
    }
}
