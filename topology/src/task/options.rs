//! What a task is made from.

use crate::processor::{InputOptions, InputRange, RuntimeOptions, Target};

use super::{CommittedInput, TaskId};

/// What a task is made from.
pub(crate) struct TaskOptions {
    /// Which task.
    pub id: TaskId,
    /// Its sub-topology's index.
    pub sub_topology: usize,
    /// Its inputs, in the order in which the graph names them. At least one.
    pub inputs: Vec<InputStart>,
    /// With what it runs.
    pub runtime: RuntimeOptions,
    /// For each store, in their order: the topic of its changelog, if it has one.
    pub changelogs: Vec<Option<Target>>,
    /// How several inputs wait for each other.
    pub queues: QueueOptions,
    /// Input may be processed again whose effects are there already: state may be ahead of what is committed.
    pub may_repeat: bool,
}

/// Where an input of a task continues.
#[derive(Clone, Debug)]
pub(crate) struct InputStart {
    /// What the group has committed for it.
    pub committed: CommittedInput,
    /// The partition as it was when the task was taken over.
    pub range: InputRange,
    /// Where its dead letters go.
    pub dead_letters: Target,
}

impl From<&InputStart> for InputOptions {
    fn from(InputStart { committed, range, dead_letters }: &InputStart) -> Self {
        Self {
            partition: committed.input.clone(),
            committed_offset: committed.offset,
            is_own_offset: committed.is_own(),
            range: *range,
            stream_time_ms: committed.metadata.stream_time_ms,
            dead_letters: *dead_letters,
        }
    }
}

/// How several inputs of a task wait for each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueOptions {
    /// How long an input that is known to be empty is waited for, ms; negative: nothing is waited for.
    pub max_idle_ms: i64,
    /// With so many bytes waiting of one input, the task takes no more of it for now.
    pub max_bytes: usize,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { max_idle_ms: 0, max_bytes: 8 << 20 }
    }
}
