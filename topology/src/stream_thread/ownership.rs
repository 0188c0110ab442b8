//! Which tasks the group's word makes this thread's: pure, changes in, actions out.
//!
//! ```text
//!                 all inputs are here                an input is taken away
//!   not ours ──────── Begin ────────> held ──────────────── Park ──────────────> parked
//!      ^                                ^                                          │
//!      │                                └──────── Return: they are here again ─────┤
//!      └────────────────────── Close: the group was answered, and they are not ────┘
//! ```
//! No action concerns a task none of whose inputs come or go: it does not pause. A parked task keeps all it has, and
//! costs the group no time. What the group says after a revocation decides what becomes of it: with
//! [`GroupProtocol::Consumer`] that is nothing, for what is taken away there goes to another member; with
//! [`GroupProtocol::Classic`], which takes everything away to give it out anew, it is the next assignment.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Topology;
use crate::log::{GroupProtocol, TopicPartition};
use crate::task::TaskId;

/// What the group changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Assigned(Vec<TopicPartition>),
    Revoked { partitions: Vec<TopicPartition>, lost: bool },
}

/// What is to be done about a change, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Commit what was done: another member is to go on behind it.
    Commit,
    /// What these tasks did since their last commit is void: they may be another member's already.
    Void(Vec<TaskId>),
    /// A task stops where it is. These inputs of it stay with this thread.
    Park { task: TaskId, staying: Vec<TopicPartition> },
    /// The answer to a revocation.
    Give(Vec<TopicPartition>),
    /// Nothing is known now, until the group speaks again.
    Await,
    /// The answer to an assignment.
    Take(Vec<TopicPartition>),
    /// A parked task goes on.
    Return(TaskId),
    /// A task that is new here is taken over.
    Begin(NewTask),
    /// A parked task is another member's now.
    Close(TaskId),
}

/// A task to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewTask {
    pub(super) id: TaskId,
    /// Its sub-topology's index.
    pub(super) sub_topology: usize,
    /// Its inputs, in the graph's order.
    pub(super) inputs: Vec<TopicPartition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Held,
    Parked,
}

/// What this thread has of the group.
#[derive(Debug)]
pub(super) struct Ownership {
    protocol: GroupProtocol,
    sub_topologies: Vec<Reads>,
    partitions: BTreeSet<TopicPartition>,
    incomplete: Vec<TopicPartition>,
    tasks: BTreeMap<TaskId, Standing>,
}

/// What a sub-topology reads.
#[derive(Debug)]
struct Reads {
    name: String,
    topics: Vec<String>,
}

impl Ownership {
    pub(super) fn new(topology: &Topology, protocol: GroupProtocol) -> Self {
        let reads = topology.sub_topologies.iter().map(|spec| Reads {
            name: spec.name.clone(),
            topics: spec.source_topics().iter().map(|topic| topic.name().to_owned()).collect(),
        });
        let sub_topologies = reads.collect();
        let partitions = BTreeSet::new();
        Self { protocol, sub_topologies, partitions, incomplete: Vec::new(), tasks: BTreeMap::new() }
    }

    /// What is to be done about a change.
    pub(super) fn decide(&self, change: Change) -> Vec<Action> {
        match change {
            Change::Assigned(added) => self.assigned(added),
            Change::Revoked { partitions, lost } => self.revoked(partitions, lost),
        }
    }

    /// An action was done.
    pub(super) fn done(&mut self, action: &Action) {
        match action {
            Action::Take(added) => {
                self.partitions.extend(added.iter().cloned());
                self.look_for_parts();
            }
            Action::Give(removed) => {
                self.partitions.retain(|partition| !removed.contains(partition));
                self.look_for_parts();
            }
            Action::Park { task, .. } => {
                self.tasks.insert(task.clone(), Standing::Parked);
            }
            Action::Return(task) | Action::Begin(NewTask { id: task, .. }) => {
                self.tasks.insert(task.clone(), Standing::Held);
            }
            Action::Close(task) => {
                self.tasks.remove(task);
            }
            Action::Commit | Action::Void(_) | Action::Await => {}
        }
    }

    /// The membership ended: nothing is this thread's any more.
    pub(super) fn clear(&mut self) {
        self.partitions.clear();
        self.incomplete.clear();
        self.tasks.clear();
    }

    /// Partitions of tasks that have not all of theirs. They wait: another member has the rest, and gives it up soon,
    /// or it shares partitions in another way.
    pub(super) fn incomplete(&self) -> &[TopicPartition] {
        &self.incomplete
    }

    fn look_for_parts(&mut self) {
        let whole: BTreeSet<TopicPartition> =
            self.whole_tasks(&self.partitions).into_iter().flat_map(|task| task.inputs).collect();
        self.incomplete = self.partitions.difference(&whole).cloned().collect();
    }

    fn assigned(&self, added: Vec<TopicPartition>) -> Vec<Action> {
        let after: BTreeSet<TopicPartition> = self.partitions.iter().chain(&added).cloned().collect();
        let whole = self.whole_tasks(&after);
        let is_left = |task: &&TaskId| whole.iter().all(|whole| whole.id != **task);
        let parked = self.tasks.iter().filter(|(_, standing)| **standing == Standing::Parked).map(|(task, _)| task);
        let closed: Vec<Action> = parked.filter(is_left).cloned().map(Action::Close).collect();
        let coming = whole.into_iter().filter_map(|task| match self.tasks.get(&task.id) {
            Some(Standing::Held) => None,
            Some(Standing::Parked) => Some(Action::Return(task.id)),
            None => Some(Action::Begin(task)),
        });
        let coming: Vec<Action> = coming.collect();
        std::iter::once(Action::Take(added)).chain(coming).chain(closed).collect()
    }

    fn revoked(&self, removed: Vec<TopicPartition>, lost: bool) -> Vec<Action> {
        let held = self.whole_tasks(&self.partitions).into_iter();
        let held = held.filter(|task| self.tasks.get(&task.id) == Some(&Standing::Held));
        let going: Vec<NewTask> = held.filter(|task| task.inputs.iter().any(|input| removed.contains(input))).collect();
        let ids: Vec<TaskId> = going.iter().map(|task| task.id.clone()).collect();
        let mut actions = Vec::new();
        if !going.is_empty() {
            actions.push(if lost { Action::Void(ids.clone()) } else { Action::Commit });
        }
        actions.extend(going.into_iter().map(|NewTask { id, inputs, .. }| {
            let staying = inputs.into_iter().filter(|input| !removed.contains(input)).collect();
            Action::Park { task: id, staying }
        }));
        let takes_all = self.partitions.iter().all(|partition| removed.contains(partition));
        actions.push(Action::Give(removed));
        if takes_all && (lost || self.protocol == GroupProtocol::Classic) {
            actions.push(Action::Await);
        }
        if self.protocol == GroupProtocol::Consumer {
            actions.extend(ids.into_iter().map(Action::Close));
        }
        actions
    }

    /// The tasks all of whose inputs are among these, by sub-topology and partition.
    fn whole_tasks(&self, partitions: &BTreeSet<TopicPartition>) -> Vec<NewTask> {
        let mut tasks = Vec::new();
        for (sub_topology, Reads { name, topics }) in self.sub_topologies.iter().enumerate() {
            let Some(first) = topics.first() else { continue };
            for TopicPartition { partition, .. } in partitions.iter().filter(|at| at.topic == *first) {
                let inputs = topics.iter().map(|topic| TopicPartition::new(topic.as_str(), *partition));
                let inputs: Vec<TopicPartition> = inputs.collect();
                if inputs.iter().all(|input| partitions.contains(input)) {
                    let id = TaskId { sub_topology: name.clone(), partition: *partition };
                    tasks.push(NewTask { id, sub_topology, inputs });
                }
            }
        }
        tasks
    }
}

#[cfg(test)]
mod tests;
