//! What the group gave this thread, and how far each task has come to life.
//!
//! ```text
//!             fenced, offsets read            stores restored
//!   Pending ─────────────────────> Restoring ─────────────────> Running
//!      ^                                                           │
//!      └───────────────────── rewind: stores are kept ─────────────┘
//! ```

use crate::error::Result;
use crate::log::{self, Consumer, Log, Offset, Start, TopicPartition};
use crate::processor::InputRange;
use crate::store::Stores;
use crate::task::{CommittedInput, Task, TaskId};

use super::commit::Then;
use super::{StreamThread, close_stores};

/// An assigned partition and its task.
pub(super) struct Assigned {
    pub(super) partition: TopicPartition,
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
    /// Where its task is to begin.
    pub(super) beginning: Beginning,
    /// How long it had waited before, ms.
    pub(super) waited_ms: i64,
}

/// What tells where a task begins, as read when its predecessor was fenced.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) committed: CommittedInput,
    pub(super) input: InputRange,
}

pub(super) struct Running {
    pub(super) task: Task,
    /// Which producer it uses.
    pub(super) slot: Option<usize>,
    /// Its output topics.
    pub(super) topics: Vec<String>,
    /// The consumer delivers nothing for it: it takes no input for now, or was not told yet where to begin.
    pub(super) paused: bool,
    /// The consumer delivered everything below this offset, records and the end of the partition; the task may have taken
    /// less.
    pub(super) delivered_to: Offset,
}

impl Running {
    /// Whether the consumer is not where the task is. Until it was told to go back, what it delivers lies behind a gap.
    pub(super) fn must_seek(&self) -> bool {
        self.paused || self.task.next_offset() < self.delivered_to
    }
}

impl Assigned {
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
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
        let tasks = partitions.into_iter().filter_map(|partition| {
            let mut sub_topologies = self.topology.sub_topologies.iter().enumerate();
            let (sub_topology, spec) = sub_topologies.find(|(_, spec)| spec.source_topic() == partition.topic)?;
            let id = TaskId { sub_topology: spec.name.clone(), partition: partition.partition };
            let pending = Pending { stores: None, since_ms, not_before_ms };
            Some(Assigned { partition, sub_topology, id, phase: Phase::Pending(pending) })
        });
        let mut tasks: Vec<Assigned> = tasks.collect();
        tasks.sort_by_key(|task| (task.sub_topology, task.partition.partition));
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

fn join(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}
