//! A log around a log whose producers fail at chosen points. What the log underneath does is real.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::log::{
    Committed, ConsumerOptions, Error, Isolation, Kind, Log, Offset, OffsetCommit, Producer, ProducerOptions,
    ProducerRecord, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks,
};

/// What happens at the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it commits.
    None,
    /// It commits, but the answer is lost.
    CommittedUnknown,
    /// It does not commit, and the answer is lost.
    LostUnknown,
    /// It must be aborted.
    Abort,
    /// The process stops before the commit: what was sent stays in an open transaction.
    DieBefore,
    /// The process stops after the commit, before anything else.
    DieAfter,
}

/// The faults to come, one per commit; none when it is empty.
pub(crate) type Script = Arc<Mutex<VecDeque<Fault>>>;

#[derive(Clone)]
pub(crate) struct FaultLog<L> {
    inner: L,
    script: Script,
}

impl<L> FaultLog<L> {
    pub(crate) fn new(inner: L, script: Script) -> Self {
        Self { inner, script }
    }
}

pub(crate) struct FaultProducer<P> {
    inner: P,
    script: Script,
}

impl<L: Log> Log for FaultLog<L> {
    type Group = L::Group;
    type Consumer = L::Consumer;
    type Producer = FaultProducer<L::Producer>;

    fn consumer(&self, options: &ConsumerOptions) -> Result<L::Consumer> {
        self.inner.consumer(options)
    }

    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer> {
        Ok(FaultProducer { inner: self.inner.producer(options)?, script: Arc::clone(&self.script) })
    }

    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.inner.describe_topic(topic)
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.inner.create_topics(topics)
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        self.inner.delete_topics(topics)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        self.inner.delete_records(partition, before)
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        self.inner.watermarks(partition, isolation)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        self.inner.committed(group, partitions)
    }

    fn group_member_count(&self, group: &str) -> Result<usize> {
        self.inner.group_member_count(group)
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.inner.delete_group(group)
    }
}

impl<P: Producer> Producer for FaultProducer<P> {
    type Group = P::Group;

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        self.inner.init_transactions(timeout)
    }

    fn begin(&mut self) -> Result<()> {
        self.inner.begin()
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        self.inner.send(record)
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        self.inner.flush(timeout)
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &P::Group) -> Result<()> {
        self.inner.send_offsets(offsets, group)
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        let fault = self.script.lock().unwrap().pop_front().unwrap_or(Fault::None);
        let unknown = || Err(Error::new(Kind::Unknown, "the commit timed out"));
        match fault {
            Fault::None => self.inner.commit(timeout),
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
        self.inner.abort(timeout)
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner.delivered(partition)
    }
}
