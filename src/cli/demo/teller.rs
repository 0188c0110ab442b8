//! Takes transfers from the page, and has validators cheat.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use topology::clock::{Clock, SystemClock};
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicPartition};

use crate::chain::ValidatorId;
use crate::consensus::Fault;
use crate::http::{self, Refused, TransferRequest};
use crate::sealing::Application;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Writes to the transactions topic of a log, and knows the application that seals it.
pub(super) struct Teller<L: Log> {
    topic: String,
    partition_count: i32,
    producer: Mutex<L::Producer>,
    application: Application,
    clock: SystemClock,
}

impl<L: Log> Teller<L> {
    pub(super) fn new(log: &L, topic: &str, application: &Application) -> topology::Result<Self> {
        let mut producer = log.producer(&ProducerOptions {
            transactional_id: "cairn-demo-teller".to_owned(),
            transaction_timeout_ms: 10_000,
            client_id: "cairn-demo-teller".to_owned(),
            track_topics: vec![topic.to_owned()],
        })?;
        producer.init_transactions(TIMEOUT)?;
        let partition_count = log.describe_topic(topic)?.map_or(1, |found| found.partition_count);
        let (application, clock) = (application.clone(), SystemClock::new());
        Ok(Self { topic: topic.to_owned(), partition_count, producer: Mutex::new(producer), application, clock })
    }

    fn write(&self, key: &str, value: &str) -> topology::log::Result<Option<(i32, i64)>> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        producer.begin()?;
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let (topic, timestamp_ms) = (self.topic.as_str(), self.clock.now_ms());
        let record = ProducerRecord { topic, partition: None, timestamp_ms, key, value, headers: &[] };
        let sent = producer.send(&record).and_then(|()| producer.flush(TIMEOUT));
        if let Err(error) = sent {
            // Left open, it would keep the next transfer from beginning, and readers from all that lies behind it.
            let _ = producer.abort(TIMEOUT);
            return Err(error);
        }
        let delivered = |partition| Some((partition, producer.delivered(&TopicPartition::new(topic, partition))?));
        let place = (0..self.partition_count).find_map(delivered);
        producer.commit(TIMEOUT)?;
        Ok(place)
    }
}

impl<L: Log> http::Teller for Teller<L>
where
    L::Producer: Send,
{
    fn send(&self, request: &TransferRequest) -> Result<(i32, i64), Refused> {
        let mut value = serde_json::json!({ "from": request.from, "to": request.to, "amount": request.amount });
        if let (Some(memo), Some(fields)) = (&request.memo, value.as_object_mut()) {
            fields.insert("memo".to_owned(), serde_json::json!(memo));
        }
        let written = self.write(request.from.as_str(), &value.to_string());
        let place = written.map_err(|error| Refused(format!("it could not be written: {error}")))?;
        place.ok_or_else(|| Refused("it was written, and the log does not say where".to_owned()))
    }

    fn corrupt(&self, validator: &ValidatorId) -> Result<(), Refused> {
        let known = self.application.corrupt(validator, Fault::AlterAmount);
        known.then_some(()).ok_or_else(|| Refused(format!("there is no validator {validator}")))
    }
}
