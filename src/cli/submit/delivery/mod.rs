//! Chunks into the topic, each in one transaction, whatever happens to the producer.
//!
//! ```text
//!           chunk                  committed
//!   Ready ────────> transaction ───────────────────────────────> Ready
//!     ▲                  │ any error that a new try may mend       ▲
//!     │                  v                                         │
//!     │            new producer, same transactional id: it ends what the old one left open, either way
//!     │                  │                                         │
//!     │                  v              the last line's mark is there│
//!     └──the chunk    read the topic up to its end ────────────────┘
//!        again        and look for the mark
//! ```
//! Each record carries a mark (`mark`). A transaction is there whole or not at all, so its last record tells of all.
//! What is read begins where the topic ended when the submission began; under a name that was given, at the topic's
//! beginning, and the input must begin with the lines that arrived (`earlier`). So a name is known for as long as the
//! topic keeps the records under it.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::time::Duration;

use topology::Class;
use topology::clock::Clock;
use topology::log::{
    self, Header, Isolation, Log, Offset, Producer, ProducerOptions, ProducerRecord, Start, TopicPartition, Watermarks,
};

use super::super::error::{Error, Result};
use super::earlier::Earlier;
use super::lines::{Chunk, Line};
use super::mark::{HEADER, Mark};
use crate::reader::Reader;

const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Tries for one chunk before giving up.
const TRY_COUNT_MAX: u32 = 20;

/// What was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) submission: String,
    pub(super) record_count: u64,
    pub(super) size_bytes: u64,
    /// Of these, records that are no transactions.
    pub(super) unreadable_count: u64,
    /// Lines that had arrived before this run.
    pub(super) skipped_line_count: u64,
    /// Kafka transactions that had to be done again.
    pub(super) repeat_count: u64,
    /// The first active height after which one of the lines that were signed cannot be applied any more.
    pub(super) valid_until: Option<u64>,
}

/// A submission under way.
pub(super) struct Delivery<'d, L: Log> {
    log: L,
    clock: &'d dyn Clock,
    topic: String,
    name: String,
    /// `None` after an error, until there is a new one.
    producer: Option<L::Producer>,
    /// Where each partition ended when this submission began.
    since: Vec<(TopicPartition, Offset)>,
    /// What arrived before it; `None` under a name that is used once.
    earlier: Option<Earlier>,
    /// The last line known to be there.
    delivered_line: u64,
    /// The last line of the input so far.
    read_line: u64,
    report: Delivered,
}

impl<'d, L: Log> Delivery<'d, L> {
    /// A submission under a name that was never used.
    pub(super) fn new(log: L, topic: &str, name: &str, clock: &'d dyn Clock) -> Result<Self> {
        let since = extents(&log, topic)?.into_iter().map(|(partition, marks)| (partition, marks.high)).collect();
        let producer = Some(producer(&log, name)?);
        let report = Delivered { submission: name.to_owned(), ..Delivered::default() };
        let (topic, name) = (topic.to_owned(), name.to_owned());
        Ok(Self { log, clock, topic, name, producer, since, earlier: None, delivered_line: 0, read_line: 0, report })
    }

    /// A submission that continues behind the last line that arrived under its name.
    pub(super) fn resume(log: L, topic: &str, name: &str, clock: &'d dyn Clock) -> Result<Self> {
        // The producer first: it fences another run of the same name and ends what that left open.
        let mut delivery = Self::new(log, topic, name, clock)?;
        let found = extents(&delivery.log, topic)?;
        let is_cut = found.iter().any(|(_, marks)| marks.low > 0);
        let partitions: Vec<_> = found.into_iter().map(|(partition, _)| partition).collect();
        let earlier = Earlier::read(&delivery.reader(), &partitions, name, is_cut)?;
        delivery.delivered_line = earlier.last_line();
        delivery.report.skipped_line_count = earlier.line_count();
        delivery.earlier = Some(earlier);
        Ok(delivery)
    }

    /// The last line of the input that had arrived before; 0 if none had.
    pub(super) fn arrived_line(&self) -> u64 {
        self.earlier.as_ref().map_or(0, Earlier::last_line)
    }

    /// What was delivered so far.
    pub(super) fn report(&self) -> Delivered {
        self.report.clone()
    }

    fn reader(&self) -> Reader<'_, L> {
        Reader::new(&self.log, self.clock, "cairn-submit")
    }

    /// Delivers a chunk: returns when its records are committed, once each. Refuses lines that are not what arrived
    /// before in their place.
    pub(super) fn send(&mut self, chunk: &Chunk) -> Result<()> {
        let Some(last) = chunk.iter().next_back().map(|line| line.mark()) else { return Ok(()) };
        self.read_line = last.line;
        let behind = self.delivered_line;
        if let Some(earlier) = &mut self.earlier {
            let arrived_line = earlier.last_line();
            for line in chunk.iter().take_while(|line| line.number <= arrived_line) {
                earlier.compare(line.number, line.fingerprint)?;
            }
            if last.line > arrived_line {
                earlier.end(arrived_line)?;
            }
        }
        let mut try_count = 0;
        while self.delivered_line < last.line {
            if let Err(Failure { line, error }) = self.attempt(chunk, last) {
                try_count += 1;
                match (error.class(), line) {
                    (Class::Stop, _) => return Err(error.into()),
                    (Class::Input, Some(line)) => return Err(refused(line, &error)),
                    _ if try_count >= TRY_COUNT_MAX => return Err(gave_up(&self.name, self.delivered_line, error)),
                    _ => tracing::warn!(%error, "trying again"),
                }
                self.report.repeat_count = self.report.repeat_count.saturating_add(1);
                self.producer = None;
                std::thread::sleep(PAUSE);
            }
        }
        for line in chunk.iter().filter(|line| line.number > behind) {
            self.report.record_count += 1;
            self.report.size_bytes += line.value.len() as u64;
            self.report.unreadable_count += u64::from(line.sender.is_none());
            let earliest = [self.report.valid_until, line.valid_until].into_iter().flatten().min();
            self.report.valid_until = earliest;
        }
        Ok(())
    }

    /// At the end of the input: refuses one that is shorter than what arrived.
    pub(super) fn end(&self) -> Result<()> {
        self.earlier.as_ref().map_or(Ok(()), |earlier| earlier.end(self.read_line))
    }

    fn attempt(&mut self, chunk: &Chunk, last: Mark) -> Result<(), Failure> {
        if self.producer.is_none() {
            // The new producer ends what the old one left open; only then is it known what became of it.
            self.producer = Some(producer(&self.log, &self.name)?);
            if self.is_there(last)? {
                self.delivered_line = last.line;
            }
        }
        let Some(producer) = self.producer.as_mut() else { return Ok(()) };
        if self.delivered_line < last.line {
            let fresh = chunk.iter().filter(|line| line.number > self.delivered_line);
            transact(producer, &self.topic, &self.name, self.clock.now_ms(), fresh)?;
            self.delivered_line = last.line;
        }
        Ok(())
    }

    /// Whether a record with this mark was committed since the submission began.
    fn is_there(&self, mark: Mark) -> topology::Result<bool> {
        let mut is_there = false;
        let from: Vec<_> = self.since.iter().map(|(at, offset)| (at.clone(), Start::At(*offset))).collect();
        self.reader().read(&from, |_, records| {
            is_there = records.iter().any(|record| Mark::of(record, &self.name) == Some(Ok(mark)));
            Ok(if is_there { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(is_there)
    }
}

/// What went wrong, and at which line if it is one line's fault.
struct Failure {
    line: Option<u64>,
    error: topology::Error,
}

impl From<topology::Error> for Failure {
    fn from(error: topology::Error) -> Self {
        Self { line: None, error }
    }
}

impl From<log::Error> for Failure {
    fn from(error: log::Error) -> Self {
        Self { line: None, error: error.into() }
    }
}

fn transact<'c, P: Producer>(
    producer: &mut P,
    topic: &str,
    name: &str,
    timestamp_ms: i64,
    lines: impl Iterator<Item = Line<'c>>,
) -> Result<(), Failure> {
    producer.begin()?;
    for line in lines {
        let mark = line.mark().encode(name);
        let headers = &[Header { name: HEADER.as_bytes(), value: Some(mark.as_bytes()) }];
        let (key, value) = (line.sender, Some(line.value));
        let record = ProducerRecord { topic, partition: None, timestamp_ms, key, value, headers };
        producer.send(&record).map_err(|error| Failure { line: Some(line.number), error: error.into() })?;
    }
    Ok(producer.commit(TIMEOUT)?)
}

fn producer<L: Log>(log: &L, name: &str) -> log::Result<L::Producer> {
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: format!("cairn-submit-{name}"),
        transaction_timeout_ms: 30_000,
        client_id: "cairn-submit".to_owned(),
        track_topics: Vec::new(),
    })?;
    producer.init_transactions(TIMEOUT)?;
    Ok(producer)
}

/// What there is of each partition.
fn extents<L: Log>(log: &L, topic: &str) -> Result<Vec<(TopicPartition, Watermarks)>> {
    let found = log.describe_topic(topic)?;
    let count = found.ok_or_else(|| Error::failed(format!("topic '{topic}' is not there")))?.partition_count;
    let extent = |number| {
        let partition = TopicPartition::new(topic, number);
        let watermarks = log.watermarks(&partition, Isolation::ReadUncommitted)?;
        Ok((partition, watermarks))
    };
    (0..count).map(extent).collect()
}

fn refused(line: u64, error: &topology::Error) -> Error {
    Error::usage(format!("line {line}: {error}; what stands before it was sent"))
}

fn gave_up(name: &str, line: u64, error: topology::Error) -> Error {
    let what = format!("gave up behind line {line}: {error}; start again with --submission {name} to continue there");
    Error::failed(what).caused_by(error)
}
