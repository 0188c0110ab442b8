//! Leaving the group at once, as a static member too.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::super::context::Rebalance;
use super::super::deadline::Deadline;
use super::super::native;
use super::{KafkaConsumer, Pending};
use crate::log::{Error, Kind, Result};

/// How long leaving the group may take; afterwards the session times out by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

impl KafkaConsumer {
    pub(super) fn leave_group(&mut self) -> Result<()> {
        let deadline = Deadline::after(LEAVE_TIMEOUT);
        // Closing a static member tells the group nothing (KIP-345); unsubscribing does, once nothing is assigned.
        self.consumer.unsubscribe();
        self.assigned.clear();
        self.delivery.reset();
        self.failure = None;
        loop {
            if std::mem::replace(&mut self.pending, Pending::Nothing) == Pending::Assign {
                self.replace_assignment(&[])?;
            }
            self.consumer
                .unassign()
                .map_err(|error| Error::new(Kind::Retry, format!("cannot give partitions back: {error}")))?;
            if !native::is_member(&self.consumer) {
                break;
            }
            // Errors say nothing new here: whoever leaves does not care what is wrong with the rest.
            let _ = self.serve_main_queue();
            match self.consumer.context().take_rebalance() {
                Some(Rebalance::Assigned(_)) => self.pending = Pending::Assign,
                Some(Rebalance::Revoked { .. }) => {}
                None => thread::sleep(Duration::from_millis(1)),
            }
            if deadline.is_over() {
                let message = "the group's coordinator did not answer; the group notices when the session times out";
                return Err(Error::new(Kind::Retry, message));
            }
        }
        // What told this member to give its partitions up may still wait to be polled: it is no news to anybody.
        let _ = self.serve_main_queue();
        while self.consumer.context().take_rebalance().is_some() {}
        Ok(())
    }
}
