//! How often a member of the consumer protocol reports to its group.
//!
//! A member learns in the answer to a heartbeat what it is to give up, and another one learns so that it may have it:
//!
//! ```text
//!   a member comes     its holder's heartbeat:                  the newcomer's heartbeat:
//!   or goes            it gives the partition up, and says so   it is given the partition
//!      │<──── the holder goes on meanwhile ────>│<─────── no one reads it ────────>│
//! ```
//! The brokers say how often heartbeats are sent (`group.consumer.heartbeat.interval.ms`, 5 s unless it is set), and
//! librdkafka has no setting of its own. But a subscription makes it send one at once, and the one that the group knows
//! already changes nothing there. So members report as often as those of a classic group, and oftener while their group
//! is changing.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::super::deadline::Deadline;
use super::super::native;
use super::{KafkaConsumer, Pending};

/// Between two looks at the generation, and between two heartbeats while it is changing.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a group counts as changing after a member's generation did. Others need one heartbeat each to give up what
/// they have to, and may have stores to restore; what takes longer goes on at the usual pace.
const CHANGING_FOR: Duration = Duration::from_secs(10);

/// When the next heartbeat is due.
pub(super) struct Heartbeats {
    /// While nothing changes.
    interval: Duration,
    /// As of the last look.
    generation: i32,
    next_look: Deadline,
    next: Deadline,
    changing_until: Deadline,
}

impl Heartbeats {
    pub(super) fn new(interval: Duration) -> Self {
        let over = Deadline::after(Duration::ZERO);
        Self { interval, generation: 0, next_look: over, next: over, changing_until: over }
    }

    /// Whether one is to be sent now; the generation is asked for when it is time to look.
    fn is_due(&mut self, generation: impl FnOnce() -> i32) -> bool {
        if !self.next_look.is_over() {
            return false;
        }
        self.next_look = Deadline::after(LOOK_EVERY);
        let generation = generation();
        // Before it is a member, librdkafka sends what it takes to become one.
        if generation <= 0 {
            return false;
        }
        if generation != self.generation {
            self.generation = generation;
            self.changing_until = Deadline::after(CHANGING_FOR);
        }
        if self.changing_until.is_over() && !self.next.is_over() {
            return false;
        }
        self.next = Deadline::after(self.interval);
        true
    }
}

impl KafkaConsumer {
    /// Has a heartbeat sent where one is due. While an answer is owed nothing new can come of one.
    pub(super) fn report(&mut self) {
        let Some(heartbeats) = &mut self.heartbeats else { return };
        if !self.has_subscribed || self.pending != Pending::Nothing {
            return;
        }
        let consumer = &self.consumer;
        if !heartbeats.is_due(|| native::generation(consumer)) {
            return;
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        if let Err(error) = consumer.subscribe(&topics) {
            // The group notices nothing: librdkafka goes on at the brokers' pace.
            tracing::debug!(%error, "could not send a heartbeat before its time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_when_the_generation_has_changed_and_none_before_there_is_one() {
        let mut heartbeats = Heartbeats::new(Duration::from_secs(3_600));
        let mut look = |generation: Option<i32>| {
            heartbeats.next_look = Deadline::after(Duration::ZERO);
            heartbeats.is_due(|| generation.expect("it was not time to look"))
        };
        assert!(!look(Some(-1)) && !look(Some(0)), "it is no member yet");
        assert!(look(Some(1)) && look(Some(1)), "the group is changing, and others may give something up at any time");
        heartbeats.changing_until = Deadline::after(Duration::ZERO);
        let mut look = |generation: i32| {
            heartbeats.next_look = Deadline::after(Duration::ZERO);
            heartbeats.is_due(|| generation)
        };
        assert!(!look(1), "nothing changes, and the interval is not over");
        assert!(look(2), "a member came or went");
        assert!(!heartbeats.is_due(|| panic!("looked again at once")));
    }
}
