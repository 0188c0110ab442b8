//! A log around a log whose clients fail at chosen points. What the log underneath does is real.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::log::{
    Committed, Consumer, ConsumerOptions, Error, Event, Isolation, Kind, Log, Offset, OffsetCommit, Producer,
    ProducerOptions, ProducerRecord, Result, Start, TopicDescription, TopicIdentity, TopicPartition, TopicSpec,
    Watermarks,
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
    Poll,
    Assign,
    Subscribe,
    Watermarks,
    Committed,
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
    /// Topics that so many answers to come do not show.
    hidden: Vec<(String, usize)>,
    reads_by_name: bool,
    /// Clients of this name panic when they are made.
    panics: Option<String>,
    /// So many runs of records are delivered twice.
    repeats: usize,
    /// One producer's transaction; meant for tests that use one.
    is_open: bool,
    begun_count: usize,
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

    /// So many answers to come show no topic of this name, as those of a broker do that is behind.
    pub(crate) fn hide(&self, topic: &str, answers: usize) {
        self.faults.lock().unwrap().hidden.push((topic.to_owned(), answers));
    }

    /// From now on consumers read topics by their names, as Kafka's do: where one was made anew they go on in the new one,
    /// at the same offset, and tell nobody.
    pub(crate) fn read_by_name(&self) {
        self.faults.lock().unwrap().reads_by_name = true;
    }

    /// A consumer of this name panics when it is made, and its thread with it.
    pub(crate) fn panic_for(&self, client_id: &str) {
        self.faults.lock().unwrap().panics = Some(client_id.to_owned());
    }

    /// The next run of records is delivered a second time.
    pub(crate) fn repeat(&self) {
        self.faults.lock().unwrap().repeats += 1;
    }

    fn is_hidden(&self, topic: &str) -> bool {
        let Faults { hidden, .. } = &mut *self.faults.lock().unwrap();
        let Some((_, answers)) = hidden.iter_mut().find(|(name, answers)| name == topic && *answers > 0) else {
            return false;
        };
        *answers -= 1;
        true
    }

    fn reads_by_name(&self) -> bool {
        self.faults.lock().unwrap().reads_by_name
    }

    fn must_repeat(&self) -> bool {
        let Faults { repeats, .. } = &mut *self.faults.lock().unwrap();
        let repeat = *repeats > 0;
        *repeats = repeats.saturating_sub(1);
        repeat
    }

    /// Whether the producer made last left a transaction that it opened.
    pub(crate) fn has_open_transaction(&self) -> bool {
        self.faults.lock().unwrap().is_open
    }

    /// How many transactions were opened.
    pub(crate) fn begun_count(&self) -> usize {
        self.faults.lock().unwrap().begun_count
    }

    fn set_open(&self, is_open: bool) {
        let faults = &mut *self.faults.lock().unwrap();
        faults.is_open = is_open;
        faults.begun_count += usize::from(is_open);
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
    /// What is assigned, where it goes on, and whether it is paused.
    positions: Vec<(TopicPartition, Start, bool)>,
    /// A rebalance that nobody is told of: Kafka's groups have none where a topic is made anew.
    hushes: bool,
}

fn note(
    positions: &mut [(TopicPartition, Start, bool)],
    partition: &TopicPartition,
    change: impl FnOnce(&mut Start, &mut bool),
) {
    if let Some((_, position, paused)) = positions.iter_mut().find(|(at, ..)| at == partition) {
        change(position, paused);
    }
}

impl<C: Consumer> FaultConsumer<C> {
    fn note(&mut self, partition: &TopicPartition, change: impl FnOnce(&mut Start, &mut bool)) {
        note(&mut self.positions, partition, change);
    }

    /// Takes the topics that have the names now; where one has none, that is tried again with the next poll.
    fn go_on_by_name(&mut self) {
        let starts: Vec<_> = self.positions.iter().map(|(partition, start, _)| (partition.clone(), *start)).collect();
        if self.inner.assign(&starts).is_ok() {
            self.hushes = false;
            let paused = self.positions.iter().filter(|(.., paused)| *paused).map(|(partition, ..)| partition.clone());
            self.inner.pause(&paused.collect::<Vec<_>>()).unwrap();
        }
    }
}

impl<L: Log> Log for FaultLog<L> {
    type Group = L::Group;
    type Consumer = FaultConsumer<L::Consumer>;
    type Producer = FaultProducer<L::Producer>;

    fn consumer(&self, options: &ConsumerOptions) -> Result<Self::Consumer> {
        let panics = self.script.faults.lock().unwrap().panics.clone();
        assert!(panics.as_ref() != Some(&options.client_id), "as the test wants it");
        Ok(FaultConsumer {
            inner: self.inner.consumer(options)?,
            script: self.script.clone(),
            positions: Vec::new(),
            hushes: false,
        })
    }

    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer> {
        Ok(FaultProducer { inner: self.inner.producer(options)?, script: self.script.clone() })
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
        self.script.check(Call::Watermarks)?;
        self.inner.watermarks(partition, isolation)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        self.script.check(Call::Committed)?;
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
        self.script.check(Call::Subscribe)?;
        self.inner.subscribe(topics)
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        self.script.check(Call::Assign)?;
        self.inner.assign(partitions)?;
        self.positions = partitions.iter().map(|(partition, start)| (partition.clone(), *start, false)).collect();
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.script.check(Call::Seek)?;
        self.inner.seek(partition, offset)?;
        self.note(partition, |position, _| *position = Start::At(offset));
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.inner.pause(partitions)?;
        partitions.iter().for_each(|partition| self.note(partition, |_, paused| *paused = true));
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.inner.resume(partitions)?;
        partitions.iter().for_each(|partition| self.note(partition, |_, paused| *paused = false));
        Ok(())
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        self.script.reach()?;
        self.script.check(Call::Poll)?;
        let Self { inner, script, positions, hushes } = self;
        let (mut given_back, mut regained) = (false, false);
        let polled = inner.poll(timeout, &mut |event| {
            match &event {
                Event::Revoked { lost: false, .. } if script.reads_by_name() && !positions.is_empty() => {
                    (*hushes, given_back) = (true, true);
                    return;
                }
                Event::Assigned(_) if *hushes => {
                    regained = true;
                    return;
                }
                _ => {}
            }
            let next = match &event {
                Event::Records { partition, records } => records.last().map(|last| (*partition, last.offset + 1)),
                Event::EndOfPartition { partition, offset } => Some((*partition, *offset)),
                _ => None,
            };
            if let Some((partition, offset)) = next {
                note(positions, partition, |position, _| *position = Start::At(offset));
            }
            match event {
                Event::Records { partition, records } if script.must_repeat() => {
                    handler(Event::Records { partition, records });
                    handler(Event::Records { partition, records });
                }
                event => handler(event),
            }
        });
        if given_back {
            self.inner.assign(&[])?;
        }
        if regained {
            self.go_on_by_name();
        }
        match polled {
            Err(error) if error.kind() == Kind::NoSuchTopic && self.script.reads_by_name() => {
                self.go_on_by_name();
                Ok(())
            }
            polled => polled,
        }
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
