//! What the group gave this thread, and how far each task has come to life.
//!
//! ```text
//!             fenced, offsets read            stores restored
//!   Pending ─────────────────────> Restoring ─────────────────> Running
//!      ^                                                           │
//!      └───────────────────── rewind: stores are kept ─────────────┘
//! ```

use std::collections::BTreeSet;

use crate::error::Result;
use crate::graph::SubTopologySpec;
use crate::log::{self, Consumer, Log, Start, TopicPartition};
use crate::processor::InputRange;
use crate::store::Stores;
use crate::task::{CommittedInput, Task, TaskId};

use super::commit::Then;
use super::{StreamThread, close_stores};

/// A task whose partitions are assigned.
pub(super) struct Assigned {
    /// The task's inputs, in their order.
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) sub_topology: usize,
    pub(super) id: TaskId,
    pub(super) phase: Phase,
}

pub(super) enum Phase {
    /// Waits to be taken over, with its stores if it had them open already.
    Pending(Pending),
    /// Its stores are with the restorer.
    Restoring(Restoring),
    /// It processes.
    Running(Box<Running>),
}

pub(super) struct Pending {
    pub(super) stores: Option<Box<Stores>>,
    /// Since when it waits, monotonic ms.
    pub(super) since_ms: i64,
    /// No attempt before this, monotonic ms.
    pub(super) not_before_ms: i64,
}

#[derive(Clone)]
pub(super) struct Restoring {
    /// Where its task is to begin, of each input.
    pub(super) beginnings: Vec<Beginning>,
    /// How long it had waited before, ms.
    pub(super) waited_ms: i64,
}

/// What tells where an input of a task begins, as read when its predecessor was fenced.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) committed: CommittedInput,
    pub(super) range: InputRange,
}

pub(super) struct Running {
    pub(super) task: Task,
    /// Which producer it uses.
    pub(super) slot: Option<usize>,
    /// Its output topics.
    pub(super) topics: Vec<String>,
    /// For each input, whether the consumer delivers nothing of it: the task has no room for more, or the consumer was not told
    /// yet where to begin.
    pub(super) paused: Vec<bool>,
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
}

impl<L: Log> StreamThread<L> {
    /// The group's word: these are this thread's now. Reading begins only when a task is ready for it.
    pub(super) fn assign(&mut self, partitions: Vec<TopicPartition>) -> Result<()> {
        tracing::info!(partitions = %join(&partitions), "assigned");
        self.release_all();
        self.hold_delivery(&partitions)?;
        let since_ms = self.clock.monotonic_ms();
        let not_before_ms = since_ms + self.fencing.backoff_ms();
        let mut tasks: Vec<Assigned> = Vec::new();
        for (sub_topology, spec) in self.topology.sub_topologies.iter().enumerate() {
            for inputs in whole_tasks(spec, &partitions) {
                let Some(first) = inputs.first() else { continue };
                let id = TaskId { sub_topology: spec.name.clone(), partition: first.partition };
                let pending = Pending { stores: None, since_ms, not_before_ms };
                tasks.push(Assigned { partitions: inputs, sub_topology, id, phase: Phase::Pending(pending) });
            }
        }
        // Whoever held a single writer's task before must be fenced by a producer that is made now.
        for task in &tasks {
            if let Some(slot) = self.slots.get_mut(&Some(task.sub_topology)) {
                slot.discard();
            }
        }
        self.assigned = Some(tasks);
        Ok(())
    }

    /// Makes the consumer deliver from these partitions, and nothing yet.
    pub(super) fn hold_delivery(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let starts: Vec<(TopicPartition, Start)> =
            partitions.iter().map(|partition| (partition.clone(), Start::Beginning)).collect();
        self.consumer.assign(&starts).map_err(log::Error::may_pass)?;
        self.consumer.pause(partitions).map_err(log::Error::may_pass)
    }

    /// The group takes everything away. What was processed is committed first, unless it is somebody else's already.
    pub(super) fn revoke(&mut self, lost: bool) -> Result<()> {
        tracing::info!(lost, "revoked");
        let committed = if lost { Ok(false) } else { self.commit(Then::Leave) };
        self.release_all();
        if let Err(error) = committed {
            tracing::warn!(%error, "the commit before giving partitions up failed; their next owner does the work again");
            self.discard_producers();
        }
        self.consumer.assign(&[]).map_err(log::Error::may_pass)
    }

    /// Closes all tasks; what they have not committed is void.
    pub(super) fn release_all(&mut self) {
        for task in self.assigned.take().into_iter().flatten() {
            self.release(task);
        }
        for slot in self.slots.values_mut().filter(|slot| slot.is_open()) {
            slot.give_up();
        }
    }

    fn release(&mut self, task: Assigned) {
        let stores = match task.phase {
            Phase::Pending(pending) => pending.stores.map(|stores| *stores),
            Phase::Running(running) => running.task.into_stores(),
            Phase::Restoring(_) => {
                if self.restorer.cancel(task.id.clone()).is_ok() {
                    self.returning.insert(task.id.clone());
                }
                None
            }
        };
        if let Some(stores) = stores {
            close_stores(&task.id, stores);
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

/// The inputs of each task of a sub-topology all of whose partitions are assigned, by partition. The others wait: the group's
/// members have not all the same topics, or not the same strategy, and it will assign anew when they have.
fn whole_tasks(spec: &SubTopologySpec, assigned: &[TopicPartition]) -> Vec<Vec<TopicPartition>> {
    let topics = spec.source_topics();
    let is_read = |at: &TopicPartition| topics.iter().any(|topic| topic.name() == at.topic);
    let numbers: BTreeSet<i32> = assigned.iter().filter(|at| is_read(at)).map(|at| at.partition).collect();
    let mut tasks = Vec::with_capacity(numbers.len());
    for number in numbers {
        let inputs: Vec<TopicPartition> =
            topics.iter().map(|topic| TopicPartition::new(topic.name(), number)).collect();
        let (whole, missing): (Vec<_>, Vec<_>) = inputs.iter().cloned().partition(|input| assigned.contains(input));
        if missing.is_empty() {
            tasks.push(inputs);
        } else {
            tracing::error!(
                assigned = %join(&whole), missing = %join(&missing), sub_topology = %spec.name,
                "the group gave this member one part of a task and another member the rest: all members must read the same \
                 topics, with the strategy 'range'. The task waits"
            );
        }
    }
    tasks
}

fn join(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;

    #[test]
    fn a_task_begins_when_it_has_all_of_its_partitions() {
        let builder = Builder::new();
        builder.sub_topology("sub").source::<[u8], [u8]>(["b", "a"]);
        let topology = builder.build().unwrap();
        let at = TopicPartition::new;
        let tasks = |assigned: &[TopicPartition]| whole_tasks(&topology.sub_topologies[0], assigned);
        let all = [at("a", 0), at("a", 1), at("b", 0), at("b", 1), at("c", 0)];
        assert_eq!(tasks(&all), [[at("b", 0), at("a", 0)], [at("b", 1), at("a", 1)]]);
        assert_eq!(tasks(&[at("a", 0), at("a", 1), at("b", 1)]), [[at("b", 1), at("a", 1)]]);
        assert!(tasks(&[at("a", 0), at("b", 1)]).is_empty());
    }
}
