//! Reading a topic from outside of any group: its first record, its last, or everything up to its end.
//!
//! The end is where the topic ended when it was asked for: what is written while somebody reads is not handed over, so that
//! reading a busy topic ends, and ends that were asked for in some order can be relied on in that order. Up to the high
//! watermark, what an open transaction holds back is waited for, so that nobody takes a topic for shorter than it is about to
//! be. Uses the engine's log and nothing else of the crate.

use std::ops::ControlFlow;
use std::time::Duration;

use topology::clock::Clock;
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, Offset, OutOfRange, Record, Start, TopicPartition, Watermarks,
};
use topology::{Class, Error, Result};

/// Without a record or an end for so long, in ms, reading gives up.
const PATIENCE_MS: i64 = 30_000;
const POLL: Duration = Duration::from_millis(100);

/// What it means that a topic of blocks has several partitions.
pub const NO_CHAIN: &str = "a chain has one: give the topic of a chain";

/// A stretch of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The first offset that is read, if there is a record.
    pub first: Offset,
    /// The first offset that is not.
    pub end: Offset,
}

impl Extent {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.first >= self.end
    }
}

/// Reads topics of one log.
pub struct Reader<'r, L: Log> {
    log: &'r L,
    clock: &'r dyn Clock,
    client_id: &'r str,
}

impl<'r, L: Log> Reader<'r, L> {
    /// A reader; `client_id` names it in the brokers' logs.
    pub fn new(log: &'r L, clock: &'r dyn Clock, client_id: &'r str) -> Self {
        Self { log, clock, client_id }
    }

    /// The first record that is still there, handed to `visit`. `None`: no topic, or no record.
    pub fn first<T>(&self, topic: &str, mut visit: impl FnMut(&Record<'_>) -> T) -> Result<Option<T>> {
        let Some(partition) = self.only_partition(topic, NO_CHAIN)? else { return Ok(None) };
        let mut found = None;
        self.read(&[(partition, Start::Beginning)], |_, records| {
            found = records.first().map(&mut visit);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// The last committed record, handed to `visit`. `None`: no topic, or no record.
    pub fn last<T>(&self, topic: &str, mut visit: impl FnMut(&Record<'_>) -> T) -> Result<Option<T>> {
        let Some(partition) = self.only_partition(topic, NO_CHAIN)? else { return Ok(None) };
        let Watermarks { low, high } = self.log.watermarks(&partition, Isolation::ReadUncommitted)?;
        let mut distance = 16;
        loop {
            // Markers of transactions have offsets too, and aborted records: look back until there is a record.
            let from = high.saturating_sub(distance).max(low);
            let mut found = None;
            self.read(&[(partition.clone(), Start::At(from))], |_, records| {
                found = records.last().map(&mut visit).or(found.take());
                Ok(ControlFlow::Continue(()))
            })?;
            if found.is_some() || from <= low {
                return Ok(found);
            }
            distance = distance.saturating_mul(16);
        }
    }

    /// What there is of a partition now, from `start` on: up to the high watermark with [`Isolation::ReadUncommitted`], up to the
    /// last stable offset with [`Isolation::ReadCommitted`].
    pub fn extent(&self, partition: &TopicPartition, start: Start, isolation: Isolation) -> Result<Extent> {
        let Watermarks { low, high } = self.log.watermarks(partition, isolation)?;
        let first = if let Start::At(offset) = start { offset.max(low) } else { low };
        Ok(Extent { partition: partition.clone(), first, end: high })
    }

    /// Hands over all committed records of these partitions, in order within each, until the ends that they have now are
    /// reached or `visit` breaks off.
    pub fn read(
        &self,
        from: &[(TopicPartition, Start)],
        visit: impl FnMut(&TopicPartition, &[Record<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let extent =
            |(partition, start): &(TopicPartition, Start)| self.extent(partition, *start, Isolation::ReadUncommitted);
        let extents: Result<Vec<Extent>> = from.iter().map(extent).collect();
        self.read_to(&extents?, visit)
    }

    /// As [`Reader::read`], with ends that were asked for before. An error of the log that no waiting mends is always
    /// returned, so that what cannot be read never passes for a place where nothing is.
    pub fn read_to(
        &self,
        extents: &[Extent],
        mut visit: impl FnMut(&TopicPartition, &[Record<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut open: Vec<&Extent> = extents.iter().filter(|extent| !extent.is_empty()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let mut consumer = self.log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: self.client_id.to_owned(),
            batch_records: 1_000,
            prefetch_bytes: 16 << 20,
            out_of_range: OutOfRange::Earliest,
        })?;
        let from: Vec<_> = open.iter().map(|extent| (extent.partition.clone(), Start::At(extent.first))).collect();
        consumer.assign(&from)?;
        let mut deadline_ms = self.clock.monotonic_ms().saturating_add(PATIENCE_MS);
        loop {
            let mut flow = Ok(ControlFlow::Continue(()));
            let mut progress = false;
            let polled = consumer.poll(POLL, &mut |event| match event {
                Event::Records { partition, records } if matches!(flow, Ok(ControlFlow::Continue(()))) => {
                    let Some(place) = open.iter().position(|extent| extent.partition == *partition) else { return };
                    progress = true;
                    let end = open[place].end;
                    let within = &records[..records.partition_point(|record| record.offset < end)];
                    if !within.is_empty() {
                        flow = visit(partition, within);
                    }
                    if records.last().is_some_and(|last| last.offset >= end - 1) {
                        open.swap_remove(place);
                    }
                }
                Event::EndOfPartition { partition, offset } => {
                    open.retain(|extent| extent.partition != *partition || offset < extent.end);
                }
                _ => {}
            });
            if flow?.is_break() {
                return Ok(());
            }
            let failed = match polled {
                Err(error) if error.class() != Class::Retry => return Err(error.into()),
                other => other.err(),
            };
            let now_ms = self.clock.monotonic_ms();
            match (open.first(), failed) {
                (None, _) => return Ok(()),
                (Some(_), None) if progress => deadline_ms = now_ms.saturating_add(PATIENCE_MS),
                (Some(_), _) if now_ms < deadline_ms => {}
                (Some(_), Some(error)) => return Err(error.into()),
                (Some(extent), None) => return Err(no_end(extent)),
            }
        }
    }

    /// The topic's one partition; `None` if there is no topic. An error where it has others, which ends with `otherwise`: what
    /// that means, and what to do.
    pub fn only_partition(&self, topic: &str, otherwise: &str) -> Result<Option<TopicPartition>> {
        match self.log.describe_topic(topic)? {
            None => Ok(None),
            Some(found) if found.partition_count == 1 => Ok(Some(TopicPartition::new(topic, 0))),
            Some(found) => {
                Err(Error::stop(format!("topic '{topic}' has {} partitions, {otherwise}", found.partition_count)))
            }
        }
    }
}

fn no_end(Extent { partition, end, .. }: &Extent) -> Error {
    Error::new(
        Class::Retry,
        format!(
            "{partition} could not be read up to offset {end}: a transaction on it may still be open; try again in a minute"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use topology::clock::ManualClock;
    use topology::log::memory::MemoryLog;
    use topology::log::{Producer, ProducerOptions, ProducerRecord, TopicSpec};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn log_with(transactions: &[(&[&str], bool)]) -> MemoryLog {
        let log = MemoryLog::new(Arc::new(|| 0));
        let name = "t".to_owned();
        log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }])
            .unwrap();
        produce(&log, transactions);
        log
    }

    fn produce(log: &MemoryLog, transactions: &[(&[&str], bool)]) {
        let mut producer = producer(log, "p");
        for (values, commit) in transactions {
            producer.begin().unwrap();
            values.iter().for_each(|value| send(&mut producer, value));
            if *commit { producer.commit(SECOND).unwrap() } else { producer.abort(SECOND).unwrap() }
        }
    }

    fn producer(log: &MemoryLog, transactional_id: &str) -> <MemoryLog as Log>::Producer {
        let (transactional_id, client_id) = (transactional_id.to_owned(), "p".to_owned());
        let options =
            ProducerOptions { transactional_id, transaction_timeout_ms: 10_000, client_id, track_topics: Vec::new() };
        let mut producer = log.producer(&options).unwrap();
        producer.init_transactions(SECOND).unwrap();
        producer
    }

    fn send(producer: &mut impl Producer, value: &str) {
        let value = Some(value.as_bytes());
        let record = ProducerRecord { topic: "t", partition: None, timestamp_ms: 0, key: None, value, headers: &[] };
        producer.send(&record).unwrap();
    }

    /// Time that passes by being looked at.
    #[derive(Default)]
    struct TickingClock(AtomicI64);

    impl Clock for TickingClock {
        fn now_ms(&self) -> i64 {
            self.monotonic_ms()
        }

        fn monotonic_ms(&self) -> i64 {
            self.0.fetch_add(1_000, Ordering::Relaxed)
        }
    }

    fn text(record: &Record<'_>) -> String {
        String::from_utf8_lossy(record.value.unwrap()).into_owned()
    }

    #[test]
    fn the_first_and_the_last_committed_record_are_found_behind_aborted_ones() {
        let aborted: Vec<&str> = vec!["x"; 300];
        let log = log_with(&[(&aborted, false), (&["a", "b"], true), (&["c"], true), (&aborted, false)]);
        let clock = ManualClock::new(0);
        let reader = Reader::new(&log, &clock, "test");
        assert_eq!(reader.first("t", text).unwrap().as_deref(), Some("a"));
        assert_eq!(reader.last("t", text).unwrap().as_deref(), Some("c"));
    }

    #[test]
    fn a_topic_that_is_missing_or_empty_or_all_aborted_has_no_record() {
        let clock = ManualClock::new(0);
        for log in [log_with(&[]), log_with(&[(&["x"], false)])] {
            let reader = Reader::new(&log, &clock, "test");
            assert_eq!(reader.first("t", text).unwrap(), None);
            assert_eq!(reader.last("t", text).unwrap(), None);
            assert_eq!(reader.first("other", text).unwrap(), None);
        }
    }

    #[test]
    fn what_is_written_after_the_end_was_asked_for_is_not_read() {
        let log = log_with(&[(&["a"], true), (&["b"], true)]);
        let clock = ManualClock::new(0);
        let reader = Reader::new(&log, &clock, "test");
        let extent = |start| reader.extent(&TopicPartition::new("t", 0), start, Isolation::ReadUncommitted).unwrap();
        let (all, none) = (extent(Start::Beginning), extent(Start::At(4)));
        produce(&log, &[(&["c", "d"], true)]);
        let mut seen = Vec::new();
        let mut read = |extent: &Extent| {
            let visit = |_: &TopicPartition, records: &[Record<'_>]| {
                seen.extend(records.iter().map(text));
                Ok(ControlFlow::Continue(()))
            };
            reader.read_to(std::slice::from_ref(extent), visit).unwrap();
        };
        read(&none);
        read(&all);
        assert_eq!(seen, ["a", "b"]);
    }

    #[test]
    fn a_stretch_that_is_deleted_before_it_is_read_has_no_records() {
        let log = log_with(&[(&["a"], true), (&["b"], true)]);
        let clock = ManualClock::new(0);
        let reader = Reader::new(&log, &clock, "test");
        let partition = TopicPartition::new("t", 0);
        let extent = reader.extent(&partition, Start::Beginning, Isolation::ReadCommitted).unwrap();
        produce(&log, &[(&["c"], true)]);
        log.delete_records(&partition, 4).unwrap();
        let visit = |_: &TopicPartition, records: &[Record<'_>]| panic!("{records:?}");
        reader.read_to(&[extent], visit).unwrap();
    }

    #[test]
    fn an_open_transaction_holds_back_the_high_watermark_and_not_the_stable_offset() {
        let log = log_with(&[(&["a"], true)]);
        let mut producer = producer(&log, "other");
        producer.begin().unwrap();
        send(&mut producer, "x");
        producer.flush(SECOND).unwrap();
        // Each look at this clock takes it a second on.
        let clock = TickingClock::default();
        let reader = Reader::new(&log, &clock, "test");
        let read = |isolation| {
            let extent = reader.extent(&TopicPartition::new("t", 0), Start::Beginning, isolation).unwrap();
            let mut seen = Vec::new();
            let visit = |_: &TopicPartition, records: &[Record<'_>]| {
                seen.extend(records.iter().map(text));
                Ok(ControlFlow::Continue(()))
            };
            reader.read_to(&[extent], visit).map(|()| seen)
        };
        assert_eq!(read(Isolation::ReadCommitted).unwrap(), ["a"]);
        let refusal = read(Isolation::ReadUncommitted).unwrap_err().to_string();
        assert!(refusal.contains("may still be open"), "{refusal}");
    }

    #[test]
    fn everything_up_to_the_end_is_read_once_and_in_order() {
        let log = log_with(&[(&["a"], true), (&["x"], false), (&["b", "c"], true)]);
        let clock = ManualClock::new(0);
        let mut seen = Vec::new();
        let from = [(TopicPartition::new("t", 0), Start::Beginning)];
        Reader::new(&log, &clock, "test")
            .read(&from, |_, records| {
                seen.extend(records.iter().map(text));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(seen, ["a", "b", "c"]);
    }
}
