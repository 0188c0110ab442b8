//! The floor: a loop of rust-rdkafka calls that copies records to a topic, exactly once, and keeps nothing.
//!
//! ```text
//!   poll a record ── send (key, 8 bytes) to the output
//!        │       └── for some records: send the same to `<application>-counts-changelog`
//!        └── every commit interval: drain, offsets into the transaction, commit, begin the next
//! ```
//! The second topic makes it produce as many records as an application with a store does.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;

use crate::arguments::Application;
use crate::error::{Doing, Error, Result};
use crate::process::now;

const TIMEOUT: Duration = Duration::from_secs(30);

/// What the pipe takes beside what every subject takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    application: Application,
    /// How many of a thousand records are written a second time, to the changelog.
    #[arg(long, default_value_t = 0)]
    changelog_per_mille: u32,
}

struct Pipe<'a> {
    application: &'a Application,
    changelog: String,
    changelog_per_mille: u32,
    /// What the share adds up to; a thousand is one record.
    changelog_due: u32,
    copied_count: u64,
    consumer: BaseConsumer,
    producer: BaseProducer,
}

/// Copies until the process is killed: there is nothing to keep.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let application = &arguments.application;
    let mut pipe = Pipe {
        application,
        changelog: format!("{}-counts-changelog", application.application),
        changelog_per_mille: arguments.changelog_per_mille,
        changelog_due: 0,
        copied_count: 0,
        consumer: consumer(application)?,
        producer: producer(application)?,
    };
    pipe.producer.init_transactions(TIMEOUT).doing("starting transactions")?;
    pipe.consumer.subscribe(&[&application.input]).doing("subscribing")?;
    loop {
        pipe.transaction()?;
    }
}

impl Pipe<'_> {
    /// From the first record to the commit, one commit interval later.
    fn transaction(&mut self) -> Result<()> {
        let mut begun: Option<Instant> = None;
        let mut next_offset = 0;
        let interval = Duration::from_millis(self.application.commit_interval_ms.into());
        loop {
            // The clock is read once per 64 records, or when there is nothing to copy.
            for _ in 0..64 {
                let Some(message) = self.consumer.poll(Duration::from_millis(1)) else { break };
                let message = message.doing("reading")?;
                if begun.is_none() {
                    self.producer.begin_transaction().doing("beginning a transaction")?;
                    begun = Some(now());
                }
                let (key, count) = (message.key().unwrap_or_default(), self.copied_count.to_be_bytes());
                send(&self.producer, &self.application.output, key, &count, &message)?;
                self.changelog_due += self.changelog_per_mille;
                if self.changelog_due >= 1_000 {
                    self.changelog_due -= 1_000;
                    send(&self.producer, &self.changelog, key, &count, &message)?;
                }
                self.copied_count += 1;
                next_offset = message.offset() + 1;
            }
            if begun.is_some_and(|begun| begun.elapsed() >= interval) {
                return self.commit(next_offset);
            }
        }
    }

    fn commit(&self, next_offset: i64) -> Result<()> {
        // The wrapper's own flush looks again only every 100 ms.
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(1));
        }
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(&self.application.input, 0, Offset::Offset(next_offset))
            .doing("naming the offset")?;
        let group = self.consumer.group_metadata().ok_or_else(|| Error::new("the consumer is in no group"))?;
        self.producer.send_offsets_to_transaction(&offsets, &group, TIMEOUT).doing("sending offsets")?;
        self.producer.commit_transaction(TIMEOUT).doing("committing")
    }
}

fn send(producer: &BaseProducer, topic: &str, key: &[u8], value: &[u8], message: &BorrowedMessage<'_>) -> Result<()> {
    let mut record = BaseRecord::to(topic).partition(0).key(key).payload(value);
    record.timestamp = message.timestamp().to_millis();
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(1));
                record = back;
            }
            Err((error, _)) => return Err(error).doing("sending"),
        }
    }
}

/// The engine's own settings, as far as they matter to speed.
fn consumer(application: &Application) -> Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", &application.brokers)
        .set("group.id", &application.application)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "32768")
        .set("queued.min.messages", "65536")
        .set("fetch.max.bytes", "33554432")
        .create()
        .doing("creating a consumer")
}

fn producer(application: &Application) -> Result<BaseProducer> {
    ClientConfig::new()
        .set("bootstrap.servers", &application.brokers)
        .set("transactional.id", format!("{}-pipe", application.application))
        .set("enable.idempotence", "true")
        .set("compression.type", &application.compression)
        // Without the override of a flush, what lingers delays the commit.
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.kbytes", "131072")
        .set("queue.buffering.max.messages", "1000000")
        // A record that is not delivered fails the commit; one that is delivered needs no report.
        .set("delivery.report.only.error", "true")
        .create()
        .doing("creating a producer")
}
