//! One commit of several tasks, made by a stream thread or a test driver.
//!
//! ```text
//!                    fail or die here: what was done is void                 die here: stores are behind, and restored
//!   prepare each task ──> send ──> commit, with the offsets of all inputs ──> tell each task: overlays + positions ──> stores
//! ```
//! After any error the tasks begin again where it is found that they are committed: it may be unknown whether that is
//! before this commit or behind it.

use crate::error::Result;
use crate::log::{Offset, OffsetCommit, TopicPartition};
use crate::processor::Outputs;

use super::Task;

/// The transaction that a commit of tasks goes through.
pub(crate) trait Transaction {
    /// Sends what a task wants produced, all of it.
    fn send(&mut self, outputs: &mut Outputs) -> Result<()>;

    /// Commits what was sent, together with these offsets.
    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()>;

    /// The highest offset that was delivered to a partition in what was just committed; `None` without any.
    fn delivered(&self, partition: &TopicPartition) -> Option<Offset>;
}

/// A task, behind what catches its panics, where there is such a thing.
pub(crate) trait Guarded {
    /// Calls the task.
    fn call<T>(&mut self, call: impl FnOnce(&mut Task) -> Result<T>) -> Result<T>;
}

impl Guarded for Task {
    fn call<T>(&mut self, call: impl FnOnce(&mut Task) -> Result<T>) -> Result<T> {
        call(self)
    }
}

/// Commits what tasks did since their last commit, in one transaction, as of this wall-clock time. Returns what is
/// committed of each task's inputs, in their order.
pub(crate) fn commit(
    tasks: &mut [&mut impl Guarded],
    transaction: &mut impl Transaction,
    now_ms: i64,
) -> Result<Vec<Vec<OffsetCommit>>> {
    let mut prepared = Vec::with_capacity(tasks.len());
    for guarded in &mut *tasks {
        prepared.push(guarded.call(|task| task.prepare_commit(&mut |outputs| transaction.send(outputs)))?);
    }
    transaction.commit(&prepared.concat())?;
    for (guarded, offsets) in tasks.iter_mut().zip(&prepared) {
        guarded.call(|task| task.committed(offsets, |partition| transaction.delivered(partition), now_ms))?;
    }
    Ok(prepared)
}
