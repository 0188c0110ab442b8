//! What librdkafka calls back: log lines, errors, rebalances, delivery reports.
//!
//! All of it runs on the thread that polls the client. Rebalances are only noted: the consumer hands them out as
//! events and its caller answers with an assignment.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::clock::BrokerClock;
use super::deadline::Deadline;
use super::delivery::{Deliveries, Failure};
use super::native::{self, Code};
use super::statistics::{Reporter, Reports};
use crate::log::TopicPartition;

/// How long a complaint is worth quoting. A client that keeps failing repeats itself within half that time.
const QUOTED: Duration = Duration::from_secs(60);

/// A rebalance that waits to be handed out.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assigned(Vec<TopicPartition>),
    Revoked { partitions: Vec<TopicPartition>, lost: bool },
}

/// The callbacks' side of one client.
pub(super) struct Context {
    /// The client's name, for log lines.
    name: String,
    /// What the client last complained of, for error messages, and until when.
    last_error: Mutex<Option<(String, Deadline)>>,
    /// How many log lines and errors were taken in.
    served: AtomicU64,
    rebalances: Mutex<VecDeque<Rebalance>>,
    deliveries: Deliveries,
    broker_clock: Arc<BrokerClock>,
    /// Where what it tells of itself is kept.
    reporter: Option<Reporter>,
}

impl Context {
    /// For a consumer or an admin client.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self::tracking(name, &[], Arc::default(), None)
    }

    /// For a producer that tells the delivered offsets of these topics, and what it hears of the brokers' clock; or for
    /// any client that tells of itself.
    pub(super) fn tracking(
        name: impl Into<String>,
        topics: &[String],
        broker_clock: Arc<BrokerClock>,
        reports: Option<&Reports>,
    ) -> Self {
        let name = name.into();
        Self {
            reporter: reports.map(|reports| reports.reporter(&name)),
            name,
            last_error: Mutex::new(None),
            served: AtomicU64::new(0),
            rebalances: Mutex::new(VecDeque::new()),
            deliveries: Deliveries::new(topics),
            broker_clock,
        }
    }

    /// What the client last complained of, if that is not long ago.
    pub(super) fn last_error(&self) -> Option<String> {
        let last = lock(&self.last_error);
        last.as_ref().filter(|(_, quoted_until)| !quoted_until.is_over()).map(|(text, _)| text.clone())
    }

    /// Grows with each log line and each error: whether a poll found one.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// The next rebalance, oldest first.
    pub(super) fn take_rebalance(&self) -> Option<Rebalance> {
        lock(&self.rebalances).pop_front()
    }

    /// Delivery reports so far.
    pub(super) fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// The brokers' clock.
    pub(super) fn broker_clock(&self) -> &BrokerClock {
        &self.broker_clock
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock only says that some thread panicked; these values are always whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let client = self.name.as_str();
        match level {
            // Every connection attempt that fails says so; the caller of a failing call gets the same text.
            _ if facility == "FAIL" => tracing::debug!(client, facility, "{message}"),
            // Says of each consumer property that a producer ignores it: properties are given to all clients.
            _ if facility == "CONFWARN" => tracing::debug!(client, facility, "{message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(client, facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(client, facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(client, facility, "{message}"),
            RDKafkaLogLevel::Debug => tracing::debug!(client, facility, "{message}"),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(reporter) = &self.reporter {
            reporter.take(statistics);
        }
        tracing::debug!(client = self.name.as_str(), statistics = %String::from_utf8_lossy(statistics), "statistics");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        // "All brokers down" only counts them, over and over; what was said before it tells why.
        let only_counts = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if only_counts {
            tracing::debug!(client = self.name.as_str(), "{reason}");
        } else {
            tracing::warn!(client = self.name.as_str(), "{reason}");
        }
        if !only_counts || self.last_error().is_none() {
            *lock(&self.last_error) = Some((reason.to_owned(), Deadline::after(QUOTED)));
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        // Copied at once: a list kept alive would hold the partitions, and closing the consumer would hang.
        let partitions = native::entries(list)
            .into_iter()
            .map(|entry| TopicPartition { topic: entry.topic, partition: entry.partition })
            .collect();
        let rebalance = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(partitions),
            _ => Rebalance::Revoked { partitions, lost: consumer.assignment_lost() },
        };
        tracing::debug!(client = self.name.as_str(), ?rebalance, "rebalance");
        lock(&self.rebalances).push_back(rebalance);
    }
}

impl ProducerContext for Context {
    /// 0, or a tracked topic's number plus one: nothing is boxed per record.
    type DeliveryOpaque = usize;

    /// Called where the wrapper polls by itself, in its own waits; all other reports are served by `native`.
    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        match result {
            Ok(message) if tag > 0 => self.deliveries.delivered(tag - 1, message.partition(), message.offset()),
            Ok(_) => {}
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                self.deliveries.failed(code as Code, || Failure {
                    code: code as Code,
                    topic: message.topic().to_owned(),
                    partition: message.partition(),
                    has_key: message.key().is_some(),
                });
            }
        }
    }
}
