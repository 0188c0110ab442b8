//! The thread's producers: one of its own, and one for each sub-topology that is a single writer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::log::{self, Log, Offset, OffsetCommit, Producer, ProducerOptions, TopicPartition};
use crate::processor::Outputs;

/// A transactional id with its producer.
///
/// ```text
///   absent ── prepare (init_transactions) ──> idle ── first send, or offsets ──> open
///      ^                                       ^                                  │
///      │                                       └──────────── commit ──────────────┤
///      └──────────────── discard: an error of any kind ───────────────────────────┘
/// ```
/// After an error there is only one way on: a new producer with the same id, whose `init_transactions` aborts what was
/// open, or finds it committed. Nobody guesses which.
pub(super) struct Slot<L: Log> {
    transactional_id: String,
    producer: Option<L::Producer>,
    open: bool,
    sent_bytes: usize,
}

impl<L: Log> Slot<L> {
    pub(super) fn new(transactional_id: String) -> Self {
        Self { transactional_id, producer: None, open: false, sent_bytes: 0 }
    }

    /// Makes sure that there is an initialised producer: whoever had the id before is fenced.
    pub(super) fn prepare(&mut self, log: &L, options: &ProducerOptions, timeout: Duration) -> Result<()> {
        if self.producer.is_some() {
            return Ok(());
        }
        let transactional_id = self.transactional_id.clone();
        let mut producer = log.producer(&ProducerOptions { transactional_id, ..options.clone() })?;
        producer.init_transactions(timeout)?;
        self.producer = Some(producer);
        Ok(())
    }

    /// Forgets the producer.
    pub(super) fn discard(&mut self) {
        self.producer = None;
        self.open = false;
        self.sent_bytes = 0;
    }

    /// Bytes sent in the open transaction.
    pub(super) fn sent_bytes(&self) -> usize {
        self.sent_bytes
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Sends outputs, in a transaction that it opens if there is none.
    pub(super) fn send(&mut self, outputs: &mut Outputs) -> Result<()> {
        if outputs.is_empty() {
            return Ok(());
        }
        self.begin()?;
        self.sent_bytes += outputs.size_bytes();
        let Self { producer: Some(producer), .. } = self else { return Err(no_producer()) };
        outputs.drain(|record| {
            producer.send(record).map_err(|error| match error.class() {
                // The same record would be refused again after a rewind.
                Class::Input => Error::stop(format!("{error}; raise the topic's max.message.bytes")).caused_by(error),
                _ => error.into(),
            })
        })
    }

    fn begin(&mut self) -> Result<()> {
        if !self.open {
            self.producer.as_mut().ok_or_else(no_producer)?.begin()?;
            self.open = true;
        }
        Ok(())
    }

    /// Flushes, adds the offsets, commits. Any error: the outcome is unknown, or as good as.
    pub(super) fn commit(&mut self, offsets: &[OffsetCommit], group: &L::Group, timeout: Duration) -> Result<()> {
        self.begin()?;
        let producer = self.producer.as_mut().ok_or_else(no_producer)?;
        let steps = |producer: &mut L::Producer| -> log::Result<()> {
            producer.flush(timeout)?;
            producer.send_offsets(offsets, group)?;
            producer.commit(timeout)
        };
        steps(producer).map_err(after_send)?;
        self.open = false;
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
    match error.class() {
        Class::Retry => Error::new(Class::Rewind, error.to_string()).caused_by(error),
        _ => error.into(),
    }
}

fn no_producer() -> Error {
    Error::new(Class::Rewind, "the producer is not initialised")
}

/// The thread's own slot has this name; single writers have their sub-topology's.
pub(super) type Slots<L> = BTreeMap<Option<usize>, Slot<L>>;
