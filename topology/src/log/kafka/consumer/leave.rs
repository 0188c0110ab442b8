//! Leaving the group at once, as a static member too.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::super::context::Rebalance;
use super::super::deadline::Deadline;
use super::super::native;
use super::{KafkaConsumer, Pending};
use crate::log::{Error, Kind, Result, TopicPartition};

/// How long leaving the group may take; afterwards the session times out by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

impl KafkaConsumer {
    pub(super) fn leave_group(&mut self) -> Result<()> {
        let deadline = Deadline::after(LEAVE_TIMEOUT);
        // Closing a static member tells the group nothing (KIP-345); unsubscribing does, once nothing is assigned.
        self.consumer.unsubscribe();
        self.has_subscribed = false;
        loop {
            // The order: what was handed out and not answered, then all that is left.
            if self.pending == Pending::Assign {
                self.add(&[])?;
            }
            let all: Vec<TopicPartition> = self.assigned.iter().map(|assigned| assigned.partition.clone()).collect();
            self.remove(&all)?;
            // A member of the consumer protocol keeps its id, which it made itself.
            let is_member = match self.speaks_consumer_protocol() {
                true => native::generation(&self.consumer) > 0,
                false => native::is_member(&self.consumer),
            };
            if !is_member {
                break;
            }
            // Errors say nothing new here: a member that leaves does not care what is wrong with the rest.
            let _ = self.serve_main_queue();
            match self.consumer.context().take_rebalance() {
                Some(Rebalance::Assigned(_)) => self.pending = Pending::Assign,
                Some(Rebalance::Revoked { .. }) => self.pending = Pending::Revoke,
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
