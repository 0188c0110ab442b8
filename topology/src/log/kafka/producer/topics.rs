//! What a producer knows of the topics it sends to.

use std::sync::Arc;

use rdkafka::producer::Producer as _;

use super::super::admin::Admin;
use super::super::native::Sender;
use crate::log::{Awaited, Error, Kind, ProducerRecord, Result};

/// The topics that were sent to.
pub(super) struct Topics {
    admin: Arc<Admin>,
    /// How large the producer's batches may become.
    batch_bytes: usize,
    all: Vec<(String, Topic)>,
    /// The place of the one that was sent to last.
    last: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Topic {
    /// The sender's handle for it.
    pub(super) handle: usize,
    /// What the delivery reports bear: 0, or the tracked topic's number plus one.
    pub(super) tag: usize,
    max_message_bytes: usize,
}

impl Topics {
    pub(super) fn new(admin: Arc<Admin>, batch_bytes: usize) -> Self {
        Self { admin, batch_bytes, all: Vec::new(), last: 0 }
    }

    /// The topic of this name, looked up once.
    pub(super) fn find(&mut self, sender: &mut Sender, name: &str) -> Result<Topic> {
        match self.all.get(self.last) {
            Some((last, topic)) if last == name => return Ok(*topic),
            _ => {}
        }
        if let Some((index, (_, topic))) = self.all.iter().enumerate().find(|(_, (known, _))| known == name) {
            self.last = index;
            return Ok(*topic);
        }
        let topic = self.look_up(sender, name)?;
        self.last = self.all.len();
        self.all.push((name.to_owned(), topic));
        Ok(topic)
    }

    fn look_up(&self, sender: &mut Sender, name: &str) -> Result<Topic> {
        let no_such_topic = || Error::new(Kind::NoSuchTopic, format!("there is no topic {name}"));
        let found = self.admin.max_message_bytes(name).map_err(|error| match error.kind() {
            // What was sent before is part of the transaction, and this record is not.
            Kind::Retry => Error::new(Kind::Abort, error.to_string()),
            _ => error,
        });
        let topic = Topic {
            max_message_bytes: found?.ok_or_else(no_such_topic)?,
            handle: sender.topic(name).ok_or_else(no_such_topic)?,
            tag: sender.producer().context().deliveries().tracked(name).map_or(0, |index| index + 1),
        };
        if topic.max_message_bytes < self.batch_bytes {
            let (limit, batch) = (topic.max_message_bytes, self.batch_bytes);
            tracing::warn!(
                topic = name,
                "takes batches of up to {limit} bytes, and they may grow to {batch}: set batch.size"
            );
        }
        Ok(topic)
    }

    /// Why one of these topics may take nothing.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.all.iter().find_map(|(name, _)| self.admin.obstacle(Awaited::Delivery(name)))
    }

    /// Why the producer may get no id.
    pub(super) fn producer_obstacle(&self, transactional_id: &str) -> Option<String> {
        self.admin.obstacle(Awaited::Producer(transactional_id))
    }

    /// Looks the topic up again when it is sent to next: it may no longer be there, or take what it took.
    pub(super) fn forget(&mut self, name: &str) {
        self.admin.forget_limit(name);
        self.all.retain(|(known, _)| known != name);
    }

    /// Refuses a record that the topic would not take.
    pub(super) fn check_size(&mut self, topic: Topic, record: &ProducerRecord<'_>) -> Result<()> {
        let (bytes, limit) = (record.size_max_bytes(), topic.max_message_bytes);
        if bytes <= limit {
            return Ok(());
        }
        self.forget(record.topic);
        let message = format!("a record of {bytes} bytes to {}: the topic takes {limit}", record.topic);
        Err(Error::new(Kind::TooLarge, message))
    }
}
