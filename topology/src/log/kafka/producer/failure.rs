//! Why a record was not delivered.

use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify::{self, Call, Flags};
use super::super::delivery::Failure;
use super::super::native;
use super::KafkaProducer;
use crate::log::Error;

impl KafkaProducer {
    /// The first record that was not delivered, or the state the producer cannot leave, as an error.
    pub(super) fn failure(&mut self) -> Option<Error> {
        if let Some((code, text)) = self.producer().client().fatal_error() {
            let flags = Flags { code: code as i32, fatal: true, requires_abort: false, retriable: false };
            return Some(classify::transaction_error(Call::Commit, flags, &text));
        }
        let failure = self.producer().context().deliveries().failure()?;
        let cause = self.cause(&failure);
        let Failure { code, topic, partition, .. } = failure;
        self.topics.forget(&topic);
        let text = native::describe(code);
        let message = format!("a record to {topic}-{partition} was not delivered: {text}{cause}");
        Some(Error::new(classify::delivery_kind(code), message))
    }

    /// What else is known of a failure. (What the broker said of it is not: librdkafka 2.12.1 hands out, by
    /// `rd_kafka_message_produce_errstr`, what it has freed.)
    fn cause(&self, failure: &Failure) -> String {
        let is = |codes: &[Code]| codes.iter().any(|known| *known as i32 == failure.code);
        let of_time = "its time is too far from the broker's clock for this topic";
        let why = if is(&[Code::InvalidTimestamp]) || (is(&[Code::InvalidRecord]) && failure.has_key) {
            of_time.to_owned()
        } else if is(&[Code::InvalidRecord]) {
            format!("it has no key, which a compacted topic does not take, or {of_time}")
        } else {
            // A record that was purged is the victim of what went wrong before, not its cause.
            let cause = match is(&[Code::MessageTimedOut]) {
                true => self.topics.obstacle(),
                false => self.last_error().filter(|_| is(&[Code::PurgeQueue, Code::PurgeInflight])),
            };
            return cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        };
        let clocks = self.producer().context().broker_clock().compare();
        format!(
            ": {why}; {clocks}. Set the clock that is wrong, or set message.timestamp.type=LogAppendTime, or \
             message.timestamp.after.max.ms and message.timestamp.before.max.ms, for this topic"
        )
    }

    fn last_error(&self) -> Option<String> {
        self.producer().context().last_error()
    }
}
