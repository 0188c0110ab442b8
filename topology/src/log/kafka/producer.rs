//! The transactional producer.
//!
//! Committing, aborting and flushing all drain the producer first: one-millisecond flushes, which send at once what
//! lingers, with polls for delivery reports in between. The wrapper's own waits poll in slices of 100 ms, and offsets
//! sent while the transaction's first partitions are still being registered wait for a retry; drained first, a
//! commit takes 4 ms.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset as NativeOffset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rustc_hash::FxHashMap;

use super::admin::Admin;
use super::classify::{self, Call, Flags};
use super::context::Context;
use super::deadline::Deadline;
use super::delivery::Failure;
use super::native::{self, Outgoing, Sender};
use super::options;
use crate::log::{
    Error, Kind, Offset, OffsetCommit, Producer, ProducerOptions, ProducerRecord, Result, TopicPartition,
};

/// Delivery reports are fetched once per so many records.
const RECORDS_PER_POLL: u32 = 64;
/// How long an abort lets queued records arrive first.
const ABORT_DRAIN: Duration = Duration::from_secs(1);
/// How long a new producer waits for its first connection before it goes on without.
const FIRST_CONTACT: Duration = Duration::from_millis(500);
/// One step of an abort, between which delivery reports are polled.
const ABORT_STEP: Duration = Duration::from_millis(50);
/// Most that a record batch adds to the keys, values and headers of its only record.
const BATCH_OVERHEAD_BYTES: usize = 61 + 30;
/// Most that a record adds to each header.
const HEADER_OVERHEAD_BYTES: usize = 10;

/// A transactional producer of a Kafka cluster.
pub struct KafkaProducer {
    sender: Sender,
    admin: Arc<Admin>,
    topics: FxHashMap<String, Topic>,
    transaction_timeout: Duration,
    request_timeout: Duration,
    is_open: bool,
    /// A call has failed in this transaction; librdkafka may send nothing more of it.
    is_broken: bool,
    sent_since_poll: u32,
}

/// What is known of a topic that was sent to.
#[derive(Clone, Copy)]
struct Topic {
    handle: usize,
    /// What the delivery reports bear: 0, or the tracked topic's number plus one.
    tag: usize,
    max_message_bytes: usize,
}

impl KafkaProducer {
    pub(super) fn new(admin: Arc<Admin>, producer_options: &ProducerOptions) -> Result<Self> {
        let context = Context::tracking(&producer_options.client_id, &producer_options.track_topics);
        let producer: BaseProducer<Context> = options::producer(admin.options(), producer_options)
            .create_with_context(context)
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make a producer: {error}")))?;
        Ok(Self {
            sender: Sender::new(producer),
            request_timeout: admin.options().request_timeout,
            admin,
            topics: FxHashMap::default(),
            transaction_timeout: Duration::from_millis(producer_options.transaction_timeout_ms.into()),
            is_open: false,
            is_broken: false,
            sent_since_poll: 0,
        })
    }

    fn producer(&self) -> &BaseProducer<Context> {
        self.sender.producer()
    }

    /// Fetches the delivery reports that are there.
    fn poll_reports(&self) {
        loop {
            let before = self.producer().in_flight_count();
            if before == 0 {
                return;
            }
            self.producer().poll(Duration::ZERO);
            if self.producer().in_flight_count() >= before {
                return;
            }
        }
    }

    /// Waits until nothing is on its way. Whether all of it arrived is another question.
    fn drain(&self, deadline: Deadline) -> bool {
        while self.producer().in_flight_count() > 0 {
            if deadline.is_over() {
                return false;
            }
            self.sender.flush_1ms();
            self.poll_reports();
        }
        true
    }

    /// The first record that was not delivered, or the state the producer cannot leave, as an error.
    fn failure(&self) -> Option<Error> {
        if let Some((code, text)) = self.producer().client().fatal_error() {
            let flags = Flags { code: code as i32, fatal: true, requires_abort: false, retriable: false };
            return Some(classify::transaction_error(Call::Commit, flags, &text));
        }
        let Failure { code, place } = self.producer().context().deliveries().failure()?;
        Some(Error::new(classify::delivery_kind(code), format!("a record to {place} was not delivered: {code}")))
    }

    /// Makes a transaction call, again as long as librdkafka says that this is the way to go on.
    fn call(
        &self,
        call: Call,
        timeout: Duration,
        make: impl Fn(&BaseProducer<Context>, Duration) -> KafkaResult<()>,
    ) -> Result<()> {
        let deadline = Deadline::after(timeout);
        let step = if call == Call::Abort { ABORT_STEP } else { Duration::MAX };
        loop {
            let result = make(self.producer(), deadline.remaining().min(step).max(Duration::from_millis(1)));
            self.poll_reports();
            let error = match result {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) => error,
                Err(other) => return Err(Error::new(Kind::Unknown, format!("{call:?}: {other}"))),
            };
            let flags = Flags::of(&error);
            let again = flags.retriable && !flags.fatal && !flags.requires_abort;
            if !again || deadline.is_over() {
                let text = match (again, self.producer().context().last_error()) {
                    (true, Some(last)) => format!("{error} ({last})"),
                    _ => error.to_string(),
                };
                return Err(classify::transaction_error(call, flags, &text));
            }
        }
    }

    /// The topic's handle and what the topic takes, looked up once.
    fn topic(&mut self, name: &str) -> Result<Topic> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(*topic);
        }
        let no_such_topic = || Error::new(Kind::NoSuchTopic, format!("there is no topic {name}"));
        let description = self.admin.describe_topic(name)?.ok_or_else(no_such_topic)?;
        let topic = Topic {
            handle: self.sender.topic(name).ok_or_else(no_such_topic)?,
            tag: self.producer().context().deliveries().tracked(name).map_or(0, |index| index + 1),
            max_message_bytes: usize::try_from(description.max_message_bytes).unwrap_or(usize::MAX),
        };
        if topic.max_message_bytes < options::BATCH_BYTES {
            let (limit, batch) = (topic.max_message_bytes, options::BATCH_BYTES);
            tracing::warn!(
                topic = name,
                "takes batches of up to {limit} bytes, and they may grow to {batch}: set batch.size"
            );
        }
        self.topics.insert(name.to_owned(), topic);
        Ok(topic)
    }

    fn refused(&self, record: &ProducerRecord<'_>, code: i32) -> Error {
        let text = native::describe(code);
        if let Some(failure) = self.failure() {
            return failure;
        }
        let kind = if code == RDKafkaErrorCode::State as i32 {
            // librdkafka takes nothing more once the transaction has to be aborted.
            if self.is_open { Kind::Abort } else { Kind::Fatal }
        } else if code == RDKafkaErrorCode::QueueFull as i32 {
            Kind::Abort
        } else if code == RDKafkaErrorCode::MessageSizeTooLarge as i32 {
            Kind::TooLarge
        } else {
            match classify::kind(code) {
                Kind::Retry | Kind::NotMember => Kind::Fatal,
                kind => kind,
            }
        };
        Error::new(kind, format!("a record to {} was refused: {text}", record.topic))
    }
}

/// An upper bound of what a record takes in a batch of its own, uncompressed.
fn batch_bytes(record: &ProducerRecord<'_>) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = record.headers.iter().map(|header| header.name.len() + length(header.value) + HEADER_OVERHEAD_BYTES);
    BATCH_OVERHEAD_BYTES + length(record.key) + length(record.value) + headers.sum::<usize>()
}

/// Offsets as librdkafka takes them.
fn offset_list(offsets: &[OffsetCommit]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for commit in offsets {
        let TopicPartition { topic, partition } = &commit.partition;
        if topic.contains('\0') || *partition < 0 || commit.offset < 0 {
            let message = format!("cannot commit offset {} of {}", commit.offset, commit.partition);
            return Err(Error::new(Kind::Fatal, message));
        }
        let mut entry = list.add_partition(topic, *partition);
        entry
            .set_offset(NativeOffset::Offset(commit.offset))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot commit offset {}: {error}", commit.offset)))?;
        if !commit.metadata.is_empty() {
            entry.set_metadata(&commit.metadata);
        }
    }
    Ok(list)
}

impl Producer for KafkaProducer {
    type Group = ConsumerGroupMetadata;

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Deadline::after(timeout);
        // Asked before it has a connection, librdkafka looks again after half a second. Once it knows the cluster it has one.
        let _ = self.producer().client().fetch_cluster_id(timeout.min(FIRST_CONTACT));
        self.call(Call::Init, deadline.remaining(), |producer, timeout| producer.init_transactions(timeout))
    }

    fn begin(&mut self) -> Result<()> {
        self.poll_reports();
        self.producer().context().deliveries().clear();
        self.call(Call::Begin, self.request_timeout, |producer, _| producer.begin_transaction())?;
        self.is_open = true;
        self.is_broken = false;
        Ok(())
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        let topic = self.topic(record.topic)?;
        let bytes = batch_bytes(record);
        if bytes > topic.max_message_bytes {
            let limit = topic.max_message_bytes;
            let message = format!("a record of {bytes} bytes to {}: the topic takes {limit}", record.topic);
            return Err(Error::new(Kind::TooLarge, message));
        }
        self.sent_since_poll += 1;
        if self.sent_since_poll >= RECORDS_PER_POLL {
            self.sent_since_poll = 0;
            self.poll_reports();
        }
        let outgoing = Outgoing {
            topic: topic.handle,
            partition: record.partition.unwrap_or(-1),
            // librdkafka takes 0 for "now"; the first ms of 1970 is moved to the second.
            timestamp_ms: if record.timestamp_ms == 0 { 1 } else { record.timestamp_ms },
            key: record.key,
            value: record.value,
            headers: record.headers,
            tag: topic.tag,
        };
        let mut deadline = None;
        loop {
            let Err(code) = self.sender.send(&outgoing) else { return Ok(()) };
            let is_full = code == RDKafkaErrorCode::QueueFull as i32;
            let deadline = *deadline.get_or_insert_with(|| Deadline::after(self.transaction_timeout));
            if !is_full || deadline.is_over() {
                return Err(self.refused(record, code));
            }
            // Full batches are on their way; a flush would only add small ones.
            self.producer().poll(Duration::from_millis(1));
            self.poll_reports();
        }
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        let drained = self.drain(Deadline::after(timeout));
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if !drained {
            let count = self.producer().in_flight_count();
            let last = self.producer().context().last_error().unwrap_or_default();
            return Err(Error::new(Kind::Abort, format!("{count} records were not delivered in time ({last})")));
        }
        Ok(())
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &Self::Group) -> Result<()> {
        let list = offset_list(offsets)?;
        let result = self.call(Call::SendOffsets, self.request_timeout, |producer, timeout| {
            producer.send_offsets_to_transaction(&list, group, timeout)
        });
        self.is_broken |= result.is_err();
        result
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Deadline::after(timeout);
        let drained = self.drain(deadline);
        self.is_broken = true;
        if let Some(failure) = self.failure() {
            // A record that did not arrive only costs the transaction; a producer in a fatal state is lost.
            let is_lost = self.producer().client().fatal_error().is_some();
            return Err(if is_lost { failure } else { Error::new(Kind::Abort, failure.to_string()) });
        }
        if !drained {
            return Err(Error::new(
                Kind::Abort,
                "cannot commit the transaction: its records were not delivered in time",
            ));
        }
        self.call(Call::Commit, deadline.remaining(), |producer, timeout| producer.commit_transaction(timeout))?;
        self.is_open = false;
        Ok(())
    }

    fn abort(&mut self, timeout: Duration) -> Result<()> {
        // An abort that overtakes the registration of the transaction's first partition meets the transaction before,
        // and is refused if that one was committed. What has been delivered has been registered.
        if !self.is_broken && self.failure().is_none() {
            self.drain(Deadline::after(timeout.min(ABORT_DRAIN)));
        }
        self.call(Call::Abort, timeout, |producer, timeout| producer.abort_transaction(timeout))?;
        self.is_open = false;
        Ok(())
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.producer().context().deliveries().highest(&partition.topic, partition.partition)
    }
}
