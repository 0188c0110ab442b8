//! Chunks into the topic, each in one transaction, whatever happens to the producer.
//!
//! The first record of each transaction carries a header with the submission's name and the last line of the transaction:
//!
//! ```text
//! cairn-submission: <name>:<number of the last line, decimal>
//! ```
//!
//! ```text
//!           chunk                  committed
//!   Ready ────────> transaction ───────────────────────────────> Ready
//!     ▲                  │ any error that a new try may mend       ▲
//!     │                  v                                         │
//!     │            new producer, same transactional id: it ends what the old one left open, either way
//!     │                  │                                         │
//!     │                  v              the chunk's header is there│
//!     └──the chunk    read the topic up to its end ────────────────┘
//!        again        and look for the header
//! ```
//! A transaction is there whole or not at all, so its first record tells of all. What is read begins where the topic ended
//! when the submission began; with a name that was used before, at the topic's beginning. So a name is known for as long as
//! the topic keeps the records under it.

use std::ops::ControlFlow;
use std::time::Duration;

use topology::Class;
use topology::clock::Clock;
use topology::log::{
    self, Header, Isolation, Log, Offset, Producer, ProducerOptions, ProducerRecord, Record, Start, TopicPartition,
};

use super::super::error::{Error, Result};
use super::lines::Chunk;
use crate::reader::Reader;

const HEADER: &str = "cairn-submission";
const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Tries for one chunk before giving up.
const TRY_COUNT_MAX: u32 = 20;

/// What was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) submission: String,
    pub(super) record_count: u64,
    pub(super) size_bytes: u64,
    /// Of these, records that are no transactions.
    pub(super) unreadable_count: u64,
    /// Lines that had arrived before this run.
    pub(super) skipped_line_count: u64,
    /// Kafka transactions that had to be done again.
    pub(super) repeat_count: u64,
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
    /// The last line known to be there.
    delivered_line: u64,
    report: Report,
}

impl<'d, L: Log> Delivery<'d, L> {
    /// A submission under a name that nobody used.
    pub(super) fn new(log: L, topic: &str, name: &str, clock: &'d dyn Clock) -> Result<Self> {
        let since = ends(&log, topic)?;
        let producer = Some(producer(&log, name)?);
        let report = Report { submission: name.to_owned(), ..Report::default() };
        let (topic, name) = (topic.to_owned(), name.to_owned());
        Ok(Self { log, clock, topic, name, producer, since, delivered_line: 0, report })
    }

    /// A submission that continues behind the last line that arrived under its name.
    pub(super) fn resume(log: L, topic: &str, name: &str, clock: &'d dyn Clock) -> Result<Self> {
        // The producer first: it fences another run of the same name and ends what that left open.
        let mut delivery = Self::new(log, topic, name, clock)?;
        for (_, offset) in &mut delivery.since {
            *offset = 0;
        }
        delivery.delivered_line = delivery.read_delivered_line()?;
        delivery.since = ends(&delivery.log, topic)?;
        delivery.report.skipped_line_count = delivery.delivered_line;
        Ok(delivery)
    }

    /// Lines of the input that had arrived before.
    pub(super) fn skipped_line_count(&self) -> u64 {
        self.report.skipped_line_count
    }

    /// What was delivered so far.
    pub(super) fn report(&self) -> Report {
        self.report.clone()
    }

    /// Delivers a chunk: returns when its records are committed, once each.
    pub(super) fn send(&mut self, chunk: &Chunk) -> Result<()> {
        let Some((last_line, ..)) = chunk.iter().next_back() else { return Ok(()) };
        let behind = self.delivered_line;
        let mut try_count = 0;
        while self.delivered_line < last_line {
            if let Err(Failure { line, error }) = self.attempt(chunk, last_line) {
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
        for (_, sender, value) in chunk.iter().filter(|(number, ..)| *number > behind) {
            self.report.record_count += 1;
            self.report.size_bytes += value.len() as u64;
            self.report.unreadable_count += u64::from(sender.is_none());
        }
        Ok(())
    }

    fn attempt(&mut self, chunk: &Chunk, last_line: u64) -> Result<(), Failure> {
        if self.producer.is_none() {
            // The new producer ends what the old one left open; only then is it known what became of it.
            self.producer = Some(producer(&self.log, &self.name)?);
            self.delivered_line = self.delivered_line.max(self.read_delivered_line()?);
        }
        let Some(producer) = self.producer.as_mut() else { return Ok(()) };
        if self.delivered_line < last_line {
            let header = format!("{}:{last_line}", self.name);
            let fresh = chunk.iter().filter(|(number, ..)| *number > self.delivered_line);
            transact(producer, &self.topic, header.as_bytes(), self.clock.now_ms(), fresh)?;
            self.delivered_line = last_line;
        }
        Ok(())
    }

    /// The last line under this submission's name that is committed; 0 if there is none.
    fn read_delivered_line(&self) -> topology::Result<u64> {
        let mut last = 0;
        let from: Vec<_> = self.since.iter().map(|(at, offset)| (at.clone(), Start::At(*offset))).collect();
        Reader::new(&self.log, self.clock, "cairn-submit").read(&from, |_, records| {
            last = records.iter().filter_map(|record| line_in_header(record, &self.name)).fold(last, u64::max);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(last)
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
    header: &[u8],
    timestamp_ms: i64,
    lines: impl Iterator<Item = (u64, Option<&'c [u8]>, &'c [u8])>,
) -> Result<(), Failure> {
    producer.begin()?;
    let with_header = [Header { name: HEADER.as_bytes(), value: Some(header) }];
    let mut headers: &[Header<'_>] = &with_header;
    for (number, key, value) in lines {
        let record = ProducerRecord { topic, partition: None, timestamp_ms, key, value: Some(value), headers };
        producer.send(&record).map_err(|error| Failure { line: Some(number), error: error.into() })?;
        headers = &[];
    }
    Ok(producer.commit(TIMEOUT)?)
}

fn line_in_header(record: &Record<'_>, name: &str) -> Option<u64> {
    let header = record.headers.to_vec().into_iter().find(|header| header.name == HEADER.as_bytes())?;
    let text = std::str::from_utf8(header.value?).ok()?;
    text.strip_prefix(name)?.strip_prefix(':')?.parse().ok()
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

fn ends<L: Log>(log: &L, topic: &str) -> Result<Vec<(TopicPartition, Offset)>> {
    let found = log.describe_topic(topic)?;
    let count = found.ok_or_else(|| Error::failed(format!("topic '{topic}' is not there")))?.partition_count;
    let end = |number| {
        let partition = TopicPartition::new(topic, number);
        let high = log.watermarks(&partition, Isolation::ReadUncommitted)?.high;
        Ok((partition, high))
    };
    (0..count).map(end).collect()
}

fn refused(line: u64, error: &topology::Error) -> Error {
    Error::usage(format!("line {line}: {error}; what stands before it was sent"))
}

fn gave_up(name: &str, line: u64, error: topology::Error) -> Error {
    let what = format!("gave up behind line {line}: {error}; start again with --submission {name} to continue there");
    Error::failed(what).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use topology::clock::ManualClock;
    use topology::log::TopicSpec;
    use topology::log::memory::MemoryLog;

    use super::super::lines::Lines;
    use super::*;

    fn log() -> MemoryLog {
        let log = MemoryLog::new(Arc::new(|| 0));
        let name = "t".to_owned();
        log.create_topics(&[TopicSpec { name, partition_count: 2, replication_factor: None, config: Vec::new() }])
            .unwrap();
        log
    }

    fn text(lines: std::ops::RangeInclusive<u64>) -> String {
        lines.map(|n| format!("{{\"from\":\"account-{}\",\"to\":\"b\",\"amount\":{n}}}\n", n % 7)).collect()
    }

    fn send(delivery: &mut Delivery<'_, MemoryLog>, text: &str) {
        let mut lines = Lines::new(text.as_bytes(), None);
        while let Some(chunk) = lines.next().unwrap() {
            delivery.send(&chunk).unwrap();
        }
    }

    /// The values in the topic, sorted.
    fn values(log: &MemoryLog, clock: &ManualClock) -> Vec<String> {
        let from = [0, 1].map(|number| (TopicPartition::new("t", number), Start::Beginning));
        let mut found = Vec::new();
        let read = Reader::new(log, clock, "test").read(&from, |_, records| {
            found.extend(records.iter().map(|record| String::from_utf8_lossy(record.value.unwrap()).into_owned()));
            Ok(ControlFlow::Continue(()))
        });
        read.unwrap();
        found.sort_by_key(|value| (value.len(), value.clone()));
        found
    }

    fn expected(lines: std::ops::RangeInclusive<u64>) -> Vec<String> {
        let mut lines: Vec<String> = text(lines).lines().map(str::to_owned).collect();
        lines.sort_by_key(|value| (value.len(), value.clone()));
        lines
    }

    #[test]
    fn every_line_arrives_once_with_its_sender_as_key() {
        let (log, clock) = (log(), ManualClock::new(7));
        let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
        send(&mut delivery, &text(1..=100));
        let report = delivery.report();
        assert_eq!((report.record_count, report.unreadable_count, report.repeat_count), (100, 0, 0));
        assert_eq!(values(&log, &clock), expected(1..=100));
    }

    #[test]
    fn a_submission_started_again_under_its_name_continues_behind_what_arrived() {
        let (log, clock) = (log(), ManualClock::new(7));
        let mut first = Delivery::resume(log.clone(), "t", "name", &clock).unwrap();
        send(&mut first, &text(1..=40));
        drop(first);
        let mut other = Delivery::resume(log.clone(), "t", "name-2", &clock).unwrap();
        assert_eq!(other.skipped_line_count(), 0, "names that begin alike are different ones");
        send(&mut other, "");
        let mut second = Delivery::resume(log.clone(), "t", "name", &clock).unwrap();
        assert_eq!(second.skipped_line_count(), 40);
        send(&mut second, &text(1..=100));
        assert_eq!(second.report().record_count, 60);
        assert_eq!(values(&log, &clock), expected(1..=100));
    }

    #[test]
    fn after_an_unknown_outcome_a_chunk_that_arrived_is_not_sent_again() {
        let (log, clock) = (log(), ManualClock::new(7));
        let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
        send(&mut delivery, &text(1..=10));
        // As if the commit's answer had been lost.
        delivery.producer = None;
        delivery.delivered_line = 0;
        send(&mut delivery, &text(1..=10));
        assert_eq!(values(&log, &clock), expected(1..=10));
    }

    #[test]
    fn a_producer_that_was_fenced_is_replaced_and_nothing_is_sent_twice() {
        let (log, clock) = (log(), ManualClock::new(7));
        let mut delivery = Delivery::new(log.clone(), "t", "one", &clock).unwrap();
        send(&mut delivery, &text(1..=10));
        drop(producer(&log, "one").unwrap());
        let all = text(1..=20);
        let mut lines = Lines::new(all.as_bytes(), None);
        delivery.send(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(delivery.report().repeat_count, 1);
        assert_eq!(values(&log, &clock), expected(1..=20));
    }
}
