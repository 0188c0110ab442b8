//! The log on a Kafka cluster, through librdkafka.
//!
//! ```text
//! options    what each client is told
//! properties which of librdkafka's are the user's to set
//! features   ways to log in that not every build has
//! prefetch   how much a consumer holds of what it fetches ahead
//! classify   librdkafka's errors -> what the caller does next
//! login      a refused login: wrong credentials, or a broker that restarts
//! context    what librdkafka calls back: log lines, errors, rebalances, delivery reports
//! statistics what clients tell of themselves
//! delivery   which records arrived, and how far
//! clock      how far the brokers' clock is from ours
//! native     the only unsafe code: batch reads, cached topics, delivery reports
//! batch      a batch of messages -> events, by partition
//! consumer, producer, admin
//! ```
//! Uses nothing of the crate but the log's traits and the clock. Versions that matter: librdkafka 2.12 has neither
//! transactions V2 (KIP-890) nor the streams group protocol (KIP-1071); group members are classic ones, or those of
//! KIP-848.

mod admin;
mod batch;
mod classify;
mod clock;
mod consumer;
mod context;
mod deadline;
mod delivery;
mod features;
mod login;
mod native;
mod options;
mod prefetch;
mod producer;
mod properties;
mod statistics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;

use self::admin::Admin;
pub use self::consumer::KafkaConsumer;
pub use self::options::Options;
pub use self::producer::KafkaProducer;
use self::statistics::Reports;
use super::{
    Awaited, Committed, ConsumerOptions, Deletion, GroupMember, IdempotentOptions, Isolation, Log, Offset,
    ProducerOptions, Result, Statistics, TopicDescription, TopicIdentity, TopicPartition, TopicSpec, Watermarks,
};

/// A Kafka cluster as a log. Clones share their helper clients.
///
/// ```no_run
/// use topology::log::kafka::{KafkaLog, Options};
/// use topology::log::{Isolation, Log, TopicPartition};
///
/// let log = KafkaLog::new(Options::new("127.0.0.1:9092"))?;
/// let ends = log.watermarks(&TopicPartition::new("transactions", 0), Isolation::ReadCommitted)?;
/// println!("{} records at most", ends.high - ends.low);
/// # Ok::<(), topology::log::Error>(())
/// ```
#[derive(Clone)]
pub struct KafkaLog {
    admin: Arc<Admin>,
    /// Where clients tell of themselves, if they do.
    reports: Option<Reports>,
    /// What its producers send to, if that is known.
    written: Option<Arc<[String]>>,
}

impl KafkaLog {
    /// A log on this cluster. Checks the options, each alone and all together: a certificate that cannot be read, a
    /// name without its password. Does not wait for a broker yet.
    pub fn new(options: Options) -> Result<Self> {
        properties::check(&options)?;
        let admin = Admin::new(options);
        admin.any_helper()?;
        Ok(Self { admin: Arc::new(admin), reports: None, written: None })
    }

    fn batch_bytes(&self) -> usize {
        self.admin.batch_bytes(self.written.as_deref())
    }
}

impl Log for KafkaLog {
    type Group = ConsumerGroupMetadata;
    type Consumer = KafkaConsumer;
    type Producer = KafkaProducer;

    fn consumer(&self, options: &ConsumerOptions) -> Result<KafkaConsumer> {
        KafkaConsumer::new(&self.admin, options, self.reports.as_ref())
    }

    fn producer(&self, options: &ProducerOptions) -> Result<KafkaProducer> {
        KafkaProducer::new(Arc::clone(&self.admin), options, self.batch_bytes(), self.reports.as_ref())
    }

    fn idempotent_producer(&self, options: &IdempotentOptions) -> Result<KafkaProducer> {
        KafkaProducer::idempotent(Arc::clone(&self.admin), options, self.batch_bytes(), self.reports.as_ref())
    }

    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.admin.describe_topic(topic)
    }

    fn identify_topics(&self, topics: &[String], timeout: Duration) -> Result<Vec<Option<TopicIdentity>>> {
        self.admin.identify_topics(topics, timeout)
    }

    fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        self.admin.list_topics(timeout)
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.admin.create_topics(topics)
    }

    fn add_partitions(&self, topic: &str, count: i32) -> Result<()> {
        self.admin.add_partitions(topic, count)
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        self.admin.delete_topics(topics)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        self.admin.delete_records(partition, before)
    }

    fn begin_delete_records(&self, before: &[(TopicPartition, Offset)]) -> Deletion {
        Admin::begin_delete_records(&self.admin, before)
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        self.admin.watermarks(partition, isolation)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        self.admin.committed(group, partitions, self.admin.timeout())
    }

    fn committed_within(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<Committed>>> {
        self.admin.committed(group, partitions, timeout.min(self.admin.timeout()))
    }

    fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>> {
        self.admin.describe_group(group)
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.admin.delete_group(group)
    }

    fn obstacle(&self, awaited: Awaited<'_>) -> Option<String> {
        self.admin.obstacle(awaited)
    }

    fn clock_ahead_ms(&self) -> Option<i64> {
        self.admin.broker_clock().ahead_ms()
    }

    fn reporting(&self) -> (Self, Arc<dyn Statistics>) {
        let reports = Reports::default();
        (Self { reports: Some(reports.clone()), ..self.clone() }, Arc::new(reports))
    }

    fn rest(&self) {
        self.admin.rest();
    }

    fn writing_to(&self, topics: &[String]) -> Self {
        Self { written: Some(topics.into()), ..self.clone() }
    }
}
