//! Says what a thread waits for that others have to do.

use crate::log::{Awaited, GroupProtocol, Log};

use super::StreamThread;
use super::complaints::{SAY_EVERY_MS, Subject};

/// So long nothing is said of a restorer that gives no sign of life, ms: a slow disk or a log that is asked may take a
/// while.
const SILENCE_MAX_MS: i64 = 10_000;

impl<L: Log> StreamThread<L> {
    /// Says that the group assigns nothing, and why that may be.
    pub(super) fn await_group(&mut self) {
        let now_ms = self.environment.monotonic_ms();
        let group = self.environment.group();
        if self.tasks.are_known() {
            if let Some(waited_ms) = self.complaints.over(&Subject::Group, now_ms) {
                tracing::info!(group, waited_ms, "the group has assigned partitions");
            }
        } else if let Some(waited_ms) = self.complaints.due(Subject::Group, SAY_EVERY_MS, now_ms) {
            let obstacle = self.environment.log.obstacle(Awaited::Group(group)).or_else(|| self.intake.error.clone());
            let why = obstacle.as_deref().unwrap_or(match self.environment.config.group_protocol {
                GroupProtocol::Classic => "it may be waiting for another member",
                // The client goes on looking for a coordinator that has it, and tells nothing.
                GroupProtocol::Consumer => {
                    "it may be waiting for another member, or the brokers lack the group protocol 'consumer': Kafka has it since 4.0"
                }
            });
            tracing::warn!(group, waited_ms, "the group has assigned nothing yet: {why}");
        }
    }

    /// Says that what restores stores gives no sign of life while tasks wait for theirs. It may hang in a call that
    /// does not come back: nothing here can end that, and nothing else would ever be said of it.
    pub(super) fn await_restorer(&mut self) {
        let Self { environment, tasks, complaints, .. } = self;
        let now_ms = environment.monotonic_ms();
        let silent_ms =
            tasks.restoring_since_ms().map_or(0, |since_ms| environment.restorer.silent_ms(since_ms, now_ms));
        if silent_ms < SILENCE_MAX_MS {
            if let Some(waited_ms) = complaints.over(&Subject::Restorer, now_ms) {
                tracing::info!(waited_ms, "the thread that restores stores goes on");
            }
        } else if complaints.due(Subject::Restorer, 0, now_ms).is_some() {
            tracing::warn!(
                silent_ms,
                "tasks wait for their stores, and the thread that restores them does not go on: it waits for the disk, for the \
                 log or for the restore listener of the application. If that lasts, start again"
            );
        }
    }

    /// Says which tasks wait for partitions that others have.
    pub(super) fn await_parts(&mut self) {
        let now_ms = self.environment.monotonic_ms();
        let incomplete = self.membership.incomplete();
        if incomplete.is_empty() {
            self.complaints.over(&Subject::Parts, now_ms);
        } else if let Some(waited_ms) = self.complaints.due(Subject::Parts, SAY_EVERY_MS, now_ms) {
            let partitions = incomplete.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            tracing::error!(
                partitions,
                waited_ms,
                "the group gave this member one part of a task and another member the rest: all members must read the same \
                 topics, with the strategy 'range'. The task waits"
            );
        }
    }
}
