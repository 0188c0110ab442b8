//! The log as an instance sees it: each call is a place where others may play, where it may die, and where it may be
//! refused. What the log underneath does is real.

mod consumer;
mod producer;

use std::time::Duration;

use super::faults::Fault;
use super::stage::{self, Stage, Who};
use crate::log::memory::MemoryLog;
use crate::log::{
    Committed, ConsumerOptions, GroupMember, IdempotentOptions, Isolation, Log, Offset, ProducerOptions, Result,
    TopicDescription, TopicIdentity, TopicPartition, TopicSpec, Watermarks,
};

pub use consumer::SimulatedConsumer;
pub(super) use producer::Late;
pub use producer::SimulatedProducer;

/// A call to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Init,
    Begin,
    Send,
    Flush,
    SendOffsets,
    Commit,
    Abort,
    Subscribe,
    Assign,
    Unassign,
    Seek,
    Pause,
    Poll,
    Leave,
    Watermarks,
    Committed,
    Describe,
    Identify,
    /// A client is made.
    Client,
}

/// The log, as one process sees it: see [`Beginning::log`](super::Beginning::log).
#[derive(Clone)]
pub struct SimulatedLog {
    inner: MemoryLog,
    who: Who,
    /// Whether a poll that finds nothing lets its time pass.
    waits: bool,
}

impl SimulatedLog {
    pub(super) fn new(inner: MemoryLog, who: Who) -> Self {
        Self { inner, who, waits: false }
    }

    /// The same for those who have no turns of their own, in which to ask again.
    pub(super) fn waiting(&self) -> Self {
        Self { waits: true, ..self.clone() }
    }

    fn is_hidden(&self, topic: &str) -> bool {
        let is_hidden = |stage: &Stage| {
            let now_ms = stage.now_ms();
            let is_hidden = stage.hidden.borrow().iter().any(|(name, until_ms)| name == topic && now_ms < *until_ms);
            is_hidden && stage.random(|random| random.percent(70))
        };
        stage::with(is_hidden).unwrap_or(false)
    }
}

impl Log for SimulatedLog {
    type Group = <MemoryLog as Log>::Group;
    type Consumer = SimulatedConsumer;
    type Producer = SimulatedProducer;

    fn consumer(&self, options: &ConsumerOptions) -> Result<Self::Consumer> {
        stage::reach(self.who, Call::Client)?;
        Ok(SimulatedConsumer::new(self.inner.consumer(options)?, self.who, self.waits))
    }

    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer> {
        stage::reach(self.who, Call::Client)?;
        Ok(SimulatedProducer::new(self.inner.producer(options)?, self.who))
    }

    fn idempotent_producer(&self, options: &IdempotentOptions) -> Result<Self::Producer> {
        stage::reach(self.who, Call::Client)?;
        Ok(SimulatedProducer::new(self.inner.idempotent_producer(options)?, self.who))
    }

    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        stage::reach(self.who, Call::Describe)?;
        if self.is_hidden(topic) {
            return Ok(None);
        }
        self.inner.describe_topic(topic)
    }

    fn identify_topics(&self, topics: &[String], timeout: Duration) -> Result<Vec<Option<TopicIdentity>>> {
        stage::reach(self.who, Call::Identify)?;
        let mut found = self.inner.identify_topics(topics, timeout)?;
        for (_, found) in topics.iter().zip(&mut found).filter(|(topic, _)| self.is_hidden(topic)) {
            *found = None;
        }
        Ok(found)
    }

    fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        stage::reach(self.who, Call::Identify)?;
        let mut names = self.inner.list_topics(timeout)?;
        names.sort_unstable();
        names.retain(|name| !self.is_hidden(name));
        Ok(names)
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        stage::reach(self.who, Call::Client)?;
        self.inner.create_topics(topics)
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        self.inner.delete_topics(topics)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        stage::reach(self.who, Call::Client)?;
        self.inner.delete_records(partition, before)
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        stage::reach(self.who, Call::Watermarks)?;
        self.inner.watermarks(partition, isolation)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        stage::reach(self.who, Call::Committed)?;
        self.inner.committed(group, partitions)
    }

    fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>> {
        stage::reach(self.who, Call::Identify)?;
        self.inner.describe_group(group)
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.inner.delete_group(group)
    }
}

/// Whether a poll brings nothing, though there may be something.
fn is_slow() -> bool {
    stage::with(|stage| stage.occurs(Fault::SlowFetch)).unwrap_or(false)
}
