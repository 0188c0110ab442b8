//! A driver of which a task has failed: it does nothing more until others begin, as a client that stopped.

use super::TestDriver;
use crate::error::{Error, Result};

impl TestDriver {
    /// Does something with the tasks, unless one has failed before. An error of it is such a failure: the task may have
    /// done half of it, and to commit that half is what no client does.
    pub(super) fn moving<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.check_failure()?;
        self.noting(step)
    }

    /// As [`TestDriver::moving`], of what also a driver does of which a task has failed: it has others begin.
    pub(super) fn noting<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let done = step(self);
        if let Err(error) = &done {
            self.failure.get_or_insert_with(|| error.to_string());
        }
        done
    }

    /// An error where a task has failed since the tasks began.
    pub(super) fn check_failure(&self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(first) => Err(Error::stop(format!(
                "the task has failed and nothing more is committed; restart or abort: {first}"
            ))),
        }
    }
}
