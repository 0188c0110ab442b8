//! The consumer: one own queue for all records, librdkafka's main queue for everything else.
//!
//! ```text
//!   partition queues --forward--> own queue  --read in batches--> records, ends of partition
//!   main queue (rebalances, errors, log lines) --poll one by one--> noted, then handed out
//!                     `-- not empty --> wakes whoever waits on the own queue
//! ```

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset as NativeOffset, TopicPartitionList};

use super::batch::{Assigned, Delivery};
use super::classify;
use super::context::{Context, Rebalance};
use super::deadline::Deadline;
use super::native::{self, Batch, Queue, Waker};
use super::options::{self, Options};
use crate::log::{Consumer, ConsumerOptions, Error, Event, Kind, Offset, Result, Start, TopicPartition};

/// How long leaving the group may take; afterwards the session times out by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

const FENCED_INSTANCE: &str =
    "another process joined the group under this member's instance id: run each with a state directory of its own";

/// A rebalance that was handed out and waits for the caller's `assign`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Assign,
    Revoke,
}

/// A consumer of a Kafka cluster.
pub struct KafkaConsumer {
    // Dropped in this order: messages and queue handles before the client.
    batch: Batch,
    queue: Queue,
    consumer: Arc<BaseConsumer<Context>>,
    has_group: bool,
    assigned: Vec<Assigned>,
    delivery: Delivery,
    pending: Pending,
    /// A partition that cannot be read on: reported until the next assignment.
    failure: Option<Error>,
    brokers: String,
    request_timeout: Duration,
}

impl KafkaConsumer {
    pub(super) fn new(options: &Options, consumer_options: &ConsumerOptions) -> Result<Self> {
        let failed = |error: &KafkaError| Error::new(Kind::Fatal, format!("cannot make a consumer: {error}"));
        let waker = Arc::new(Waker::new());
        let mut consumer: BaseConsumer<Context> = options::consumer(options, consumer_options)
            .create_with_context(Context::new(&consumer_options.client_id))
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
            has_group: consumer_options.group.is_some(),
            assigned: Vec::new(),
            delivery: Delivery::default(),
            pending: Pending::Nothing,
            failure: None,
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
        if code == RDKafkaErrorCode::AllBrokersDown as i32 {
            let last = self.consumer.context().last_error().unwrap_or_default();
            return Err(Error::new(Kind::Retry, format!("none of the brokers {} answers ({last})", self.brokers)));
        }
        let group_is_a_name_only = !self.has_group && code == RDKafkaErrorCode::GroupAuthorizationFailed as i32;
        if group_is_a_name_only {
            return Ok(());
        }
        match classify::kind(code) {
            Kind::NotMember if code == RDKafkaErrorCode::FencedInstanceId as i32 => {
                Err(Error::new(Kind::NotMember, FENCED_INSTANCE))
            }
            Kind::Fatal | Kind::NoSuchTopic => {
                let text = self.consumer.context().last_error().unwrap_or_else(|| native::describe(code));
                Err(Error::new(classify::kind(code), format!("cannot consume: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// Why this consumer can never be a member again, if so: joining again would only start a fight over the place.
    fn dead(&self) -> Result<()> {
        match self.consumer.client().fatal_error() {
            None => Ok(()),
            Some((RDKafkaErrorCode::FencedInstanceId, _)) => Err(Error::new(Kind::Fatal, FENCED_INSTANCE)),
            Some((_, text)) => Err(Error::new(Kind::Fatal, format!("this consumer cannot go on: {text}"))),
        }
    }

    /// Hands the oldest rebalance out.
    fn hand_out_rebalance(&mut self, handler: &mut dyn FnMut(Event<'_>)) -> bool {
        if self.pending != Pending::Nothing {
            return false;
        }
        match self.consumer.context().take_rebalance() {
            None => false,
            Some(Rebalance::Assigned(partitions)) => {
                self.pending = Pending::Assign;
                handler(Event::Assigned(partitions));
                true
            }
            Some(Rebalance::Revoked { partitions, lost }) => {
                self.pending = Pending::Revoke;
                handler(Event::Revoked { partitions, lost });
                true
            }
        }
    }

    /// Moves partitions to where they are to go on. librdkafka refuses this while a partition is still being started,
    /// so it is repeated.
    fn seek_all(&self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        let deadline = Deadline::after(self.request_timeout);
        let mut rest = list(partitions)?;
        loop {
            rest = self
                .consumer
                .seek_partitions(rest, deadline.remaining())
                .map_err(|error| Error::new(Kind::Retry, format!("cannot seek: {error}")))?;
            let failed: Vec<_> = native::entries(&rest).into_iter().filter(|entry| entry.error.is_some()).collect();
            let Some(first) = failed.first() else { return Ok(()) };
            if deadline.is_over() {
                let text = native::describe(first.error.unwrap_or_default());
                let message = format!("cannot seek {}-{}: {text}", first.topic, first.partition);
                return Err(Error::new(Kind::Retry, message));
            }
            rest = TopicPartitionList::new();
            for entry in &failed {
                add(&mut rest, &entry.topic, entry.partition, NativeOffset::from_raw(entry.offset))?;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Notes which of these partitions are paused now; gives those for which that is new.
    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Vec<(TopicPartition, Start)> {
        self.assigned
            .iter_mut()
            .filter(|assigned| assigned.paused != paused && partitions.contains(&assigned.partition))
            .map(|assigned| {
                assigned.paused = paused;
                (assigned.partition.clone(), assigned.next)
            })
            .collect()
    }

    /// Replaces the assignment, and sees to it that all of it is forwarded to the own queue.
    fn replace_assignment(&self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        let failed = |error: KafkaError| Error::new(Kind::Retry, format!("cannot assign partitions: {error}"));
        let list = list(partitions)?;
        let forward = || {
            partitions.iter().try_for_each(|(partition, _)| {
                let forwarded = self.queue.forward(&partition.topic, partition.partition);
                forwarded.then_some(()).ok_or_else(|| no_such_topic(partition))
            })
        };
        // Before: librdkafka marks these queues as the application's, and delivers nothing to its own. After:
        // stopping what was assigned before has cleared where they lead (the mark stays, so nothing went astray).
        // Asking for the assignment waits until those stops, queued before the question, are done.
        forward()?;
        self.consumer.assign(&list).map_err(failed)?;
        drop(self.consumer.assignment().map_err(failed)?);
        forward()
    }
}

fn no_such_topic(partition: &TopicPartition) -> Error {
    Error::new(Kind::NoSuchTopic, format!("there is no partition {partition}"))
}

fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: NativeOffset) -> Result<()> {
    if topic.contains('\0') || partition < 0 {
        return Err(no_such_topic(&TopicPartition::new(topic, partition)));
    }
    list.add_partition_offset(topic, partition, offset)
        .map_err(|error| Error::new(Kind::Fatal, format!("offset {offset:?} of {topic}-{partition}: {error}")))
}

/// A native list. It must not outlive the call it is made for: one that is alive keeps the consumer from closing.
fn list(partitions: &[(TopicPartition, Start)]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (partition, start) in partitions {
        let offset = match *start {
            Start::Beginning => NativeOffset::Beginning,
            Start::At(offset) if offset >= 0 => NativeOffset::Offset(offset),
            Start::At(offset) => {
                return Err(Error::new(Kind::Fatal, format!("{partition} has no offset {offset}")));
            }
        };
        add(&mut list, &partition.topic, partition.partition, offset)?;
    }
    Ok(list)
}

impl Consumer for KafkaConsumer {
    type Group = ConsumerGroupMetadata;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        if !self.has_group {
            return Err(Error::new(Kind::Fatal, "a consumer without a group cannot subscribe: assign partitions"));
        }
        self.dead()?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.consumer
            .subscribe(&topics)
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot subscribe to {}: {error}", topics.join(", "))))
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        if self.pending == Pending::Revoke && !partitions.is_empty() {
            return Err(Error::new(Kind::Fatal, "revoked partitions are to be given back before others are taken"));
        }
        let paused: Vec<_> = self.assigned.iter().filter(|assigned| assigned.paused).collect();
        if !paused.is_empty() {
            let paused: Vec<_> = paused.iter().map(|assigned| (assigned.partition.clone(), assigned.next)).collect();
            let result = self.consumer.resume(&list(&paused)?);
            result.map_err(|error| Error::new(Kind::Retry, format!("cannot resume: {error}")))?;
        }
        if partitions.is_empty() && self.pending != Pending::Assign {
            self.consumer
                .unassign()
                .map_err(|error| Error::new(Kind::Retry, format!("cannot give partitions back: {error}")))?;
        } else {
            // An empty assignment is answered with an empty one: librdkafka waits for it.
            self.replace_assignment(partitions)?;
        }
        self.pending = Pending::Nothing;
        self.failure = None;
        self.delivery.reset();
        self.assigned = partitions
            .iter()
            .map(|(partition, start)| Assigned { partition: partition.clone(), next: *start, paused: false })
            .collect();
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        let next = Start::At(offset);
        let index = self.assigned.iter().position(|assigned| assigned.partition == *partition);
        let index = index.ok_or_else(|| Error::new(Kind::Fatal, format!("cannot seek {partition}: not assigned")))?;
        self.seek_all(&[(partition.clone(), next)])?;
        if let Some(assigned) = self.assigned.get_mut(index) {
            assigned.next = next;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let changed = self.set_paused(partitions, true);
        if changed.is_empty() {
            return Ok(());
        }
        self.consumer.pause(&list(&changed)?).map_err(|error| Error::new(Kind::Retry, format!("cannot pause: {error}")))
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let changed = self.set_paused(partitions, false);
        if changed.is_empty() {
            return Ok(());
        }
        // librdkafka would go on at its own position, which is one too high behind an end of partition: out of
        // range, and the partition would start over from its beginning.
        self.seek_all(&changed)?;
        self.consumer
            .resume(&list(&changed)?)
            .map_err(|error| Error::new(Kind::Retry, format!("cannot resume: {error}")))
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let deadline = Deadline::after(timeout);
        loop {
            self.serve_main_queue()?;
            if self.hand_out_rebalance(handler) {
                return Ok(());
            }
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            if self.pending == Pending::Nothing {
                self.queue.read(deadline.remaining_ms(), &mut self.batch);
                if self.batch.len() > 0 {
                    let result = self.delivery.deliver(&self.batch, &mut self.assigned, handler);
                    self.batch.clear();
                    if let Err(error) = &result
                        && error.kind() == Kind::Fatal
                    {
                        self.failure = Some(error.clone());
                    }
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

    fn group(&self) -> Option<Self::Group> {
        if self.has_group { self.consumer.group_metadata() } else { None }
    }

    fn assignment_lost(&self) -> bool {
        self.has_group && self.consumer.assignment_lost()
    }

    fn leave(&mut self) -> Result<()> {
        if !self.has_group {
            return Ok(());
        }
        self.dead()?;
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

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        // Without this the wrapper's own drop takes 100 ms.
        native::close(&self.consumer);
    }
}
