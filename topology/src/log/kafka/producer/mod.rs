//! The producer, transactional or merely idempotent.
//!
//! Committing, aborting and flushing all drain the producer first: one-millisecond flushes, which send at once what
//! lingers, with polls for delivery reports in between. The wrapper's own waits poll in slices of 100 ms, and offsets
//! sent while the transaction's first partitions are still being registered wait for a retry; drained first, a
//! commit takes 4 ms.

mod failure;
mod offsets;
mod together;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use super::admin::Admin;
use super::classify::{self, Call, Flags};
use super::context::Context;
use super::deadline::Deadline;
use super::native::{self, Code, Outgoing, Sender};
use super::options;
use super::statistics::Reports;
use crate::log::{
    Error, IdempotentOptions, Kind, Offset, OffsetCommit, Producer, ProducerOptions, ProducerRecord, Result,
    TopicPartition,
};
pub(super) use offsets::offset_list;
use together::together;
use topics::Topics;

/// Delivery reports are served once per so many records.
const RECORDS_PER_SERVICE: usize = 64;
/// What librdkafka says where its own queue is full.
const QUEUE_FULL: Code = RDKafkaErrorCode::QueueFull as Code;
/// How long an abort lets queued records arrive first.
const ABORT_DRAIN: Duration = Duration::from_secs(1);
/// How long a new producer waits for its first connection before it goes on without.
const FIRST_CONTACT: Duration = Duration::from_millis(500);
/// How long until it is reminded to connect: it takes some milliseconds where it does by itself.
const FORGOTTEN: Duration = Duration::from_millis(25);
/// One step of an abort, between which delivery reports are polled.
const ABORT_STEP: Duration = Duration::from_millis(50);
/// How often it is said what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// A transactional producer of a Kafka cluster.
pub struct KafkaProducer {
    sender: Sender,
    topics: Topics,
    /// Empty where there are no transactions.
    transactional_id: String,
    /// How long a full queue is waited for: a transaction would be over then.
    transaction_timeout: Duration,
    request_timeout: Duration,
    is_open: bool,
    /// A call has failed in this transaction; librdkafka may send nothing more of it.
    is_broken: bool,
    sent_since_service: usize,
}

impl KafkaProducer {
    pub(super) fn new(
        admin: Arc<Admin>,
        producer_options: &ProducerOptions,
        batch_bytes: usize,
        reports: Option<&Reports>,
    ) -> Result<Self> {
        let (name, tracked) = (&producer_options.client_id, &producer_options.track_topics);
        let context = Context::tracking(name, tracked, Arc::clone(admin.broker_clock()), reports);
        let config = options::producer(admin.options(), producer_options, batch_bytes, reports.is_some());
        let (id, timeout_ms) = (&producer_options.transactional_id, producer_options.transaction_timeout_ms);
        Self::make(admin, &config, context, batch_bytes, id, timeout_ms)
    }

    /// Without transactions.
    pub(super) fn idempotent(
        admin: Arc<Admin>,
        producer_options: &IdempotentOptions,
        batch_bytes: usize,
        reports: Option<&Reports>,
    ) -> Result<Self> {
        let IdempotentOptions { client_id, delivery_timeout_ms, track_topics } = producer_options;
        let config = options::idempotent_producer(admin.options(), producer_options, batch_bytes, reports.is_some());
        let context = Context::tracking(client_id, track_topics, Arc::clone(admin.broker_clock()), reports);
        Self::make(admin, &config, context, batch_bytes, "", *delivery_timeout_ms)
    }

    fn make(
        admin: Arc<Admin>,
        config: &ClientConfig,
        context: Context,
        batch_bytes: usize,
        transactional_id: &str,
        timeout_ms: u32,
    ) -> Result<Self> {
        let producer: BaseProducer<Context> = config
            .create_with_context(context)
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make a producer: {error}")))?;
        let no_queue = || Error::new(Kind::Fatal, "cannot make a producer: it has no queue");
        Ok(Self {
            sender: Sender::new(producer).ok_or_else(no_queue)?,
            request_timeout: admin.options().request_timeout,
            topics: Topics::new(admin, batch_bytes),
            transactional_id: transactional_id.to_owned(),
            transaction_timeout: Duration::from_millis(timeout_ms.into()),
            is_open: false,
            is_broken: false,
            sent_since_service: 0,
        })
    }

    fn has_transactions(&self) -> bool {
        !self.transactional_id.is_empty()
    }

    /// Waits for the first connection: asked for a producer id before it has one, librdkafka looks again after half a
    /// second. Once it knows the cluster it has one.
    ///
    /// It may also have forgotten to connect (2.12.1): a thread of its own adds the place of the transaction
    /// coordinator to the brokers, and where that comes first those that it was given do not count as the first ones,
    /// to which it connects. Nothing else has it connect within a second but a question.
    fn make_contact(&self, timeout: Duration) {
        let client = self.producer().client();
        if client.fetch_cluster_id(timeout.min(FORGOTTEN)).is_none() {
            // There is no connection yet on which an answer could come.
            let _ = client.fetch_metadata(None, Duration::from_millis(1));
            let _ = client.fetch_cluster_id(timeout.saturating_sub(FORGOTTEN));
        }
    }

    /// Refuses what only a transaction has.
    fn in_transactions(&self) -> Result<()> {
        match self.has_transactions() {
            true => Ok(()),
            false => Err(Error::new(Kind::Fatal, "this producer has no transactions")),
        }
    }

    fn producer(&self) -> &BaseProducer<Context> {
        self.sender.producer()
    }

    /// Waits until nothing is on its way. Whether all of it arrived is another question.
    fn drain(&self, deadline: Deadline) -> bool {
        let mut say = Deadline::after(SAY_EVERY);
        while self.producer().in_flight_count() > 0 {
            if deadline.is_over() {
                return false;
            }
            if say.is_over() {
                say = Deadline::after(SAY_EVERY);
                let (count, why) = (self.producer().in_flight_count(), self.topics.obstacle());
                let why = why.or_else(|| self.producer().context().last_error());
                let why = why.as_deref().unwrap_or("the brokers do not say why");
                tracing::warn!(
                    transactional_id = self.transactional_id,
                    "{count} records are not delivered yet: {why}"
                );
            }
            self.sender.flush_1ms();
            self.sender.serve(0);
        }
        true
    }

    /// Makes a transaction call, again as long as librdkafka says that this is the way to go on.
    fn call(
        &self,
        call: Call,
        timeout: Duration,
        make: impl Fn(&BaseProducer<Context>, Duration) -> KafkaResult<()>,
    ) -> Result<()> {
        let deadline = Deadline::after(timeout);
        let step = match call {
            Call::Abort => ABORT_STEP,
            Call::Init => SAY_EVERY,
            _ => Duration::MAX,
        };
        loop {
            let result = make(self.producer(), deadline.remaining().min(step).max(Duration::from_millis(1)));
            self.sender.serve(0);
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
            if call == Call::Init {
                let (id, why) = (&self.transactional_id, self.topics.producer_obstacle(&self.transactional_id));
                let why = why.or_else(|| self.producer().context().last_error()).unwrap_or_else(|| error.to_string());
                tracing::warn!(transactional_id = id, "waiting for a producer id: {why}");
            }
        }
    }

    /// Serves delivery reports now and then.
    fn note_sent(&mut self, count: usize) {
        self.sent_since_service += count;
        if self.sent_since_service >= RECORDS_PER_SERVICE {
            self.sent_since_service = 0;
            self.sender.serve(0);
        }
    }

    /// Sends records to this partition of one topic in one call. They have no headers, and the current time.
    fn send_together(&mut self, partition: i32, records: &[ProducerRecord<'_>]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let topic = self.topics.find(&mut self.sender, first.topic)?;
        records.iter().try_for_each(|record| self.topics.check_size(topic, record))?;
        self.note_sent(records.len());
        let (mut rest, mut deadline) = (records, None);
        while let Err((place, code)) = self.sender.send_batch(topic.handle, partition, topic.tag, rest) {
            self.make_room(first.topic, code, &mut deadline)?;
            rest = rest.get(place..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits a moment for room where there is none. Any other refusal is an error, and so is a queue that stays full.
    fn make_room(&mut self, topic: &str, code: Code, deadline: &mut Option<Deadline>) -> Result<()> {
        let deadline = *deadline.get_or_insert_with(|| Deadline::after(self.transaction_timeout));
        if code != QUEUE_FULL || deadline.is_over() {
            return Err(self.refused(topic, code));
        }
        // Full batches are on their way; a flush would only add small ones.
        self.sender.serve(1);
        Ok(())
    }

    fn refused(&mut self, topic: &str, code: Code) -> Error {
        if let Some(failure) = self.failure() {
            return failure;
        }
        let kind = if code == RDKafkaErrorCode::State as i32 {
            // librdkafka takes nothing more once the transaction has to be aborted.
            if self.is_open { Kind::Abort } else { Kind::Fatal }
        } else if code == QUEUE_FULL {
            Kind::Abort
        } else if code == RDKafkaErrorCode::MessageSizeTooLarge as i32 {
            Kind::TooLarge
        } else {
            match classify::kind(code) {
                Kind::Retry | Kind::NotMember => Kind::Fatal,
                kind => kind,
            }
        };
        Error::new(kind, format!("a record to {topic} was refused: {}", native::describe(code)))
    }
}

impl Producer for KafkaProducer {
    type Group = ConsumerGroupMetadata;

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        self.in_transactions()?;
        let deadline = Deadline::after(timeout);
        self.make_contact(timeout.min(FIRST_CONTACT));
        self.call(Call::Init, deadline.remaining(), |producer, timeout| producer.init_transactions(timeout))
    }

    fn begin(&mut self) -> Result<()> {
        self.sender.serve(0);
        self.producer().context().deliveries().clear();
        if !self.has_transactions() {
            return Ok(());
        }
        self.call(Call::Begin, self.request_timeout, |producer, _| producer.begin_transaction())?;
        self.is_open = true;
        self.is_broken = false;
        Ok(())
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            // librdkafka would take it for "any".
            return Err(Error::new(Kind::NoSuchTopic, format!("there is no partition {}-{partition}", record.topic)));
        }
        let topic = self.topics.find(&mut self.sender, record.topic)?;
        self.topics.check_size(topic, record)?;
        self.note_sent(1);
        let outgoing = Outgoing {
            topic: topic.handle,
            partition: record.partition.unwrap_or(-1),
            // librdkafka takes 0 for "now"; the first ms of 1970 is moved to the second.
            timestamp_ms: match record.timestamp_ms {
                ProducerRecord::NOW => 0,
                0 => 1,
                timestamp_ms => timestamp_ms,
            },
            key: record.key,
            value: record.value,
            headers: record.headers,
            tag: topic.tag,
        };
        let mut deadline = None;
        while let Err(code) = self.sender.send(&outgoing) {
            self.make_room(record.topic, code, &mut deadline)?;
        }
        Ok(())
    }

    fn send_batch(&mut self, records: &[ProducerRecord<'_>]) -> Result<()> {
        let mut rest = records;
        while let Some(first) = rest.first() {
            let count = match (first.partition, together(rest)) {
                (Some(partition), count @ 2..) if partition >= 0 => {
                    self.send_together(partition, rest.get(..count).unwrap_or_default())?;
                    count
                }
                _ => {
                    self.send(first)?;
                    1
                }
            };
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        let drained = self.drain(Deadline::after(timeout));
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if !drained {
            let count = self.producer().in_flight_count();
            let last = self.producer().context().last_error().unwrap_or_default();
            let message = format!("{count} records were not delivered in time ({last})");
            return Err(Error::new(Kind::Abort, message).of_connection(true));
        }
        Ok(())
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &Self::Group) -> Result<()> {
        self.in_transactions()?;
        let list = offset_list(offsets)?;
        let result = self.call(Call::SendOffsets, self.request_timeout, |producer, timeout| {
            producer.send_offsets_to_transaction(&list, group, timeout)
        });
        self.is_broken |= result.is_err();
        result
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        if !self.has_transactions() {
            return self.flush(timeout);
        }
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
        self.in_transactions()?;
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

    fn serve(&mut self) {
        self.sender.serve(0);
    }
}
