//! The producer of the logs in this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::log::{
    self, Error, IdempotentOptions, Kind, Offset, OffsetCommit, ProducerOptions, ProducerRecord, Result, TopicPartition,
};

use super::batch::{self, Builder};
use super::broker::{Broker, no_such_topic};
use super::consumer::Group;
use super::partitioner;
use super::session::Session;
use super::storage::PartitionId;
use super::transaction::{Append, Step};

/// Bytes collected over all partitions before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Bytes after which a batch is closed and another begun.
const BATCH_BYTES: usize = 256 << 10;

/// A producer, transactional or not. Records are collected, and delivered in batches: when about 1 MiB has come
/// together, at [`flush`](log::Producer::flush), at commit.
pub struct Producer {
    broker: Arc<Broker>,
    /// `None` where there are no transactions.
    transactional: Option<Transactional>,
    track_topics: Vec<String>,
    session: Option<Session>,
    in_transaction: bool,
    /// Whether the broker knows that a transaction is open.
    opened: bool,
    topics: Topics,
    /// Closed batches and batches being filled, in order; the first `filled` of them are in use.
    batches: Vec<(PartitionId, Builder)>,
    filled: usize,
    buffered_bytes: usize,
    delivered: FxHashMap<PartitionId, Offset>,
    tracked: HashMap<TopicPartition, Offset>,
}

/// What makes a producer transactional.
struct Transactional {
    id: String,
    timeout_ms: u32,
}

/// What the producer remembers of topics.
#[derive(Default)]
struct Topics {
    version: u64,
    all: Vec<KnownTopic>,
    by_name: FxHashMap<String, usize>,
    last: usize,
}

struct KnownTopic {
    name: String,
    id: u32,
    size_bytes_max: usize,
    compact: bool,
    append_time: bool,
    next_partition: usize,
    /// Per partition, the batch being filled.
    filling: Vec<Option<usize>>,
}

impl Producer {
    pub(crate) fn new(broker: Arc<Broker>, options: ProducerOptions) -> Self {
        let (id, timeout_ms) = (options.transactional_id, options.transaction_timeout_ms);
        Self::make(broker, Some(Transactional { id, timeout_ms }), options.track_topics)
    }

    /// Without transactions.
    pub(crate) fn idempotent(broker: Arc<Broker>, options: IdempotentOptions) -> Self {
        Self::make(broker, None, options.track_topics)
    }

    fn make(broker: Arc<Broker>, transactional: Option<Transactional>, track_topics: Vec<String>) -> Self {
        Self {
            broker,
            // One without transactions is always in one stretch of records or another.
            in_transaction: transactional.is_none(),
            transactional,
            track_topics,
            session: None,
            opened: false,
            topics: Topics::default(),
            batches: Vec::new(),
            filled: 0,
            buffered_bytes: 0,
            delivered: FxHashMap::default(),
            tracked: HashMap::new(),
        }
    }

    fn session(&self) -> Result<&Session> {
        let session = self
            .session
            .as_ref()
            .ok_or_else(|| Error::new(Kind::Fatal, "the producer is not initialised; call init_transactions first"))?;
        if session.is_fenced() { Err(session.fenced()) } else { Ok(session) }
    }

    fn transactional(&self) -> Result<&Transactional> {
        self.transactional.as_ref().ok_or_else(|| Error::new(Kind::Fatal, "this producer has no transactions"))
    }

    /// That records may be sent now.
    fn may_send(&self) -> Result<()> {
        if self.transactional.is_some() { self.in_transaction().map(drop) } else { Ok(()) }
    }

    fn in_transaction(&self) -> Result<&Session> {
        let session = self.session()?;
        if self.in_transaction {
            Ok(session)
        } else {
            Err(Error::new(Kind::Fatal, "no transaction is open; call begin first"))
        }
    }

    /// The broker learns of a transaction with its first record or offset; from then on it can time out.
    fn open(&mut self) -> Result<()> {
        if self.opened || self.transactional.is_none() {
            return Ok(());
        }
        let now_ms = self.broker.now_ms();
        let session = self.session()?;
        self.broker.with(|state| state.open_transaction(session, now_ms))?;
        self.opened = true;
        Ok(())
    }

    fn write(&mut self, step: Step) -> Result<()> {
        let session = self.transactional.is_some().then(|| self.in_transaction().cloned()).transpose()?;
        let mut delivered = Vec::new();
        let filled = self.filled;
        let mut appends: Vec<Append<'_>> =
            self.batches.iter_mut().take(filled).map(|(id, batch)| Append { id: *id, batch }).collect();
        self.broker.with(|state| {
            let (storage, tell) = (&*self.broker.storage, &mut |id, offset| delivered.push((id, offset)));
            match &session {
                Some(session) => state.write_transaction(storage, session, &mut appends, step, tell),
                None => state.append(storage, &mut appends, tell),
            }
        })?;
        self.delivered.extend(delivered);
        self.forget_batches();
        Ok(())
    }

    fn forget_batches(&mut self) {
        self.batches.iter_mut().take(self.filled).for_each(|(_, batch)| batch.clear());
        self.filled = 0;
        self.buffered_bytes = 0;
        self.topics.all.iter_mut().for_each(|topic| topic.filling.fill(None));
    }

    fn track(&mut self) {
        for (id, offset) in &self.delivered {
            let topic = self.topics.all.iter().find(|topic| topic.id == id.topic);
            if let Some(topic) = topic.filter(|topic| self.track_topics.contains(&topic.name)) {
                self.tracked.insert(TopicPartition::new(&*topic.name, id.partition as i32), *offset);
            }
        }
        self.delivered.clear();
    }

    fn end(&mut self, step: Step) -> Result<usize> {
        let bytes = self.buffered_bytes;
        self.write(step)?;
        self.track();
        self.in_transaction = false;
        self.opened = false;
        Ok(bytes)
    }

    /// The batch for this partition, with room.
    fn batch(&mut self, topic: usize, partition: usize, size_bytes: usize) -> Option<&mut Builder> {
        let topic = self.topics.all.get_mut(topic)?;
        let filling = topic.filling.get_mut(partition)?;
        let full = |(_, batch): &(PartitionId, Builder)| batch.count() > 0 && batch.len() + size_bytes > BATCH_BYTES;
        let index = match *filling {
            Some(index) if !self.batches.get(index).is_none_or(full) => index,
            _ => {
                let id = PartitionId { topic: topic.id, partition: partition as u32 };
                match self.batches.get_mut(self.filled) {
                    Some(free) => free.0 = id,
                    None => self.batches.push((id, Builder::default())),
                }
                self.filled += 1;
                *filling = Some(self.filled - 1);
                self.filled - 1
            }
        };
        self.batches.get_mut(index).map(|(_, batch)| batch)
    }
}

impl Topics {
    /// The topic's place in `all`.
    fn find(&mut self, broker: &Broker, name: &str) -> Result<usize> {
        if self.all.get(self.last).is_some_and(|topic| topic.name == name) {
            return Ok(self.last);
        }
        if let Some(index) = self.by_name.get(name) {
            self.last = *index;
            return Ok(*index);
        }
        let state = broker.lock()?;
        let topic = state.topic(name)?;
        self.all.push(KnownTopic {
            name: name.to_owned(),
            id: topic.id,
            size_bytes_max: usize::try_from(topic.settings.max_message_bytes).unwrap_or(0),
            compact: topic.settings.compact,
            append_time: topic.settings.append_time,
            next_partition: 0,
            filling: vec![None; topic.partitions.len()],
        });
        self.last = self.all.len() - 1;
        self.by_name.insert(name.to_owned(), self.last);
        Ok(self.last)
    }
}

impl KnownTopic {
    /// Where the record goes, and how large it is.
    fn check(&mut self, record: &ProducerRecord<'_>) -> Result<(usize, usize)> {
        let size_bytes = batch::size_bytes(record);
        if size_bytes > self.size_bytes_max {
            let (name, max) = (&self.name, self.size_bytes_max);
            return Err(Error::new(
                Kind::TooLarge,
                format!("a record of {size_bytes} bytes is too large for the topic {name}: max.message.bytes is {max}"),
            ));
        }
        if self.compact && record.key.is_none() {
            return Err(Error::new(
                Kind::Fatal,
                format!("a record without a key cannot go into the compacted topic {}", self.name),
            ));
        }
        let count = self.filling.len();
        let partition = match (record.partition, record.key) {
            (Some(partition), _) => usize::try_from(partition).ok().filter(|partition| *partition < count),
            (None, Some(key)) => partitioner::partition_for_key(key, count),
            (None, None) => {
                self.next_partition = self.next_partition.wrapping_add(1);
                self.next_partition.checked_rem(count)
            }
        };
        let missing = || no_such_topic(format_args!("{}-{}", self.name, record.partition.unwrap_or_default()));
        Ok((partition.ok_or_else(missing)?, size_bytes))
    }
}

impl log::Producer for Producer {
    type Group = Group;

    fn init_transactions(&mut self, _timeout: Duration) -> Result<()> {
        let Transactional { id, timeout_ms } = self.transactional()?;
        let session = self.broker.with(|state| state.init_producer(&*self.broker.storage, id, *timeout_ms))?;
        self.session = Some(session);
        self.in_transaction = false;
        self.opened = false;
        self.forget_batches();
        self.delivered.clear();
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        if self.transactional.is_some() {
            self.session()?;
            if self.in_transaction {
                return Err(Error::new(Kind::Fatal, "a transaction is open already; commit or abort it first"));
            }
            self.in_transaction = true;
        }
        self.delivered.clear();
        self.tracked.clear();
        let version = self.broker.topics_version.load(Ordering::Acquire);
        if version != self.topics.version {
            self.topics = Topics { version, ..Topics::default() };
        }
        Ok(())
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        self.may_send()?;
        let index = self.topics.find(&self.broker, record.topic)?;
        let topic = self.topics.all.get_mut(index).ok_or_else(|| no_such_topic(record.topic))?;
        let (partition, size_bytes) = topic.check(record)?;
        let append_time = topic.append_time;
        self.open()?;
        let timestamp_ms = match record.timestamp_ms {
            timestamp_ms if timestamp_ms != ProducerRecord::NOW && !append_time => timestamp_ms,
            _ => self.broker.now_ms(),
        };
        let batch = self.batch(index, partition, size_bytes).ok_or_else(|| no_such_topic(record.topic))?;
        batch.push(&ProducerRecord { timestamp_ms, ..*record });
        self.buffered_bytes += size_bytes;
        if self.buffered_bytes >= BUFFER_BYTES { self.write(Step::Append) } else { Ok(()) }
    }

    fn flush(&mut self, _timeout: Duration) -> Result<()> {
        self.may_send()?;
        if self.filled > 0 {
            self.write(Step::Append)?;
        }
        self.track();
        Ok(())
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &Group) -> Result<()> {
        self.transactional()?;
        self.in_transaction()?;
        if offsets.is_empty() {
            return Ok(());
        }
        self.open()?;
        let session = self.in_transaction()?;
        self.broker.with(|state| state.add_offsets(session, &group.id, group.membership.as_ref(), offsets))
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        if self.transactional.is_none() {
            let written_bytes = self.buffered_bytes;
            self.flush(timeout)?;
            self.broker.compact_in_passing(written_bytes);
            return Ok(());
        }
        self.in_transaction()?;
        let written_bytes = self.end(Step::Commit).map_err(|error| match error.kind() {
            Kind::NoSuchTopic => Error::new(Kind::Abort, format!("the transaction cannot be committed: {error}")),
            _ => error,
        })?;
        self.broker.compact_in_passing(written_bytes);
        Ok(())
    }

    fn abort(&mut self, _timeout: Duration) -> Result<()> {
        self.transactional()?;
        self.in_transaction()?;
        self.forget_batches();
        self.end(Step::Abort).map(drop)
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.tracked.get(partition).copied()
    }
}
