//! Why a record was not delivered.

use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify::{self, Call, Flags};
use super::super::clock;
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

    /// What else is known of a failure.
    fn cause(&self, failure: &Failure) -> String {
        let Failure { code, topic, words, .. } = failure;
        let is = |codes: &[Code]| codes.iter().any(|known| *known as i32 == *code);
        if is(&[Code::InvalidTimestamp]) || (is(&[Code::InvalidRecord]) && words.contains("imestamp")) {
            let broker_ms = self.topics.record_limits(topic).and_then(|limits| clock::told(words, &limits));
            let clocks = self.producer().context().broker_clock().compare(broker_ms);
            return format!(
                " ({words}): the record's time is too far from the broker's clock for this topic; {clocks}. Set the clock that is \
                 wrong, or set message.timestamp.type=LogAppendTime, or message.timestamp.after.max.ms and \
                 message.timestamp.before.max.ms, for this topic"
            );
        }
        // A record that was purged is the victim of what went wrong before, not its cause.
        let cause = if is(&[Code::MessageTimedOut]) {
            self.topics.obstacle()
        } else if is(&[Code::PurgeQueue, Code::PurgeInflight]) {
            self.producer().context().last_error()
        } else {
            Some(words.clone()).filter(|words| !words.is_empty())
        };
        cause.map_or_else(String::new, |cause| format!(" ({cause})"))
    }
}
