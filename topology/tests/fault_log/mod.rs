//! A log around a log whose clients fail at chosen points. What the log underneath does is real.

mod consumer;
mod script;

use std::time::Duration;

use topology::log::{
    Committed, ConsumerOptions, Error, GroupMember, IdempotentOptions, Isolation, Kind, Log, Offset, OffsetCommit,
    Producer, ProducerOptions, ProducerRecord, Result, TopicDescription, TopicIdentity, TopicPartition, TopicSpec,
    Watermarks,
};

use consumer::FaultConsumer;
pub(crate) use script::{Call, Fault, Script};

#[derive(Clone)]
pub(crate) struct FaultLog<L> {
    inner: L,
    script: Script,
}

impl<L> FaultLog<L> {
    pub(crate) fn new(inner: L, script: &Script) -> Self {
        Self { inner, script: script.clone() }
    }
}

pub(crate) struct FaultProducer<P> {
    inner: P,
    script: Script,
}

impl<L: Log> Log for FaultLog<L> {
    type Group = L::Group;
    type Consumer = FaultConsumer<L::Consumer>;
    type Producer = FaultProducer<L::Producer>;

    fn consumer(&self, options: &ConsumerOptions) -> Result<Self::Consumer> {
        self.script.may_panic(&options.client_id);
        Ok(FaultConsumer::new(self.inner.consumer(options)?, self.script.clone()))
    }

    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer> {
        Ok(FaultProducer { inner: self.inner.producer(options)?, script: self.script.clone() })
    }

    fn idempotent_producer(&self, options: &IdempotentOptions) -> Result<Self::Producer> {
        Ok(FaultProducer { inner: self.inner.idempotent_producer(options)?, script: self.script.clone() })
    }

    fn rest(&self) {
        self.script.note_rest();
        self.inner.rest();
    }

    fn writing_to(&self, topics: &[String]) -> Self {
        self.script.note_written(topics);
        Self { inner: self.inner.writing_to(topics), script: self.script.clone() }
    }

    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        if self.script.is_hidden(topic) {
            return Ok(None);
        }
        self.inner.describe_topic(topic)
    }

    fn identify_topics(&self, topics: &[String], timeout: Duration) -> Result<Vec<Option<TopicIdentity>>> {
        self.script.reach()?;
        let mut found = self.inner.identify_topics(topics, timeout)?;
        for (topic, found) in topics.iter().zip(&mut found) {
            if self.script.is_hidden(topic) {
                *found = None;
            }
        }
        Ok(found)
    }

    fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        let mut names = self.inner.list_topics(timeout)?;
        names.retain(|name| !self.script.is_hidden(name));
        Ok(names)
    }

    /// As Kafka does, it creates no topic that is named twice.
    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        let mut names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(Kind::Fatal, format!("invalid request: topic {} is named twice", twice[0])));
        }
        self.inner.create_topics(topics)
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        self.inner.delete_topics(topics)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        self.script.check(Call::DeleteRecords)?;
        self.inner.delete_records(partition, before)
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        self.script.reach()?;
        self.script.check(Call::Watermarks)?;
        self.inner.watermarks(partition, isolation)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        self.script.check(Call::Committed)?;
        self.inner.committed(group, partitions)
    }

    fn clock_ahead_ms(&self) -> Option<i64> {
        self.script.clock_ahead_ms().unwrap_or_else(|| self.inner.clock_ahead_ms())
    }

    fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>> {
        self.inner.describe_group(group)
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.inner.delete_group(group)
    }
}

impl<P: Producer> Producer for FaultProducer<P> {
    type Group = P::Group;

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        self.script.check(Call::Init)?;
        self.inner.init_transactions(timeout)?;
        self.script.set_open(false);
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        self.script.check(Call::Begin)?;
        self.inner.begin()?;
        self.script.set_open(true);
        Ok(())
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        self.script.check(Call::Send)?;
        self.inner.send(record)
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        self.script.check(Call::Flush)?;
        self.inner.flush(timeout)
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &P::Group) -> Result<()> {
        self.script.check(Call::SendOffsets)?;
        self.inner.send_offsets(offsets, group)
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        let fault = self.script.next_commit();
        let unknown = || Err(Error::new(Kind::Unknown, "the commit timed out"));
        match fault {
            Fault::None => {
                self.inner.commit(timeout)?;
                self.script.set_open(false);
                Ok(())
            }
            Fault::CommittedUnknown => self.inner.commit(timeout).and_then(|()| unknown()),
            Fault::LostUnknown => unknown(),
            Fault::Abort => Err(Error::new(Kind::Abort, "the transaction must be aborted")),
            Fault::DieBefore => std::process::abort(),
            Fault::DieAfter => {
                self.inner.commit(timeout)?;
                std::process::abort()
            }
        }
    }

    fn abort(&mut self, timeout: Duration) -> Result<()> {
        self.inner.abort(timeout)?;
        self.script.set_open(false);
        Ok(())
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner.delivered(partition)
    }
}
