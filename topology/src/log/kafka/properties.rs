//! librdkafka's properties: which of them are the user's to set.

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

use super::features;
use super::options::Options;
use crate::log::{Error, Kind, Result};

/// Properties that are not the user's to set, and why, in groups.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "enable.auto.commit",
            "auto.commit.enable",
            "auto.commit.interval.ms",
            "enable.auto.offset.store",
            "offset.store.method",
            "offset.store.path",
            "offset.store.sync.interval.ms",
        ],
        "offsets are committed inside transactions only",
    ),
    (
        &["isolation.level", "auto.offset.reset", "enable.partition.eof", "transactional.id", "partitioner"],
        "exactly-once processing depends on its value",
    ),
    (&["partitioner_cb", "msg_order_cmp"], "records must land where Java's producer puts them"),
    (
        &[
            "enable.idempotence",
            "enable.gapless.guarantee",
            "acks",
            "request.required.acks",
            "delivery.report.only.error",
            "produce.offset.report",
            "queuing.strategy",
        ],
        "a committed record must be durable, in order and once",
    ),
    (
        &["partition.assignment.strategy", "group.protocol", "group.protocol.type", "group.remote.assignor"],
        "co-partitioned topics must be assigned together (range)",
    ),
    (&["group.id"], "it is the application id"),
    (&["group.instance.id"], "it is derived from the instance's identity"),
    (&["client.id"], "it names the thread or the helper it belongs to"),
    (
        &["transaction.timeout.ms", "session.timeout.ms", "heartbeat.interval.ms"],
        "the engine sets it: how soon others take over depends on all three together",
    ),
    (&["bootstrap.servers", "metadata.broker.list"], "the brokers have an option of their own"),
    (&["allow.auto.create.topics"], "topics are created, and checked, before anything uses them"),
    (&["log.queue", "log_level"], "log lines go where the program's go"),
];

/// Properties with two names, and the name that is used here: given under both, a client would get one of the two
/// values, now this, now that.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("message.send.max.retries", "retries"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    ("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
];

/// The name that is used here.
pub(super) fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// Refuses properties that would break a promise, and those librdkafka does not know or take.
pub(super) fn check(options: &Options) -> Result<()> {
    for (name, value) in &options.properties {
        if let Some((_, reason)) = REFUSED.iter().find(|(names, _)| names.contains(&name.as_str())) {
            return Err(fatal(format!("property {name} cannot be set: {reason}")));
        }
        if let Some(feature) = features::lacking(canonical(name), value) {
            return Err(fatal(format!("property {name}={value} takes a build with --features {feature}")));
        }
        ClientConfig::new()
            .set(name, value)
            .create_native_config()
            .map_err(|error| fatal(format!("property {name}={}: {}", shown(name, value), reason(&error))))?;
    }
    if options.brokers.trim().is_empty() {
        return Err(fatal("no brokers given: name some as HOST:PORT[,HOST:PORT..]".to_owned()));
    }
    Ok(())
}

/// What librdkafka has against a property, without its name: the caller has said it.
fn reason(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, _, _) => reason.split(": \"").next().unwrap_or(reason).to_owned(),
        other => other.to_string(),
    }
}

/// The value, unless it is a secret.
fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    let secret = ["password", "secret", "pem", "jaas", "token"].iter().any(|word| name.contains(word));
    if secret { "***" } else { value }
}

fn fatal(message: String) -> Error {
    Error::new(Kind::Fatal, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Options {
        Options { properties: vec![(name.to_owned(), value.to_owned())], ..Options::new("127.0.0.1:9092") }
    }

    #[test]
    fn properties_that_would_break_a_promise_are_refused_by_name() {
        for name in REFUSED.iter().flat_map(|(names, _)| *names) {
            let error = check(&with(name, "1")).unwrap_err();
            assert_eq!(error.kind(), Kind::Fatal);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn unknown_properties_and_values_are_refused_and_secrets_not_shown() {
        assert!(check(&with("no.such.property", "1")).unwrap_err().to_string().contains("no.such.property"));
        assert!(check(&with("linger.ms", "soon")).unwrap_err().to_string().contains("soon"));
        assert_eq!(shown("sasl.password", "open sesame"), "***");
    }
}
