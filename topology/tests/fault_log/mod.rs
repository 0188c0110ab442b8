//! A log around a log whose clients fail at chosen points. What the log underneath does is real.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::log::{
    Committed, Consumer, ConsumerOptions, Error, Event, Isolation, Kind, Log, Offset, OffsetCommit, Producer,
    ProducerOptions, ProducerRecord, Result, Start, TopicDescription, TopicPartition, TopicSpec, Watermarks,
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

/// A call that can be refused before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Init,
    Begin,
    Send,
    Flush,
    SendOffsets,
    Seek,
    Leave,
}

/// The faults to come. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Script {
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// One per commit; none when it is empty.
    commits: VecDeque<Fault>,
    /// Which call, how many of its kind come before, and how it fails.
    refusals: Vec<(Call, usize, Kind)>,
    refused_count: usize,
    is_unreachable: bool,
    /// One producer's transaction; meant for tests that use one.
    is_open: bool,
}

impl Script {
    /// These happen at the commits to come.
    pub(crate) fn commits(faults: impl IntoIterator<Item = Fault>) -> Self {
        let script = Self::default();
        script.faults.lock().unwrap().commits.extend(faults);
        script
    }

    /// One more call fails: the one after so many others.
    pub(crate) fn refuse(self, call: Call, after: usize, kind: Kind) -> Self {
        self.faults.lock().unwrap().refusals.push((call, after, kind));
        self
    }

    /// How many calls were refused.
    pub(crate) fn refused_count(&self) -> usize {
        self.faults.lock().unwrap().refused_count
    }

    /// From now on nobody can be read or asked, or everybody again.
    pub(crate) fn set_unreachable(&self, is_unreachable: bool) {
        self.faults.lock().unwrap().is_unreachable = is_unreachable;
    }

    /// Whether the producer made last left a transaction that it opened.
    pub(crate) fn has_open_transaction(&self) -> bool {
        self.faults.lock().unwrap().is_open
    }

    fn set_open(&self, is_open: bool) {
        self.faults.lock().unwrap().is_open = is_open;
    }

    fn next_commit(&self) -> Fault {
        self.faults.lock().unwrap().commits.pop_front().unwrap_or(Fault::None)
    }

    fn check(&self, call: Call) -> Result<()> {
        let Faults { refusals, refused_count, .. } = &mut *self.faults.lock().unwrap();
        let due = refusals.iter().position(|(at, after, _)| *at == call && *after == 0);
        refusals.iter_mut().filter(|(at, ..)| *at == call).for_each(|(_, after, _)| *after = after.saturating_sub(1));
        let Some(due) = due else { return Ok(()) };
        let (_, _, kind) = refusals.swap_remove(due);
        *refused_count += 1;
        Err(Error::new(kind, format!("{call:?} is refused as {kind:?}")))
    }

    fn reach(&self) -> Result<()> {
        match self.faults.lock().unwrap().is_unreachable {
            true => Err(Error::new(Kind::Retry, "none of the brokers answers")),
            false => Ok(()),
        }
    }
}

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

pub(crate) struct FaultConsumer<C> {
    inner: C,
    script: Script,
}

impl<L: Log> Log for FaultLog<L> {
    type Group = L::Group;
    type Consumer = FaultConsumer<L::Consumer>;
    type Producer = FaultProducer<L::Producer>;

    fn consumer(&self, options: &ConsumerOptions) -> Result<Self::Consumer> {
        Ok(FaultConsumer { inner: self.inner.consumer(options)?, script: self.script.clone() })
    }

    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer> {
        Ok(FaultProducer { inner: self.inner.producer(options)?, script: self.script.clone() })
    }

    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.inner.describe_topic(topic)
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
        self.inner.delete_records(partition, before)
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        self.script.reach()?;
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

impl<C: Consumer> Consumer for FaultConsumer<C> {
    type Group = C::Group;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        self.inner.subscribe(topics)
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        self.inner.assign(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.script.check(Call::Seek)?;
        self.inner.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.inner.resume(partitions)
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        self.script.reach()?;
        self.inner.poll(timeout, handler)
    }

    fn group(&self) -> Option<C::Group> {
        self.inner.group()
    }

    fn assignment_lost(&self) -> bool {
        self.inner.assignment_lost()
    }

    fn leave(&mut self) -> Result<()> {
        self.script.check(Call::Leave)?;
        self.inner.leave()
    }
}
