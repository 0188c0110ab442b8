//! What a thread does about an error, by its class.
//!
//! ```text
//! retry    nothing happened: the next turn tries again
//! rewind   drop overlays and producers, go back to the committed offsets; the second time in a row: rejoin. Of a
//!          transaction that failed the tasks that had a part in it, and no others
//! rejoin   close all tasks, leave the group, join it again
//! stop     hand it to the caller; a member that the group has given up joins again first
//! ```
//! Offsets that the group refuses because its generation has changed since they were made are no reason to leave it:
//! the transaction is aborted, its tasks go back, and the next one bears the new generation. A timed-out transaction
//! and a rival look the same (fenced). So a new producer is made only while the group still says that the tasks are
//! this thread's: the next turn polls first, and a loss of the partitions ends the attempt there.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::error::{Class, Error, Result};
use crate::log::{self, Consumer, Log};
use crate::task::TaskId;

use super::StreamThread;
use super::complaints::Subject;
use super::producers::Writer;

/// What failed since the last commit.
#[derive(Debug)]
pub(super) struct Failures {
    /// How long to wait before tasks are taken over again.
    pub(super) backoff: Backoff,
    /// The group refused offsets of a generation that had passed by then.
    pub(super) is_other_generation: bool,
    /// More than one thing failed, and the error that is handed on tells of the first: all tasks go back.
    pub(super) concern_all: bool,
}

impl Default for Failures {
    fn default() -> Self {
        Self { backoff: Backoff::new(6), is_other_generation: false, concern_all: false }
    }
}

/// After this many failures with no commit between them nothing more is tried.
const IN_A_ROW_MAX: u32 = 10;

/// Wait before a turn in which nothing happened is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

impl<L: Log> StreamThread<L> {
    /// Reacts to an error, or returns it where nothing helps.
    pub(super) fn recover(&mut self, error: Error) -> Result<()> {
        let concerns_all = std::mem::take(&mut self.failures.concern_all);
        if let Some((task, writer)) = self.tasks.panicked() {
            return self.set_aside(&task, writer, concerns_all, error);
        }
        // A member that the group has given up may find wrong what others have only gone on with. Where it is wrong, it
        // will be so when the member has joined again. What the log refuses for good it refuses to any member.
        let class = match error.class() {
            Class::Stop if !is_of_the_log(&error) && self.consumer.assignment_lost() => Class::Rejoin,
            class => class,
        };
        match class {
            Class::Retry => {
                tracing::warn!(%error, "trying again");
                self.environment.clock.sleep(RETRY_PAUSE);
                Ok(())
            }
            Class::Stop | Class::Input => Err(error),
            Class::Rewind | Class::Rejoin => {
                let in_a_row = self.failures.backoff.failed();
                // Each failure is said below, as it happens; this has the end said as well.
                self.complaints.due(Subject::Commit, 0, self.environment.monotonic_ms());
                self.environment.note_rewind();
                if in_a_row > IN_A_ROW_MAX {
                    return Err(Error::stop(format!(
                        "gave up after {IN_A_ROW_MAX} failures in a row, the last: {error}"
                    )));
                }
                // A member that the group still knows must not leave it, or all others would have to share anew.
                let is_member = std::mem::take(&mut self.failures.is_other_generation);
                if is_member || (class == Class::Rewind && in_a_row == 1) {
                    tracing::warn!(%error, "going back to the committed offsets");
                    self.rewind(concerns_all);
                } else {
                    tracing::warn!(%error, in_a_row, "leaving the group and joining again");
                    self.rejoin();
                }
                Ok(())
            }
        }
    }

    /// Drops what is uncommitted: of the transactions that failed where it is known which, or else everything. Their
    /// tasks are taken over again, with the stores they have.
    fn rewind(&mut self, concerns_all: bool) {
        let failed = self.producers.failed();
        let all = concerns_all || failed.is_empty();
        let is_concerned = |writer: Writer| all || failed.contains(&writer);
        self.producers.roll_back(is_concerned);
        self.set_back(is_concerned);
    }

    /// A task has panicked: it is begun again after a pause. Those that had a part in its transaction go back with it,
    /// and on at once.
    fn set_aside(&mut self, task: &TaskId, writer: Writer, concerns_all: bool, error: Error) -> Result<()> {
        if !self.environment.config.replaces_threads() {
            return Err(Error::stop(error.to_string()).caused_by(error));
        }
        let now_ms = self.environment.monotonic_ms();
        let (in_a_row, pause_ms) = self.panics.note(task, now_ms);
        tracing::error!(%task, %error, in_a_row, pause_ms, "the task begins again where it was committed, after a pause");
        self.environment.note_rewind();
        self.producers.give_up_open(|open| concerns_all || open == writer);
        self.set_back(|of| concerns_all || of == writer);
        self.tasks.leave_alone(task, now_ms + pause_ms);
        Ok(())
    }

    /// Another member may get the tasks, so nothing stays open that would hold its readers up.
    fn rejoin(&mut self) {
        self.give_all_up();
        if let Err(error) = self.consumer.leave() {
            tracing::warn!(%error, "could not leave the group; it will find out by itself");
        }
    }
}

fn is_of_the_log(error: &Error) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |error| error.source()).any(|error| error.is::<log::Error>())
}

/// Once a task has begun to work, "nothing happened, try again" is not true any more: it must begin again where it was
/// committed, or records would be left out.
pub(super) fn void(error: Error) -> Error {
    match error.class() {
        Class::Retry => Error::new(Class::Rewind, error.to_string()).caused_by(error),
        _ => error,
    }
}
