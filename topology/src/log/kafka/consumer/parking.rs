//! Partitions that are paused while there is something on its way.
//!
//! The client's own pause throws away what it has fetched, and fetches it again on resuming. So the queue of a
//! partition that was read from is led nowhere instead: it fills up, and the client stops fetching by itself. What had
//! passed that queue already is set aside as it comes, and handed out first when the partition is resumed; only then is
//! its queue led back, so that pausing it over and over sets nothing more aside.
//!
//! ```text
//!                        forwarded                     read
//!   partition queue ──────────────────> own queue ─────────────> handed out
//!        │ parked: led nowhere               │ parked: set aside     ▲ first, when it is resumed
//!        └── waits here                      └───────────────────────┘
//! ```
//! A queue that is led nowhere counts alone towards `prefetch_bytes`, so at most [`PARKED_MAX`] partitions are parked
//! at once, and the client's own pause is used for more. So the client holds `prefetch_bytes` for all partitions that
//! flow, and twice that at most for each parked one: what was set aside, and what its queue takes; each of these may be
//! exceeded by one fetch.

use std::sync::Arc;

use rdkafka::consumer::Consumer as _;

use super::super::batch::{Assigned, Pause};
use super::super::native::Batch;
use super::positions::{list, no_such_topic};
use super::{KafkaConsumer, those};
use crate::log::{Error, Event, Kind, Result, Start, TopicPartition};

/// How many partitions are parked at once.
const PARKED_MAX: usize = 4;

impl KafkaConsumer {
    /// Pauses those of these partitions that are assigned and not paused.
    pub(super) fn pause_all(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let flows = |assigned: &Assigned| !assigned.is_paused() && partitions.contains(&assigned.partition);
        let is_led_nowhere = |assigned: &&Assigned| matches!(assigned.pause, Pause::Parked | Pause::Unparking);
        let mut parked_count = self.assigned.iter().filter(is_led_nowhere).count();
        for assigned in self.assigned.iter_mut().filter(|assigned| flows(assigned)) {
            if assigned.pause == Pause::Unparking {
                assigned.pause = Pause::Parked;
            } else if assigned.is_read() && parked_count < PARKED_MAX {
                let partition = &assigned.partition;
                if !self.queue.hold_back(&partition.topic, partition.partition) {
                    return Err(no_such_topic(partition));
                }
                assigned.pause = Pause::Parked;
                parked_count += 1;
            }
        }
        let rest = those(&self.assigned, flows);
        if !rest.is_empty() {
            let result = self.consumer.pause(&list(&rest)?);
            result.map_err(|error| Error::new(Kind::Retry, format!("cannot pause: {error}")))?;
        }
        for assigned in self.assigned.iter_mut().filter(|assigned| flows(assigned)) {
            assigned.pause = Pause::Client;
            // It comes again.
            assigned.waiting.clear();
        }
        Ok(())
    }

    /// Goes on with those of these partitions that are paused.
    pub(super) fn resume_all(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let by_client =
            |assigned: &Assigned| assigned.pause == Pause::Client && partitions.contains(&assigned.partition);
        for assigned in self.assigned.iter_mut().filter(|assigned| by_client(assigned)) {
            if assigned.next == Start::Paused {
                assigned.next = Start::Beginning;
            }
        }
        let stopped = those(&self.assigned, by_client);
        if !stopped.is_empty() {
            // librdkafka would go on at its own position, which is one too high behind an end of partition: out of
            // range, though nothing was lost.
            self.seek_all(&stopped)?;
            // Asked again: where that had to start a partition anew, others that were parked are by now paused by the
            // client.
            let result = self.consumer.resume(&list(&those(&self.assigned, by_client))?);
            result.map_err(|error| Error::new(Kind::Retry, format!("cannot resume: {error}")))?;
        }
        for assigned in &mut self.assigned {
            if !partitions.contains(&assigned.partition) {
                continue;
            }
            assigned.pause = match assigned.pause {
                Pause::Parked | Pause::Unparking => Pause::Unparking,
                Pause::Client | Pause::No => Pause::No,
            };
        }
        Ok(())
    }

    /// Takes what was read of parked partitions out of the batch.
    pub(super) fn set_aside(&mut self) {
        for assigned in self.assigned.iter_mut().filter(|assigned| assigned.pause == Pause::Parked) {
            let TopicPartition { topic, partition } = &assigned.partition;
            let mut aside = Batch::new(Arc::clone(&self.consumer), 0);
            self.batch.move_to(&mut aside, |message| message.partition() == *partition && message.topic() == topic);
            if aside.len() > 0 {
                assigned.waiting.push_back(aside);
            }
        }
    }

    /// Hands out what was set aside of partitions that go on by now, before anything else is read, and leads their
    /// queues back when there is no more of it. `None` where nothing was set aside.
    pub(super) fn hand_out_waiting(&mut self, handler: &mut dyn FnMut(Event<'_>)) -> Option<Result<()>> {
        for assigned in self.assigned.iter_mut().filter(|assigned| assigned.pause == Pause::Unparking) {
            if let Some(batch) = assigned.waiting.pop_front() {
                return Some(self.delivery.deliver(&batch, &mut self.assigned, handler));
            }
            let partition = &assigned.partition;
            if !self.queue.forward(&partition.topic, partition.partition) {
                return Some(Err(no_such_topic(partition)));
            }
            assigned.pause = Pause::No;
        }
        None
    }
}
