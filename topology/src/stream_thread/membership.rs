//! What the group says, and what a thread does about it: [`ownership`](super::ownership) decides, here it is done.

use std::collections::VecDeque;

use crate::error::{Class, Error, Result};
use crate::graph::Topology;
use crate::log::{self, Consumer, Log, Start, TopicPartition};
use crate::task::TaskId;

use super::StreamThread;
use super::commit::Then;
use super::ownership::{Action, Change, Ownership};
use super::producers::Writer;
use super::tasks::{Leaving, Tasks};

/// A thread's part in its group.
pub(super) struct Membership {
    /// Whether the group was asked for partitions.
    subscribed: bool,
    /// What the group changed and was not looked at yet.
    changes: VecDeque<Change>,
    /// What is still to be done about the change before.
    actions: VecDeque<Action>,
    ownership: Ownership,
}

impl Membership {
    pub(super) fn new(ownership: Ownership) -> Self {
        Self { subscribed: false, changes: VecDeque::new(), actions: VecDeque::new(), ownership }
    }

    /// Joins the group, unless it did.
    pub(super) fn subscribe(&mut self, consumer: &mut impl Consumer, topology: &Topology) -> Result<()> {
        if !self.subscribed {
            let topics: Vec<String> = topology.source_topics().iter().map(|topic| topic.name().to_owned()).collect();
            consumer.subscribe(&topics).map_err(log::Error::may_pass)?;
            self.subscribed = true;
        }
        Ok(())
    }

    /// The group changed something. It is answered after what was processed is safe.
    pub(super) fn note(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Partitions of tasks that have not all of theirs: see [`Ownership::incomplete`].
    pub(super) fn incomplete(&self) -> &[TopicPartition] {
        self.ownership.incomplete()
    }

    /// It ended: nothing is this thread's any more.
    pub(super) fn end(&mut self) {
        self.subscribed = false;
        self.ownership.clear();
        self.changes.clear();
        self.actions.clear();
    }

    /// What is to be done next.
    fn next_action(&mut self) -> Option<Action> {
        while self.actions.is_empty() {
            let change = self.changes.pop_front()?;
            tell(&change);
            self.actions = self.ownership.decide(change).into();
        }
        self.actions.pop_front()
    }
}

impl<L: Log> StreamThread<L> {
    /// Answers the group, one change after the other; what cannot be done now is done in the next turn.
    pub(super) fn apply_changes(&mut self) -> Result<()> {
        while let Some(action) = self.membership.next_action() {
            if let Err(error) = self.act(&action) {
                self.membership.actions.push_front(action);
                return Err(error);
            }
            self.membership.ownership.done(&action);
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<()> {
        let Self { environment, consumer, tasks, producers, failures, .. } = self;
        let (now_ms, backoff_ms) = (environment.monotonic_ms(), failures.backoff.wait_ms());
        match action {
            Action::Commit => self.commit_before_parting(),
            Action::Void(voided) => self.give_work_up(voided),
            Action::Park { task, staying } => {
                // Nothing takes what would be delivered of them.
                consumer.pause(staying).map_err(half_done)?;
                tasks.park(task, &environment.restorer, now_ms);
            }
            Action::Give(partitions) => consumer.incremental_unassign(partitions).map_err(log::Error::may_pass)?,
            Action::Await => tasks.assigned = None,
            Action::Take(partitions) => take(partitions, consumer, tasks)?,
            Action::Return(task) => tasks.bring_back(task, now_ms, backoff_ms),
            Action::Begin(task) => {
                producers.discard_single(task.sub_topology);
                tasks.begin(task, now_ms, backoff_ms);
            }
            Action::Close(task) => {
                if let Some(parked) = tasks.take_parked(task) {
                    tasks.release(parked, Leaving::ForAnother, &environment.restorer);
                }
            }
        }
        Ok(())
    }

    /// Another member goes on behind what was done here. Where that cannot be committed, that member does it again.
    fn commit_before_parting(&mut self) {
        if let Err(error) = self.commit(Then::Leave) {
            tracing::warn!(%error, "the commit before giving partitions up failed; what was done is done again");
            self.producers.discard_all();
            self.set_back(|_| true);
            // That was about this commit, and says nothing of the next failure.
            self.failures.is_other_generation = false;
        }
    }

    /// What these tasks did is void, and so is what others did in the same transactions.
    fn give_work_up(&mut self, voided: &[TaskId]) {
        let writers: Vec<Writer> = {
            let going = self.tasks.iter().filter(|task| voided.contains(&task.id));
            going.filter_map(|task| task.running()).map(|running| running.writer).collect()
        };
        self.producers.give_up_open(|writer| writers.contains(&writer));
        self.set_back(|writer| writers.contains(&writer));
    }

    /// Sets back the tasks that use these producers: see [`Tasks::set_back`].
    pub(super) fn set_back(&mut self, which: impl Fn(Writer) -> bool) {
        let (now_ms, backoff_ms) = (self.environment.monotonic_ms(), self.failures.backoff.wait_ms());
        let waiting = self.tasks.set_back(|running| which(running.writer), now_ms, backoff_ms);
        // What is delivered in spite of it is ignored: a task that comes back to life seeks.
        if let Err(error) = self.consumer.pause(&waiting) {
            tracing::debug!(%error, "could not stop the delivery of records");
        }
    }
}

/// The consumer has them; nothing is read before their tasks say from where. One whose reader comes back goes on where
/// it had read to.
fn take(added: &[TopicPartition], consumer: &mut impl Consumer, tasks: &mut Tasks) -> Result<()> {
    let start = |partition: &TopicPartition| tasks.parked_at(partition).map_or(Start::Paused, Start::At);
    let starts: Vec<_> = added.iter().map(|partition| (partition.clone(), start(partition))).collect();
    consumer.incremental_assign(&starts).map_err(log::Error::may_pass)?;
    tasks.assigned.get_or_insert_default();
    consumer.pause(added).map_err(half_done)
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

/// A partition that could not be paused delivers what no task takes, and the step before cannot be taken again. All
/// begins anew, from what is committed.
fn half_done(error: log::Error) -> Error {
    match error.may_pass() {
        error if error.class() == Class::Stop => error,
        error => Error::new(Class::Rejoin, format!("partitions that change hands could not be paused: {error}")),
    }
}
