//! Settings: what each client is told.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::prefetch::Prefetch;
use super::properties::canonical;
use super::statistics;
use crate::log::{
    ConsumerOptions, GroupOptions, GroupProtocol, IdempotentOptions, Isolation, OutOfRange, ProducerOptions,
};

/// How to reach a Kafka cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT[,HOST:PORT..]`, some of the cluster's brokers.
    pub brokers: String,
    /// librdkafka properties for all clients, such as `security.protocol` or `sasl.mechanism`. Those that would break
    /// what the log promises are refused.
    pub properties: Vec<(String, String)>,
    /// The name of helper clients in the brokers' logs.
    pub client_id: String,
    /// How long administrative calls, offset commits and first contacts may wait for a broker.
    pub request_timeout: Duration,
}

impl Options {
    /// The defaults for a cluster: no properties, and 10 s of patience.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            properties: Vec::new(),
            client_id: "topology".to_owned(),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// How often a client tells of itself, ms; 0: never.
const STATISTICS: &str = "statistics.interval.ms";

/// Batches are closed at this size, which every topic with Kafka's default `max.message.bytes` takes. The broker
/// refuses whole batches, and librdkafka splits none.
pub(super) const BATCH_BYTES: usize = 1_000_000;

/// The largest answer, and the largest batch unpacked. librdkafka does not know how large a batch will be: it tries
/// sizes, each three times the one before, and gives up above this limit. So only a third of it is certain to be
/// unpacked: 133 MB.
const RECEIVED_BYTES_MAX: usize = 400_000_000;

/// What all clients share; the user's properties come last and win, except over what is refused.
fn common(options: &Options, client_id: &str, settings: &[(&str, String)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers).set("client.id", client_id);
    // A broker that comes back is noticed within 2 s (librdkafka: 10 s).
    config.set("reconnect.backoff.max.ms", "2000");
    config.set("allow.auto.create.topics", "false");
    // How long an unknown topic is taken for one that is being created (librdkafka: 30 s).
    config.set("topic.metadata.propagation.max.ms", "5000");
    for (name, value) in settings {
        config.set(*name, value);
    }
    for (name, value) in &options.properties {
        config.set(canonical(name), value);
    }
    let debug = options.properties.iter().any(|(name, _)| name == "debug");
    config.set_log_level(if debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    config
}

/// A consumer's settings.
pub(super) fn consumer(options: &Options, consumer: &ConsumerOptions, reports: bool) -> ClientConfig {
    let Prefetch { queued_kilobytes, queued_messages, fetch_bytes } = Prefetch::of(consumer.prefetch_bytes);
    let mut settings = vec![
        ("isolation.level", isolation(consumer.isolation).to_owned()),
        ("auto.offset.reset", out_of_range(consumer.out_of_range).to_owned()),
        ("enable.auto.commit", "false".to_owned()),
        ("enable.auto.offset.store", "false".to_owned()),
        ("enable.partition.eof", "true".to_owned()),
        ("check.crcs", "true".to_owned()),
        // The default of 1 s stalls a consumer for a second each time its prefetch queue is full.
        ("fetch.queue.backoff.ms", "5".to_owned()),
        ("fetch.error.backoff.ms", "100".to_owned()),
        ("queued.max.messages.kbytes", queued_kilobytes.to_string()),
        ("queued.min.messages", queued_messages.to_string()),
        ("fetch.max.bytes", fetch_bytes.to_string()),
        ("receive.message.max.bytes", RECEIVED_BYTES_MAX.to_string()),
    ];
    match &consumer.group {
        Some(group) => {
            settings.push(("group.id", group.id.clone()));
            settings.extend(membership(group));
            settings.extend(reports.then(|| (STATISTICS, statistics::INTERVAL_MS.to_string())));
            // Data is handed over as it comes; this only says how late an idle end of partition is noticed.
            settings.push(("fetch.wait.max.ms", "100".to_owned()));
        }
        None => {
            // librdkafka wants a name here even where nothing joins, commits or fetches offsets.
            settings.push(("group.id", consumer.client_id.clone()));
            settings.push(("fetch.wait.max.ms", "10".to_owned()));
        }
    }
    common(options, &consumer.client_id, &settings)
}

/// Between two heartbeats: rebalances are learnt of by them.
pub(super) fn heartbeat_interval_ms(group: &GroupOptions) -> u32 {
    (group.session_timeout_ms / 4).clamp(1, 1_000)
}

/// How a group shares partitions, in the same way for all topics of the same count.
fn membership(group: &GroupOptions) -> Vec<(&'static str, String)> {
    match group.protocol {
        GroupProtocol::Classic => {
            let mut settings = vec![
                ("partition.assignment.strategy", "range".to_owned()),
                ("session.timeout.ms", group.session_timeout_ms.to_string()),
                ("heartbeat.interval.ms", heartbeat_interval_ms(group).to_string()),
            ];
            settings.extend(group.instance_id.iter().map(|id| ("group.instance.id", id.clone())));
            settings
        }
        // Session and heartbeat are the brokers' to set: librdkafka refuses them here (`consumer/heartbeats` sends
        // more). So it does the strategy. A static member would keep its place where it leaves (librdkafka tells the
        // group that it will be back), and while it lives on in the group its place cannot be taken, not even by itself
        // after a crash.
        GroupProtocol::Consumer => {
            vec![("group.protocol", "consumer".to_owned()), ("group.remote.assignor", "range".to_owned())]
        }
    }
}

/// How large batches become: as the user says, or else as `wanted`.
pub(super) fn batch_bytes(options: &Options, wanted: usize) -> usize {
    let given = options.properties.iter().rev().find(|(name, _)| canonical(name) == "batch.size");
    given.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(wanted)
}

/// A transactional producer's settings.
pub(super) fn producer(
    options: &Options,
    producer: &ProducerOptions,
    batch_bytes: usize,
    reports: bool,
) -> ClientConfig {
    let timeout_ms = producer.transaction_timeout_ms;
    let transactional = [
        ("transactional.id", producer.transactional_id.clone()),
        ("transaction.timeout.ms", timeout_ms.to_string()),
        // A record given up while the transaction is still alive makes it abort; the other way round, the
        // producer would be fenced.
        ("message.timeout.ms", (timeout_ms - timeout_ms / 4).max(1).to_string()),
    ];
    served(any_producer(options, &producer.client_id, &transactional, timeout_ms / 10, batch_bytes), reports)
}

/// The settings of a producer without transactions.
pub(super) fn idempotent_producer(
    options: &Options,
    producer: &IdempotentOptions,
    batch_bytes: usize,
    reports: bool,
) -> ClientConfig {
    let timeout_ms = producer.delivery_timeout_ms.max(1);
    let own = [("message.timeout.ms", timeout_ms.to_string())];
    served(any_producer(options, &producer.client_id, &own, timeout_ms / 10, batch_bytes), reports)
}

fn any_producer(
    options: &Options,
    client_id: &str,
    own: &[(&'static str, String)],
    linger_max_ms: u32,
    batch_bytes: usize,
) -> ClientConfig {
    let settings = [
        ("enable.idempotence", "true".to_owned()),
        ("partitioner", "murmur2_random".to_owned()),
        ("compression.type", "lz4".to_owned()),
        // A commit sends at once what lingers: this only makes batches full. Past it, librdkafka's thread spins while a
        // partition has its five requests on their way.
        ("linger.ms", 100.min(linger_max_ms).to_string()),
        // What a topic takes is checked per topic; this only has to be above the largest block.
        ("message.max.bytes", (16 << 20).to_string()),
        ("batch.size", batch_bytes.to_string()),
        ("queue.buffering.max.kbytes", (128 << 10).to_string()),
        ("retry.backoff.ms", "10".to_owned()),
    ];
    common(options, client_id, &[own, &settings].concat())
}

/// A producer that is not served while it has nothing to do tells nothing of itself: it would pile up.
fn served(mut config: ClientConfig, reports: bool) -> ClientConfig {
    match (reports, config.get(STATISTICS)) {
        (true, Some(_)) => {}
        (true, None) => drop(config.set(STATISTICS, statistics::INTERVAL_MS.to_string())),
        (false, _) => drop(config.set(STATISTICS, "0")),
    }
    config
}

/// Settings of a client that asks questions and consumes nothing.
pub(super) fn helper(options: &Options, group: &str, level: Isolation) -> ClientConfig {
    let settings = [
        ("group.id", group.to_owned()),
        ("isolation.level", isolation(level).to_owned()),
        ("enable.auto.commit", "false".to_owned()),
    ];
    quiet(common(options, &options.client_id, &settings))
}

/// Settings of the admin client.
pub(super) fn admin(options: &Options) -> ClientConfig {
    quiet(common(options, &options.client_id, &[]))
}

/// For clients that are not polled between two questions: their log lines and statistics would pile up. What goes wrong
/// is in the error of the call that it goes wrong in.
fn quiet(mut config: ClientConfig) -> ClientConfig {
    config.set(STATISTICS, "0");
    config.remove("debug").set_log_level(RDKafkaLogLevel::Emerg);
    config
}

fn out_of_range(choice: OutOfRange) -> &'static str {
    match choice {
        OutOfRange::Earliest => "earliest",
        OutOfRange::Fail => "error",
    }
}

fn isolation(level: Isolation) -> &'static str {
    match level {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    }
}

#[cfg(test)]
mod tests {
    use super::super::properties::{ALIASES, check};
    use super::*;

    fn with(name: &str, value: &str) -> Options {
        Options { properties: vec![(name.to_owned(), value.to_owned())], ..Options::new("127.0.0.1:9092") }
    }

    #[test]
    fn security_and_tuning_are_the_users_to_set() {
        for (name, value) in [
            ("security.protocol", "ssl"),
            ("linger.ms", "5"),
            ("compression.type", "zstd"),
            ("topic.metadata.refresh.interval.ms", "1000"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
        ] {
            check(&with(name, value)).unwrap();
        }
        assert_eq!(
            producer(&with("linger.ms", "7"), &producer_options(), BATCH_BYTES, false).get("linger.ms"),
            Some("7")
        );
    }

    fn producer_options() -> ProducerOptions {
        ProducerOptions {
            transactional_id: "t".to_owned(),
            transaction_timeout_ms: 10_000,
            client_id: "c".to_owned(),
            track_topics: Vec::new(),
        }
    }

    #[test]
    fn a_property_under_its_other_name_wins_as_well_and_every_time() {
        for (alias, value) in
            [("queue.buffering.max.ms", "7"), ("compression.codec", "zstd"), ("delivery.timeout.ms", "4000")]
        {
            // A new configuration is applied in another order each time.
            for _ in 0..20 {
                let native = producer(&with(alias, value), &producer_options(), BATCH_BYTES, false)
                    .create_native_config()
                    .unwrap();
                assert_eq!(native.get(canonical(alias)).unwrap(), value, "{alias}");
            }
        }
        for (alias, name) in ALIASES {
            let config = producer(&with(alias, "1"), &producer_options(), BATCH_BYTES, false);
            assert_eq!((config.get(name), config.get(alias)), (Some("1"), None));
        }
    }

    #[test]
    fn clients_that_nobody_polls_make_no_statistics_and_say_nothing() {
        let mut options = with("statistics.interval.ms", "100");
        options.properties.push(("debug".to_owned(), "all".to_owned()));
        for config in [helper(&options, "g", Isolation::ReadCommitted), admin(&options)] {
            assert_eq!((config.get("statistics.interval.ms"), config.get("debug")), (Some("0"), None));
            assert!(matches!(config.log_level, RDKafkaLogLevel::Emerg));
        }
        let interval = |options: &Options, reports| {
            let config = producer(options, &producer_options(), BATCH_BYTES, reports);
            config.get(STATISTICS).map(str::to_owned)
        };
        assert_eq!(interval(&options, false).as_deref(), Some("0"));
        assert_eq!(interval(&options, true).as_deref(), Some("100"));
        assert_eq!(interval(&with("linger.ms", "1"), true).as_deref(), Some("10000"));
    }
}
