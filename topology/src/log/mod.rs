//! The log: partitioned topics, consumer groups and transactions, behind traits.
//!
//! ```text
//! memory      in this process, for tests and the simulator
//! embedded    durable, one directory, one process
//! kafka       a real cluster, through librdkafka
//! ```
//! All three pass one contract suite (`topology/tests/log_contract`). This module may use `error` and nothing
//! else of the crate. Nothing here runs on an async runtime: calls block, on the thread that makes them.

mod deletion;
#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod identity;
#[cfg(feature = "kafka")]
pub mod kafka;
mod limits;
pub mod local;
pub mod memory;
mod options;
mod owned;
mod record;
mod statistics;
mod topic;

use std::sync::Arc;
use std::time::Duration;

pub use deletion::Deletion;
pub use error::{Error, Kind};
pub use identity::{TopicId, TopicIdentity};
pub use limits::{ANY_TIME, RecordLimits, Refusal, TIMESTAMP_BOUNDS};
pub use local::Clock;
pub(crate) use local::partition_for_key;
pub use options::{
    ConsumerOptions, GroupOptions, GroupProtocol, IdempotentOptions, Isolation, OutOfRange, ProducerOptions,
};
pub use owned::OwnedRecords;
pub(crate) use record::{BATCH_OVERHEAD_BYTES, HEADER_OVERHEAD_BYTES};
pub use record::{Header, Headers, Offset, ProducerRecord, Record, TopicPartition};
pub use statistics::{
    BrokerStatistics, ClientStatistics, ConsumerStatistics, ProducerStatistics, RoundTrip, Statistics,
};
pub use topic::{TopicDescription, TopicSpec};

/// A result of the log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A log: makes consumers and producers, and administers topics. Cheap to clone; clones share the same log.
pub trait Log: Clone + Send + Sync + 'static {
    /// What a transaction needs to know of the consumer's group membership.
    type Group: Send;
    /// A consumer of this log.
    type Consumer: Consumer<Group = Self::Group>;
    /// A transactional producer of this log.
    type Producer: Producer<Group = Self::Group>;

    /// A new consumer. It has joined nothing and is assigned nothing yet.
    fn consumer(&self, options: &ConsumerOptions) -> Result<Self::Consumer>;

    /// A new transactional producer. Nothing is fenced before [`Producer::init_transactions`].
    fn producer(&self, options: &ProducerOptions) -> Result<Self::Producer>;

    /// A new producer without transactions, which is ready at once: what it sends can be read at once, and each record
    /// arrives once and in order, or [`Producer::flush`] tells that it did not. Of its methods [`Producer::begin`] only
    /// forgets what was delivered before, [`Producer::commit`] is a flush, and those for transactions and their offsets
    /// are refused: see [`Consumer::commit`].
    fn idempotent_producer(&self, options: &IdempotentOptions) -> Result<Self::Producer>;

    /// What a topic looks like, or `None` where there is no such topic. Never creates it.
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>>;

    /// Which topics have these names now, in the order asked; `None` where there is none. One question to one broker,
    /// which may be behind: one `None` does not prove that a topic is gone. Another id does prove that it was made
    /// anew. Meant to be asked again and again; where no broker answers within `timeout` it fails with [`Kind::Retry`].
    fn identify_topics(&self, topics: &[String], timeout: Duration) -> Result<Vec<Option<TopicIdentity>>>;

    /// The names of all topics that one broker knows, in no order; it may be behind. Creates none. Where no broker
    /// answers within `timeout` it fails with [`Kind::Retry`].
    fn list_topics(&self, timeout: Duration) -> Result<Vec<String>>;

    /// Creates topics. One that exists already is left as it is and is no error.
    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()>;

    /// Gives a topic more partitions, empty ones, so that it has `count`. One that has as many, or more, is left as it
    /// is. Keys belong to other partitions from then on. The engine never does: it is here for operators. A log that
    /// cannot says so.
    fn add_partitions(&self, topic: &str, _count: i32) -> Result<()> {
        Err(Error::new(Kind::Fatal, format!("this log cannot give topic '{topic}' more partitions")))
    }

    /// Deletes topics. One that does not exist is no error.
    fn delete_topics(&self, topics: &[String]) -> Result<()>;

    /// Deletes the records below `before` (exclusive), and waits until that is to be seen. One below the first record
    /// there is changes nothing; one beyond the end is an error.
    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()>;

    /// Begins to delete the records of each partition below its offset (exclusive), and does not wait for it where that
    /// takes time. Where one partition fails the others are deleted; the outcome is its error then.
    fn begin_delete_records(&self, before: &[(TopicPartition, Offset)]) -> Deletion {
        let deleted: Vec<_> =
            before.iter().map(|(partition, offset)| self.delete_records(partition, *offset)).collect();
        Deletion::ended(deleted.into_iter().collect())
    }

    /// First and end offset of a partition. The end is the high watermark with
    /// [`Isolation::ReadUncommitted`] and the last stable offset with [`Isolation::ReadCommitted`].
    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks>;

    /// The group's committed offsets, in the order asked; `None` where nothing was committed. Only stable ones: where
    /// a transaction with pending offsets is open, it waits for its end, or fails with [`Kind::Retry`].
    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>>;

    /// The same, but where a transaction has pending offsets it waits no longer than `timeout`: for those who have
    /// other things to do meanwhile, and ask again.
    fn committed_within(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        _timeout: Duration,
    ) -> Result<Vec<Option<Committed>>> {
        self.committed(group, partitions)
    }

    /// Who is in the group now, and what each has; no member, where there is no such group.
    fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>>;

    /// How many members the group has now.
    fn group_member_count(&self, group: &str) -> Result<usize> {
        Ok(self.describe_group(group)?.len())
    }

    /// Deletes a group that has no members, with its committed offsets. One that does not exist is no error.
    fn delete_group(&self, group: &str) -> Result<()>;

    /// Why what is waited for may not come, in words for an operator, as far as the log can tell that within a second
    /// or two. `None` where it knows of nothing.
    fn obstacle(&self, _awaited: Awaited<'_>) -> Option<String> {
        None
    }

    /// How far the log's clock, by which it judges the times of records, is ahead of this machine's, ms; negative:
    /// behind. `None` where that is not known yet. Minutes are no difference. A log on this machine has its clock.
    fn clock_ahead_ms(&self) -> Option<i64> {
        Some(0)
    }

    /// Little will be asked about topics and groups from now on: clients that are there for that alone may be closed,
    /// beside what else happens. What is under way is answered all the same, and a later question, also of another
    /// clone of this log, has a client made anew.
    fn rest(&self) {}

    /// The same log, whose producers send to these topics alone. Their batches are as large as these topics take;
    /// limits of other topics do not count. Producers of a log that was not told make no batch that is too large for
    /// any topic that was described.
    fn writing_to(&self, _topics: &[String]) -> Self {
        self.clone()
    }

    /// The same log, whose clients tell of themselves: consumers that are in a group, and producers; and where to read
    /// that. It is for programs that serve their clients every few seconds, by [`Consumer::poll`] and
    /// [`Producer::serve`], or what they have to tell piles up. Clients of a log on this machine tell nothing.
    fn reporting(&self) -> (Self, Arc<dyn Statistics>) {
        (self.clone(), Arc::new(()))
    }
}

/// A consumer, by group subscription or by explicit assignment. One thread owns it.
pub trait Consumer: Send {
    /// See [`Log::Group`].
    type Group: Send;

    /// Joins the consumer's group for these topics. Assignments arrive as [`Event`]s from [`Consumer::poll`]. Calling
    /// it again after [`Consumer::leave`] joins again.
    fn subscribe(&mut self, topics: &[String]) -> Result<()>;

    /// Replaces what is consumed, and from where. Clears pauses. For consumers that are in no group: a member is told
    /// by its group what to consume.
    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()>;

    /// Adds partitions to what is consumed, and says from where: the answer to [`Event::Assigned`]. What is consumed
    /// already goes on undisturbed. None of them may be consumed already.
    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> Result<()>;

    /// Takes partitions out of what is consumed: the answer to [`Event::Revoked`]. The rest goes on undisturbed. One
    /// that is not consumed is ignored.
    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> Result<()>;

    /// Continues an assigned partition from this offset; nothing fetched before the call is delivered after it.
    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()>;

    /// Stops delivering records of assigned partitions until [`Consumer::resume`]. What was delivered is not lost. What
    /// was read ahead of a few partitions is kept for then, unless a [`Consumer::seek`] comes between; of more it is
    /// read again ([`ConsumerOptions::prefetch_bytes`]).
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Goes on after [`Consumer::pause`], at the next record not yet delivered.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Waits up to `timeout` for something to happen and hands over what there is, at most about
    /// [`ConsumerOptions::batch_records`] records. Must be called often, or the group takes the member for dead.
    /// Records of one partition arrive in order. After an assignment event the rest waits for the answer. Where one
    /// partition cannot be read on from where it stands, each poll says so, and the others may stand still, until it is
    /// sought, paused or taken out.
    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()>;

    /// One past the last offset of an assigned partition, as this consumer last heard of it; `None` before that. It
    /// asks no broker, and open transactions count.
    fn known_end(&self, partition: &TopicPartition) -> Option<Offset>;

    /// Commits offsets for the consumer's group, outside of any transaction, and waits for the answer, no longer than
    /// the session lasts. Fails where the group no longer knows the member; after [`Kind::Unknown`] they may have been
    /// committed.
    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()>;

    /// The membership as of now, to be sent with offsets inside a transaction. `None` without a group.
    fn group(&self) -> Option<Self::Group>;

    /// Whether the membership was lost: what was assigned may be somebody else's already, and nothing may be committed.
    fn assignment_lost(&self) -> bool;

    /// Leaves the group now (also as a static member), so that others need not wait for the session to time out.
    fn leave(&mut self) -> Result<()>;
}

/// A transactional producer. One thread owns it.
///
/// ```text
///            init_transactions          begin            commit | abort
///   new ---------------------> ready ---------> open -----------------> ready
///    after any error but `Abort`, drop the producer and make a new one; it settles what was left open.
/// ```
pub trait Producer: Send {
    /// See [`Log::Group`].
    type Group: Send;

    /// Aborts what an earlier producer with the same transactional id left open, fences that producer, and makes this
    /// one ready. Call it once, first.
    fn init_transactions(&mut self, timeout: Duration) -> Result<()>;

    /// Opens a transaction.
    fn begin(&mut self) -> Result<()>;

    /// Adds a record to the open transaction. `Ok` means accepted, not delivered. A record refused here is not part of
    /// the transaction, and the transaction would commit without it: the caller must abort. So it never fails with
    /// [`Kind::Retry`], not even where a broker did not answer in time.
    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()>;

    /// Adds records, in order, as [`Producer::send`] would one by one; after an error it is unknown which of them were
    /// added. Cheaper where the log can take consecutive records of one partition together: those without headers and
    /// with [`ProducerRecord::NOW`] as their time.
    fn send_batch(&mut self, records: &[ProducerRecord<'_>]) -> Result<()> {
        records.iter().try_for_each(|record| self.send(record))
    }

    /// Waits until every record is delivered; an error where one was not.
    fn flush(&mut self, timeout: Duration) -> Result<()>;

    /// Adds consumed offsets to the open transaction. Fails where the group no longer knows the member.
    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &Self::Group) -> Result<()>;

    /// Commits. `Ok`: committed. An error of kind [`Kind::Abort`] or [`Kind::Retry`]: not committed. Any other:
    /// unknown.
    fn commit(&mut self, timeout: Duration) -> Result<()>;

    /// Aborts; none of the transaction's records will be visible to a committed read. Where the outcome of anything is
    /// in doubt, a new producer's [`Producer::init_transactions`] does the same and is the surer way; this one spares
    /// those who read the topics the wait for a transaction that no producer will go on with.
    fn abort(&mut self, timeout: Duration) -> Result<()>;

    /// Highest offset delivered to a tracked topic ([`ProducerOptions::track_topics`]) since the last `begin`. Valid
    /// after [`Producer::flush`], until the next `begin`.
    fn delivered(&self, partition: &TopicPartition) -> Option<Offset>;

    /// Takes in what the client has to tell, without waiting. The producer's owner calls it now and then while it sends
    /// nothing.
    fn serve(&mut self) {}
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited<'a> {
    /// The assignment of this group.
    Group(&'a str),
    /// A producer with this transactional id.
    Producer(&'a str),
    /// That records arrive in this topic.
    Delivery(&'a str),
}

/// What a poll brings.
#[derive(Debug)]
pub enum Event<'a> {
    /// Records of one partition, in offset order, borrowed from the client's buffers.
    Records {
        /// Of which partition.
        partition: &'a TopicPartition,
        /// At least one.
        records: &'a [Record<'a>],
    },
    /// The reader has reached the end: the next record will have this offset or a higher one. With
    /// [`Isolation::ReadCommitted`] it is the last stable offset, behind transaction markers and aborted records.
    EndOfPartition {
        /// Of which partition.
        partition: &'a TopicPartition,
        /// Where the next record can be, at the earliest.
        offset: Offset,
    },
    /// The group gives this member these partitions beside those that it has; perhaps none. Answer with
    /// [`Consumer::incremental_assign`].
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions away. Commit, unless `lost`, then answer with
    /// [`Consumer::incremental_unassign`].
    Revoked {
        /// Which ones. With [`GroupProtocol::Classic`] always all that the member had.
        partitions: Vec<TopicPartition>,
        /// They may be somebody else's already.
        lost: bool,
    },
}

/// Where to start reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The first record there is.
    Beginning,
    /// This offset.
    At(Offset),
    /// Where a [`Consumer::seek`] says, before a [`Consumer::resume`]; else at the first record. Until then it is
    /// paused.
    Paused,
}

/// First and end offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Offset of the first record there may be.
    pub low: Offset,
    /// One past the last.
    pub high: Offset,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: Offset,
    /// What was committed beside it.
    pub metadata: String,
}

/// A member of a group, as the group knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The name that the group gave it.
    pub id: String,
    /// What its client calls itself ([`ConsumerOptions::client_id`]).
    pub client_id: String,
    /// Its name as a static member, if it is one ([`GroupOptions::instance_id`]).
    pub instance_id: Option<String>,
    /// What it has. While the group shares anew it may be told of no tasks.
    pub partitions: Vec<TopicPartition>,
}

/// An offset to commit inside a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommit {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The next offset to read.
    pub offset: Offset,
    /// Kept beside it, given back by [`Log::committed`].
    pub metadata: String,
}
