//! Says what a thread waits for that others have to do.

use crate::log::{Awaited, GroupProtocol, Log};

use super::StreamThread;
use super::complaints::{SAY_EVERY_MS, Subject};

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
