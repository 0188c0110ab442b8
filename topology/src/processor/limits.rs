//! What the topics take that a task writes to.

use std::collections::BTreeMap;

use crate::log::RecordLimits;

/// Kafka's own default of `max.message.bytes`.
const MESSAGE_MAX_BYTES: usize = 1_048_588;

/// What the topics take that a task writes to, as they were when the run began.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Larger dead letters are cut.
    pub dead_letter_max_bytes: usize,
    /// By topic. One that is not named takes anything.
    pub topics: BTreeMap<String, RecordLimits>,
}

impl Default for Limits {
    /// No limits, but for dead letters Kafka's default.
    fn default() -> Self {
        Self { dead_letter_max_bytes: MESSAGE_MAX_BYTES, topics: BTreeMap::new() }
    }
}
