//! Places in a task's inputs.

use crate::log::Offset;

/// A place in one of the inputs of a task: what lies before it was taken, what lies at it and behind was not.
///
/// Inputs are numbered from 0, in the order in which the graph names the topics of the sub-topology.
///
/// ```
/// use topology::processor::Position;
///
/// let first = Position::new(0, 7);
/// assert_eq!(first.next(), Position { input: 0, offset: 8 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which input of the task.
    pub input: usize,
    /// The offset in its partition.
    pub offset: Offset,
}

impl Position {
    /// A place in an input.
    pub const fn new(input: usize, offset: Offset) -> Self {
        Self { input, offset }
    }

    /// The place behind the record that is here.
    pub const fn next(self) -> Self {
        Self { input: self.input, offset: self.offset.saturating_add(1) }
    }
}
