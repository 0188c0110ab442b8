//! Panics of tasks: what a task did is void, and it is begun again after a pause. No other task stops for it.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::backoff::Backoff;
use crate::error::{Class, Error, Result};
use crate::task::TaskId;

/// So often the pause before a task is begun again doubles with each panic that follows soon.
const DOUBLINGS_MAX: u32 = 9;
/// A task that ran for so long beyond its last pause is as good as new.
const GOOD_AFTER_MS: i64 = 10_000;

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    text: String,
}

/// Unwinds a stream thread as a whole, as a simulation does with one that it kills: only the simulation catches it.
pub(crate) struct Killed;

impl Panic {
    /// Calls what may panic. Nothing is used after a panic but what gives up what was under way.
    pub(super) fn catch<T>(call: impl FnOnce() -> Result<T>) -> Result<Result<T>, Panic> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Err(panic) if panic.is::<Killed>() => resume_unwind(panic),
            called => called.map_err(|panic| Panic { text: Panic::text(&*panic) }),
        }
    }

    /// What was said with it.
    pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("it said nothing").to_owned()
    }

    /// The work of a task's transaction is void.
    pub(super) fn error(&self, task: &TaskId) -> Error {
        Error::new(Class::Rewind, format!("task {task} panicked: {}", self.text))
    }
}

/// Which tasks have panicked.
#[derive(Debug, Default)]
pub(super) struct Panics(BTreeMap<TaskId, Last>);

#[derive(Debug)]
struct Last {
    backoff: Backoff,
    at_ms: i64,
}

impl Panics {
    /// A task has panicked. Returns how often in a row that was, and for how long it is to be left alone, ms.
    pub(super) fn note(&mut self, task: &TaskId, now_ms: i64) -> (u32, i64) {
        let new = || Last { backoff: Backoff::new(DOUBLINGS_MAX), at_ms: now_ms };
        let Last { backoff, at_ms } = self.0.entry(task.clone()).or_insert_with(new);
        let ran_ms = now_ms.saturating_sub(*at_ms).saturating_sub(backoff.wait_ms());
        if ran_ms > GOOD_AFTER_MS {
            backoff.succeeded();
        }
        *at_ms = now_ms;
        (backoff.failed(), backoff.wait_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_panics_follow_each_other_and_begin_anew_after_a_good_time() {
        let task = TaskId { sub_topology: "sub".to_owned(), partition: 0 };
        let mut panics = Panics::default();
        let mut now_ms = 0;
        let pauses: Vec<i64> = (0..12)
            .map(|_| {
                let (_, pause_ms) = panics.note(&task, now_ms);
                now_ms += pause_ms + 10;
                pause_ms
            })
            .collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[9..], [51_200, 51_200, 51_200]);
        assert_eq!(panics.note(&task, now_ms + GOOD_AFTER_MS), (1, 100));
    }
}
