//! Names of tasks.

use std::fmt;

/// `<sub-topology>_<partition>`; also the name of its state directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Name of the sub-topology.
    pub sub_topology: String,
    /// Partition of its source.
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.sub_topology, self.partition)
    }
}
