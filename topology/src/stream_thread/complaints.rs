//! What does not go on is said: at once or after a moment, every 5 s, and once more when it is over.
//!
//! ```text
//!   begins ──> said ──5 s──> said ──5 s──> said ... ──> over: said once, with how long it took
//!      └── over before anything was said: nothing is said
//! ```

use std::collections::BTreeMap;

use crate::task::TaskId;

/// How often it is said, ms.
pub(super) const SAY_EVERY_MS: i64 = 5_000;

/// What does not go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The group assigns nothing.
    Group,
    /// Nothing can be read.
    Input,
    /// Tasks have not all of their partitions.
    Parts,
    /// A task cannot be taken over.
    TakeOver(TaskId),
    /// What restores stores gives no sign of life.
    Restorer,
    /// What was done had to be done again.
    Commit,
    /// Records do not come through.
    Losses,
}

/// What does not go on now, and what was said of it.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    open: BTreeMap<Subject, Open>,
}

#[derive(Debug)]
struct Open {
    since_ms: i64,
    said_ms: Option<i64>,
}

impl Complaints {
    /// It does not go on. Returns for how long, ms, where it is to be said now: the first time after `quiet_ms`.
    pub(super) fn due(&mut self, subject: Subject, quiet_ms: i64, now_ms: i64) -> Option<i64> {
        let open = self.open.entry(subject).or_insert(Open { since_ms: now_ms, said_ms: None });
        let waited_ms = now_ms.saturating_sub(open.since_ms);
        let is_due = match open.said_ms {
            None => waited_ms >= quiet_ms,
            Some(said_ms) => now_ms.saturating_sub(said_ms) >= SAY_EVERY_MS,
        };
        if !is_due {
            return None;
        }
        open.said_ms = Some(now_ms);
        Some(waited_ms)
    }

    /// It goes on. Returns for how long it did not, ms, where anything was said of it.
    pub(super) fn over(&mut self, subject: &Subject, now_ms: i64) -> Option<i64> {
        let open = self.open.remove(subject)?;
        open.said_ms.map(|_| now_ms.saturating_sub(open.since_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_or_after_a_moment_then_every_five_seconds_and_when_it_is_over() {
        for quiet_ms in [0, 5_000] {
            let mut complaints = Complaints::default();
            let said: Vec<i64> = (100..)
                .step_by(100)
                .take(200)
                .filter(|now| complaints.due(Subject::Input, quiet_ms, *now).is_some())
                .collect();
            let first = 100 + quiet_ms;
            let expected: Vec<i64> = (0..4).map(|time| first + time * 5_000).filter(|at| *at <= 20_000).collect();
            assert_eq!(said, expected);
            assert_eq!(complaints.due(Subject::Commit, 1, 20_000), None, "another is another");
            assert_eq!(complaints.over(&Subject::Input, 20_050), Some(19_950));
            assert_eq!(complaints.over(&Subject::Input, 20_050), None, "once");
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_over_before() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.due(Subject::Group, 5_000, 0), None);
        assert_eq!(complaints.over(&Subject::Group, 4_999), None);
        assert_eq!(complaints.due(Subject::Group, 5_000, 5_000), None, "it begins anew");
    }
}
