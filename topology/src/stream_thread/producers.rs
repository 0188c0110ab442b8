//! The thread's producers: one of its own, and one for each sub-topology that is a single writer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::graph::{SubTopologySpec, Topology};
use crate::log::{
    self, Awaited, Consumer, IdempotentOptions, Log, Offset, OffsetCommit, Producer, ProducerOptions, TopicPartition,
};
#[cfg(test)]
use crate::mutant::{self, Mutant};
use crate::processor::{Outputs, Vouch};

use super::config::{Config, Guarantee};
use super::recovery::void;
use super::tasks::Running;

/// How long an abort may take, with which a leaving thread spares others a wait.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Which producer a task uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    /// The thread's own.
    Thread,
    /// The one that belongs to a sub-topology, wherever that runs: by its index.
    Single(usize),
}

impl Writer {
    pub(super) fn of(index: usize, spec: &SubTopologySpec) -> Self {
        spec.single_writer.as_ref().map_or(Self::Thread, |_| Self::Single(index))
    }

    /// Whether what it writes may come twice, and beside what another member writes. What single writers do is exactly
    /// once, whatever is asked of the others.
    pub(super) fn may_repeat(self, config: &Config) -> bool {
        self == Self::Thread && config.guarantee == Guarantee::AtLeastOnce
    }
}

/// All of them.
pub(super) struct Producers<L: Log>(BTreeMap<Writer, TransactionalProducer<L>>);

impl<L: Log> Producers<L> {
    /// None is made yet. The thread's own has this transactional id, single writers have theirs.
    /// What single writers do is exactly once, whatever is asked of the others.
    pub(super) fn new(transactional_id: String, guarantee: Guarantee, topology: &Topology, now_ms: i64) -> Self {
        let own = TransactionalProducer::new(transactional_id, guarantee, now_ms);
        let mut producers = BTreeMap::from([(Writer::Thread, own)]);
        for (index, sub_topology) in topology.sub_topologies.iter().enumerate() {
            if let Some(id) = &sub_topology.single_writer {
                let single = TransactionalProducer::new(id.clone(), Guarantee::ExactlyOnce, now_ms);
                producers.insert(Writer::Single(index), single);
            }
        }
        Self(producers)
    }

    pub(super) fn writers(&self) -> Vec<Writer> {
        self.0.keys().copied().collect()
    }

    pub(super) fn get(&self, writer: Writer) -> Option<&TransactionalProducer<L>> {
        self.0.get(&writer)
    }

    pub(super) fn get_mut(&mut self, writer: Writer) -> Result<&mut TransactionalProducer<L>> {
        self.0.get_mut(&writer).ok_or_else(|| Error::stop("a task has no producer"))
    }

    /// Sends what a task wants produced.
    pub(super) fn send_outputs(&mut self, running: &mut Running) -> Result<()> {
        if running.task.outputs().is_empty() {
            return Ok(());
        }
        self.get_mut(running.writer)?.send(running.task.outputs())
    }

    /// Bytes sent in open transactions.
    pub(super) fn sent_bytes(&self) -> usize {
        self.0.values().map(TransactionalProducer::sent_bytes).sum()
    }

    pub(super) fn any_open(&self) -> bool {
        self.0.values().any(TransactionalProducer::is_open)
    }

    /// Those of which a call has failed.
    pub(super) fn failed(&self) -> Vec<Writer> {
        self.0.iter().filter(|(_, producer)| producer.has_failed()).map(|(writer, _)| *writer).collect()
    }

    /// See [`TransactionalProducer::roll_back`].
    pub(super) fn roll_back(&mut self, which: impl Fn(Writer) -> bool) {
        self.0.iter_mut().filter(|(writer, _)| which(**writer)).for_each(|(_, producer)| producer.roll_back());
    }

    /// Gives up those that have a transaction open: see [`TransactionalProducer::give_up`].
    pub(super) fn give_up_open(&mut self, which: impl Fn(Writer) -> bool) {
        let open = self.0.iter_mut().filter(|(writer, producer)| which(**writer) && producer.is_open());
        open.for_each(|(_, producer)| producer.give_up());
    }

    /// Forgets a single writer's producer: the one that had the task before must be fenced by one that is made now.
    pub(super) fn discard_single(&mut self, sub_topology: usize) {
        if let Some(producer) = self.0.get_mut(&Writer::Single(sub_topology)) {
            producer.discard();
        }
    }

    /// Takes in what they have to tell, those that have nothing to do too.
    pub(super) fn serve(&mut self) {
        self.0.values_mut().filter_map(|producer| producer.producer.as_mut()).for_each(L::Producer::serve);
    }

    pub(super) fn discard_all(&mut self) {
        self.0.values_mut().for_each(TransactionalProducer::discard);
    }
}

/// A transactional id with its producer. With [`Guarantee::AtLeastOnce`] there are no transactions, and "open" is a
/// stretch of records whose input is not committed yet: what was sent of it stays, whatever becomes of it.
///
/// ```text
///   absent ── prepare ──> idle ── first send ──> open ── commit ──> idle
///      ^                      ^                   │         ├── outcome unknown ──> undecided
///      │                      └──── roll back ────│─────────┴── the group refuses ──> refused
///      └─────────── discard: any error ───────────┘
/// ```
/// After an error there is only one way on: a new producer with the same id, whose `init_transactions` aborts what was
/// open, or finds it committed. It is never guessed which. A thread that leaves makes no new one: it gives up.
pub(super) struct TransactionalProducer<L: Log> {
    transactional_id: String,
    guarantee: Guarantee,
    producer: Option<L::Producer>,
    transaction: Transaction,
    /// A call has failed since the producer was made or its transaction rolled back.
    has_failed: bool,
    sent_bytes: usize,
    /// When it last committed, monotonic ms; when it was made, before that.
    pub(super) committed_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// The group refused its offsets: it was not committed.
    Refused,
    /// A commit was tried, and it is unknown whether it happened.
    Undecided,
}

impl<L: Log> TransactionalProducer<L> {
    pub(super) fn new(transactional_id: String, guarantee: Guarantee, now_ms: i64) -> Self {
        Self {
            transactional_id,
            guarantee,
            producer: None,
            transaction: Transaction::None,
            has_failed: false,
            sent_bytes: 0,
            committed_ms: now_ms,
        }
    }

    /// Makes sure that there is an initialised producer: the producer that had the id before is fenced.
    pub(super) fn prepare(&mut self, log: &L, options: &ProducerOptions, timeout: Duration) -> Result<()> {
        if self.producer.is_some() {
            return Ok(());
        }
        if self.guarantee == Guarantee::AtLeastOnce {
            self.producer = Some(log.idempotent_producer(&IdempotentOptions {
                client_id: options.client_id.clone(),
                delivery_timeout_ms: options.transaction_timeout_ms,
                track_topics: options.track_topics.clone(),
            })?);
            return Ok(());
        }
        let transactional_id = self.transactional_id.clone();
        let mut producer = log.producer(&ProducerOptions { transactional_id, ..options.clone() })?;
        if let Err(error) = producer.init_transactions(timeout) {
            let (error, id) = (error.may_pass(), &self.transactional_id);
            let why = log.obstacle(Awaited::Producer(id)).map_or_else(String::new, |why| format!(": {why}"));
            let message = format!("no producer id for transactional id {id}: {error}{why}");
            return Err(Error::new(error.class(), message).caused_by(error));
        }
        self.producer = Some(producer);
        Ok(())
    }

    /// Whether there is an initialised producer.
    pub(super) fn is_prepared(&self) -> bool {
        self.producer.is_some()
    }

    /// Forgets the producer.
    pub(super) fn discard(&mut self) {
        self.producer = None;
        self.transaction = Transaction::None;
        self.has_failed = false;
        self.sent_bytes = 0;
    }

    /// Whether a call has failed whose transaction was not rolled back yet.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// An open transaction is void. A producer that was merely refused goes on, which is sooner than a new one; of any
    /// other nobody knows what it did.
    pub(super) fn roll_back(&mut self) {
        #[cfg(test)]
        if mutant::lives(Mutant::ReusedProducer) {
            self.settled();
            self.has_failed = false;
            return;
        }
        if let (Transaction::Refused, Some(producer)) = (self.transaction, &mut self.producer)
            && producer.abort(ABORT_TIMEOUT).is_ok()
        {
            self.settled();
            self.has_failed = false;
            return;
        }
        self.discard();
    }

    /// Forgets the producer for good. An open transaction is aborted, or all that read committed data would wait for it
    /// to time out; not where a commit may have happened.
    pub(super) fn give_up(&mut self) {
        if let (Transaction::Open | Transaction::Refused, Some(producer)) = (self.transaction, &mut self.producer)
            && self.guarantee == Guarantee::ExactlyOnce
            && let Err(error) = producer.abort(ABORT_TIMEOUT)
        {
            tracing::debug!(%error, "could not abort what is given up; it times out");
        }
        self.discard();
    }

    /// Bytes sent in the open transaction.
    pub(super) fn sent_bytes(&self) -> usize {
        self.sent_bytes
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// Sends outputs, in a transaction that it opens if there is none. After an error some of them may be missing in
    /// the transaction, so it must not be committed, whatever the error's class was.
    pub(super) fn send(&mut self, outputs: &mut Outputs) -> Result<()> {
        if outputs.is_empty() {
            return Ok(());
        }
        let sent = self.try_send(outputs);
        self.has_failed |= sent.is_err();
        sent
    }

    fn try_send(&mut self, outputs: &mut Outputs) -> Result<()> {
        self.begin()?;
        self.sent_bytes += outputs.size_bytes();
        let Self { producer: Some(producer), .. } = self else { return Err(no_producer()) };
        outputs.drain(|records| {
            producer.send_batch(records).map_err(|error| match error.class() {
                // The same record would be refused again after a rewind.
                Class::Input => Error::stop(format!("{error}; raise the topic's max.message.bytes")).caused_by(error),
                _ => after_send(error),
            })
        })
    }

    fn begin(&mut self) -> Result<()> {
        if !self.is_open() {
            self.producer.as_mut().ok_or_else(no_producer)?.begin().map_err(after_send)?;
            self.transaction = Transaction::Open;
        }
        Ok(())
    }

    /// Flushes, adds the offsets, commits what is vouched for. Any error: the outcome is unknown, or as good as.
    pub(super) fn commit(
        &mut self,
        offsets: &[OffsetCommit],
        consumer: &mut L::Consumer,
        timeout: Duration,
        vouch: &dyn Vouch,
    ) -> Result<()> {
        let committed = self.try_commit(offsets, consumer, timeout, vouch);
        self.has_failed |= committed.is_err();
        committed
    }

    fn try_commit(
        &mut self,
        offsets: &[OffsetCommit],
        consumer: &mut L::Consumer,
        timeout: Duration,
        vouch: &dyn Vouch,
    ) -> Result<()> {
        self.begin()?;
        let producer = self.producer.as_mut().ok_or_else(no_producer)?;
        producer.flush(timeout).map_err(after_send)?;
        if self.guarantee == Guarantee::AtLeastOnce {
            vouch.vouch()?;
            // All of it has arrived: an end before the next line has it sent again.
            consumer.commit(offsets).map_err(after_send)?;
            self.settled();
            return Ok(());
        }
        // Fresh, for a rebalance since the last commit changes it.
        let group = consumer.group().ok_or_else(|| Error::new(Class::Rejoin, "this member is in no group"))?;
        #[cfg(test)]
        let offsets = match mutant::lives(Mutant::OffsetsOutside) {
            true => consumer.commit(offsets).map(|()| &[][..]).map_err(after_send)?,
            false => offsets,
        };
        if let Err(error) = producer.send_offsets(offsets, &group) {
            if error.kind() == log::Kind::NotMember {
                self.transaction = Transaction::Refused;
            }
            return Err(after_send(error));
        }
        vouch.vouch()?;
        if let Err(error) = producer.commit(timeout) {
            if !matches!(error.kind(), log::Kind::Abort | log::Kind::Retry) {
                self.transaction = Transaction::Undecided;
            }
            return Err(after_send(error));
        }
        self.settled();
        Ok(())
    }

    fn settled(&mut self) {
        self.transaction = Transaction::None;
        self.sent_bytes = 0;
    }

    /// Highest offset of the committed transaction in a changelog.
    pub(super) fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.producer.as_ref().and_then(|producer| producer.delivered(partition))
    }
}

/// Inside a transaction "try again" means "from the committed offsets".
fn after_send(error: log::Error) -> Error {
    void(error.may_pass())
}

fn no_producer() -> Error {
    Error::new(Class::Rewind, "the producer is not initialised")
}
