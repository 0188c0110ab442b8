//! The consumer: one own queue for all records, librdkafka's main queue for everything else.
//!
//! ```text
//!   partition queues --forward--> own queue  --read in batches--> records, ends of partition
//!   main queue (rebalances, errors, log lines) --poll one by one--> noted, then handed out
//!                     `-- not empty --> wakes the thread that waits on the own queue
//! ```
//! `assigning` changes which partitions these are; `parking` says what becomes of this while one is paused;
//! `heartbeats` says how often the group is asked for news.

mod assigning;
mod commit;
mod heartbeats;
mod leave;
mod parking;
mod positions;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::admin::Admin;
use super::batch::{Assigned, Delivery};
use super::classify;
use super::context::{Context, Rebalance};
use super::deadline::Deadline;
use super::login::Login;
use super::native::{self, Batch, Queue, Waker};
use super::options;
use super::statistics::Reports;
use crate::log::{
    Consumer, ConsumerOptions, Error, Event, GroupOptions, GroupProtocol, Kind, Offset, OffsetCommit, Result, Start,
    TopicPartition,
};
use heartbeats::Heartbeats;

const FENCED_INSTANCE: &str =
    "another process joined the group under this member's instance id: run each with a state directory of its own";

const LACKS_PROTOCOL: &str = "the brokers do not have the group protocol 'consumer' with the assignor 'range': Kafka has it since 4.0, unless \
                              group.coordinator.rebalance.protocols or group.version says otherwise. Choose the classic protocol";

/// A rebalance that was handed out and waits for the caller's answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Assign,
    Revoke,
    /// This consumer found out by itself that it is a member that has nothing: librdkafka tells of partitions only.
    Empty,
}

/// A consumer of a Kafka cluster.
pub struct KafkaConsumer {
    // Dropped in this order: messages and queue handles before the client.
    batch: Batch,
    queue: Queue,
    consumer: Arc<BaseConsumer<Context>>,
    group: Option<String>,
    protocol: Option<GroupProtocol>,
    /// What it has subscribed to last.
    topics: Vec<String>,
    /// Of a member of the consumer protocol; librdkafka sees to those of a classic group.
    heartbeats: Option<Heartbeats>,
    assigned: Vec<Assigned>,
    delivery: Delivery,
    pending: Pending,
    has_subscribed: bool,
    /// Whether the caller knows what this member has, if only that it has nothing.
    is_told: bool,
    login: Login,
    brokers: String,
    request_timeout: Duration,
}

impl KafkaConsumer {
    pub(super) fn new(admin: &Admin, consumer_options: &ConsumerOptions, reports: Option<&Reports>) -> Result<Self> {
        let options = admin.options();
        let failed = |error: &KafkaError| Error::new(Kind::Fatal, format!("cannot make a consumer: {error}"));
        let waker = Arc::new(Waker::new());
        let reports = reports.filter(|_| consumer_options.group.is_some());
        let context = Context::tracking(&consumer_options.client_id, &[], Arc::default(), reports);
        let mut consumer: BaseConsumer<Context> = options::consumer(options, consumer_options, reports.is_some())
            .create_with_context(context)
            .map_err(|error| failed(&error))?;
        consumer.set_nonempty_callback({
            let waker = Arc::clone(&waker);
            move || waker.wake()
        });
        let consumer = Arc::new(consumer);
        let queue = Queue::new(Arc::clone(&consumer), waker)
            .ok_or_else(|| Error::new(Kind::Fatal, "cannot make a consumer: it has no queue"))?;
        Ok(Self {
            batch: Batch::new(Arc::clone(&consumer), consumer_options.batch_records.max(1)),
            queue,
            consumer,
            group: consumer_options.group.as_ref().map(|group| group.id.clone()),
            protocol: consumer_options.group.as_ref().map(|group| group.protocol),
            topics: Vec::new(),
            heartbeats: consumer_options.group.as_ref().and_then(heartbeats_of),
            assigned: Vec::new(),
            delivery: Delivery::default(),
            pending: Pending::Nothing,
            has_subscribed: false,
            is_told: false,
            login: admin.login().clone(),
            brokers: options.brokers.clone(),
            request_timeout: options.request_timeout,
        })
    }

    /// Serves what waits on the main queue; an error is one that the caller must hear of.
    fn serve_main_queue(&mut self) -> Result<()> {
        let mut result = Ok(());
        while self.queue.main_length() > 0 {
            match self.consumer.poll(Duration::ZERO) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => result = result.and(self.judge(&error)),
                Some(Ok(message)) => {
                    // Fetched before its partition was forwarded. Forward it and fetch that record again.
                    use rdkafka::message::Message as _;
                    let partition = TopicPartition::new(message.topic(), message.partition());
                    drop(message);
                    result = result.and(self.forward_again(&partition));
                }
            }
        }
        result
    }

    fn forward_again(&mut self, partition: &TopicPartition) -> Result<()> {
        self.queue.forward(&partition.topic, partition.partition);
        match self.assigned.iter().find(|assigned| assigned.partition == *partition).map(|assigned| assigned.next) {
            Some(next) => self.seek_all(&[(partition.clone(), next)]),
            None => Ok(()),
        }
    }

    /// What an error of the client as a whole means to the caller. Most are librdkafka's own business: it reconnects,
    /// finds coordinators and joins again by itself, and has logged them.
    fn judge(&self, error: &KafkaError) -> Result<()> {
        let Some(code) = classify::code_of(error) else {
            return Err(classify::error("consuming", error));
        };
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) && code != RDKafkaErrorCode::FencedInstanceId as i32
        {
            // librdkafka has given up the group. Its answers to all that comes would be silence.
            self.dead()?;
            let message = format!("this consumer cannot go on: {}", native::describe(code));
            return Err(Error::new(Kind::Fatal, message));
        }
        let last_error = self.consumer.context().last_error();
        if code == RDKafkaErrorCode::AllBrokersDown as i32 {
            let last = last_error.unwrap_or_default();
            let message = format!("none of the brokers {} answers ({last})", self.brokers);
            return Err(Error::new(Kind::Retry, message).of_connection(true));
        }
        let explained = || last_error.unwrap_or_else(|| native::describe(code));
        if self.login.will_pass(code) {
            return Err(Error::new(Kind::Retry, format!("a broker refuses the login: {}", explained())));
        }
        if let (Some(group), true) = (&self.group, classify::is_other_strategy(code)) {
            let message = format!(
                "group {group} has another member that shares partitions by another strategy: another program uses this group; \
                 stop it, or choose another application id"
            );
            return Err(Error::new(Kind::Retry, message));
        }
        let group_is_a_name_only = self.group.is_none() && code == RDKafkaErrorCode::GroupAuthorizationFailed as i32;
        if group_is_a_name_only {
            return Ok(());
        }
        if let (Some(group), true) =
            (&self.group, self.speaks_consumer_protocol() && classify::lacks_group_protocol(code))
        {
            let message = format!("group {group}: {LACKS_PROTOCOL} ({})", native::describe(code));
            return Err(Error::new(Kind::Fatal, message));
        }
        match classify::kind(code) {
            Kind::NotMember if code == RDKafkaErrorCode::FencedInstanceId as i32 => {
                Err(Error::new(Kind::NotMember, FENCED_INSTANCE))
            }
            Kind::Fatal | Kind::NoSuchTopic => {
                let message = format!("cannot consume: {}", explained());
                Err(Error::new(classify::kind(code), message).of_connection(classify::is_of_connection(code)))
            }
            _ => Ok(()),
        }
    }

    /// Why this consumer can never be a member again, if so: joining again would only start a fight over the place.
    fn dead(&self) -> Result<()> {
        match self.consumer.client().fatal_error() {
            None => Ok(()),
            Some((RDKafkaErrorCode::FencedInstanceId, _)) => Err(Error::new(Kind::Fatal, FENCED_INSTANCE)),
            Some((code, text)) if self.speaks_consumer_protocol() && classify::lacks_group_protocol(code as i32) => {
                Err(Error::new(Kind::Fatal, format!("{LACKS_PROTOCOL} ({text})")))
            }
            Some((_, text)) => Err(Error::new(Kind::Fatal, format!("this consumer cannot go on: {text}"))),
        }
    }

    /// Hands the oldest rebalance out.
    fn hand_out_rebalance(&mut self, handler: &mut dyn FnMut(Event<'_>)) -> bool {
        if self.pending != Pending::Nothing {
            return false;
        }
        let Some(rebalance) = self.consumer.context().take_rebalance() else { return self.tell_empty(handler) };
        self.login.note_good();
        self.is_told = !matches!(rebalance, Rebalance::Revoked { lost: true, .. });
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.pending = Pending::Assign;
                handler(Event::Assigned(partitions));
            }
            Rebalance::Revoked { partitions, lost } => {
                self.pending = Pending::Revoke;
                handler(Event::Revoked { partitions, lost });
            }
        }
        true
    }

    fn speaks_consumer_protocol(&self) -> bool {
        self.protocol == Some(GroupProtocol::Consumer)
    }

    /// Tells the caller that this member has nothing.
    fn tell_empty(&mut self, handler: &mut dyn FnMut(Event<'_>)) -> bool {
        let may_be = self.speaks_consumer_protocol() && self.has_subscribed && !self.is_told;
        if !may_be || native::generation(&self.consumer) <= 0 {
            return false;
        }
        (self.is_told, self.pending) = (true, Pending::Empty);
        handler(Event::Assigned(Vec::new()));
        true
    }

    /// Moves assigned partitions to where they are to go on, those too that librdkafka has stopped reading.
    fn seek_all(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        let stopped = positions::seek_all(&self.consumer, partitions, Deadline::after(self.request_timeout))?;
        for (partition, next) in partitions.iter().filter(|(partition, _)| stopped.contains(partition)) {
            let index = self.assigned.iter().position(|assigned| assigned.partition == *partition);
            index.map_or(Ok(()), |index| self.restart(index, *next))?;
        }
        Ok(())
    }
}

fn heartbeats_of(group: &GroupOptions) -> Option<Heartbeats> {
    let interval = Duration::from_millis(options::heartbeat_interval_ms(group).into());
    (group.protocol == GroupProtocol::Consumer).then(|| Heartbeats::new(interval))
}

/// Some of the assigned partitions, with where they go on.
fn those(assigned: &[Assigned], wanted: impl Fn(&Assigned) -> bool) -> Vec<(TopicPartition, Start)> {
    let wanted = assigned.iter().filter(|assigned| wanted(assigned));
    wanted.map(|assigned| (assigned.partition.clone(), assigned.next)).collect()
}

impl Consumer for KafkaConsumer {
    type Group = ConsumerGroupMetadata;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        if self.group.is_none() {
            return Err(Error::new(Kind::Fatal, "a consumer without a group cannot subscribe: assign partitions"));
        }
        self.dead()?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.consumer
            .subscribe(&names)
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot subscribe to {}: {error}", names.join(", "))))?;
        self.topics = topics.to_vec();
        (self.has_subscribed, self.is_told) = (true, false);
        Ok(())
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        self.assign_all(partitions)
    }

    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        self.add(added)
    }

    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> Result<()> {
        self.remove(removed)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        let next = Start::At(offset);
        let index = self.assigned.iter().position(|assigned| assigned.partition == *partition);
        let index = index.ok_or_else(|| Error::new(Kind::Fatal, format!("cannot seek {partition}: not assigned")))?;
        if self.assigned.get(index).is_some_and(|assigned| assigned.failure.is_some()) {
            return self.restart(index, next);
        }
        self.seek_all(&[(partition.clone(), next)])?;
        if let Some(assigned) = self.assigned.get_mut(index) {
            assigned.next = next;
            assigned.waiting.clear();
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.pause_all(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.resume_all(partitions)
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let deadline = Deadline::after(timeout);
        self.report();
        loop {
            self.serve_main_queue()?;
            if self.hand_out_rebalance(handler) {
                return Ok(());
            }
            let mut read = self.assigned.iter().filter(|assigned| !assigned.is_paused());
            if let Some(failure) = read.find_map(|assigned| assigned.failure.clone()) {
                return Err(failure);
            }
            if self.pending == Pending::Nothing {
                self.go_on()?;
                if let Some(result) = self.hand_out_waiting(handler) {
                    return result;
                }
                self.queue.read(deadline.remaining_ms(), &mut self.batch);
                if self.batch.len() > 0 {
                    self.login.note_good();
                }
                self.set_aside();
                if self.batch.len() > 0 {
                    let result = self.delivery.deliver(&self.batch, &mut self.assigned, handler);
                    self.batch.clear();
                    return result;
                }
            } else if self.queue.main_length() == 0 {
                // The caller owes an answer; until then only errors and log lines can come.
                thread::sleep(deadline.remaining().min(Duration::from_millis(1)));
            }
            if deadline.is_over() {
                return Ok(());
            }
        }
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<Offset> {
        native::known_end(&self.consumer, partition)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        self.dead()?;
        commit::commit(&self.consumer, offsets)
    }

    fn group(&self) -> Option<Self::Group> {
        if self.group.is_some() { self.consumer.group_metadata() } else { None }
    }

    fn assignment_lost(&self) -> bool {
        self.group.is_some() && self.consumer.assignment_lost()
    }

    fn leave(&mut self) -> Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        self.dead()?;
        self.leave_group()
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        // Messages keep their client from closing.
        self.assigned.clear();
        // Without this the wrapper's own drop takes 100 ms.
        native::close(&self.consumer);
    }
}
