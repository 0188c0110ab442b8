//! The thread's producers: one of its own, and one for each sub-topology that is a single writer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::log::{self, Awaited, Log, Offset, OffsetCommit, Producer, ProducerOptions, TopicPartition};
use crate::processor::{Outputs, Vouch};

use super::recovery::void;

/// How long an abort may take, with which a leaving thread spares others a wait.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// A transactional id with its producer.
///
/// ```text
///   absent ── prepare ──> idle ── first send ──> open ── commit ──> idle
///      ^                      ^                   │         ├── outcome unknown ──> undecided
///      │                      └──── roll back ────│─────────┴── the group refuses ──> refused
///      └─────────── discard: any error ───────────┘
/// ```
/// After an error there is only one way on: a new producer with the same id, whose `init_transactions` aborts what was
/// open, or finds it committed. Nobody guesses which. A thread that leaves makes no new one: it gives up.
pub(super) struct Slot<L: Log> {
    transactional_id: String,
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
    /// A commit was tried, and nobody knows whether it happened.
    Undecided,
}

impl<L: Log> Slot<L> {
    pub(super) fn new(transactional_id: String, now_ms: i64) -> Self {
        Self {
            transactional_id,
            producer: None,
            transaction: Transaction::None,
            has_failed: false,
            sent_bytes: 0,
            committed_ms: now_ms,
        }
    }

    /// Makes sure that there is an initialised producer: whoever had the id before is fenced.
    pub(super) fn prepare(&mut self, log: &L, options: &ProducerOptions, timeout: Duration) -> Result<()> {
        if self.producer.is_some() {
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

    /// What is open is void. A producer that was merely refused goes on, which is sooner than a new one; of any other nobody
    /// knows what it did.
    pub(super) fn roll_back(&mut self) {
        if let (Transaction::Refused, Some(producer)) = (self.transaction, &mut self.producer)
            && producer.abort(ABORT_TIMEOUT).is_ok()
        {
            self.transaction = Transaction::None;
            self.has_failed = false;
            self.sent_bytes = 0;
            return;
        }
        self.discard();
    }

    /// Forgets the producer for good. What is open is aborted, or all that read committed data would wait for it to time
    /// out; not where a commit may have happened.
    pub(super) fn give_up(&mut self) {
        if let (Transaction::Open | Transaction::Refused, Some(producer)) = (self.transaction, &mut self.producer)
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

    /// Sends outputs, in a transaction that it opens if there is none. After an error some of them may be missing in the
    /// transaction, so it must not be committed, whatever the error's class was.
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
        group: &L::Group,
        timeout: Duration,
        vouch: &dyn Vouch,
    ) -> Result<()> {
        let committed = self.try_commit(offsets, group, timeout, vouch);
        self.has_failed |= committed.is_err();
        committed
    }

    fn try_commit(
        &mut self,
        offsets: &[OffsetCommit],
        group: &L::Group,
        timeout: Duration,
        vouch: &dyn Vouch,
    ) -> Result<()> {
        self.begin()?;
        let producer = self.producer.as_mut().ok_or_else(no_producer)?;
        producer.flush(timeout).map_err(after_send)?;
        if let Err(error) = producer.send_offsets(offsets, group) {
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
        self.transaction = Transaction::None;
        self.sent_bytes = 0;
        Ok(())
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

/// The thread's own slot has this name; single writers have their sub-topology's.
pub(super) type Slots<L> = BTreeMap<Option<usize>, Slot<L>>;
