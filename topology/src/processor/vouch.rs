//! That input is of the topic it is taken for.

use std::fmt;

use crate::error::Result;

/// Knows whether a task's input topic is still the one that was there when the run began.
pub trait Vouch: fmt::Debug {
    /// Waits until that is found out for all records handed to the task so far. An error of class stop: the topic is
    /// another one, or gone. Of another class: it could not be found out in time, and the work since the last commit is
    /// void.
    fn vouch(&self) -> Result<()>;
}

/// For input that cannot be exchanged, as in a test.
impl Vouch for () {
    fn vouch(&self) -> Result<()> {
        Ok(())
    }
}
