//! Reading a topic from outside of any group: its first record, its last, or everything up to its end.
//!
//! The end is the high watermark at the moment of asking. What an open transaction holds back below it is waited for, so
//! that nobody takes a topic for shorter than it is about to be. Uses the engine's log and nothing else of the crate.

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
        let Some(partition) = self.only_partition(topic)? else { return Ok(None) };
        let mut found = None;
        self.read(&[(partition, Start::Beginning)], |_, records| {
            found = records.first().map(&mut visit);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// The last committed record, handed to `visit`. `None`: no topic, or no record.
    pub fn last<T>(&self, topic: &str, mut visit: impl FnMut(&Record<'_>) -> T) -> Result<Option<T>> {
        let Some(partition) = self.only_partition(topic)? else { return Ok(None) };
        let Watermarks { low, high } = self.watermarks(&partition)?;
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

    /// Hands over all committed records of these partitions, in order within each, until all ends are reached or `visit`
    /// breaks off.
    pub fn read(
        &self,
        from: &[(TopicPartition, Start)],
        mut visit: impl FnMut(&TopicPartition, &[Record<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut open: Vec<(TopicPartition, Offset)> = Vec::new();
        for (partition, start) in from {
            let Watermarks { low, high } = self.watermarks(partition)?;
            let first = if let Start::At(offset) = start { (*offset).max(low) } else { low };
            if first < high {
                open.push((partition.clone(), high));
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> =
            from.iter().filter(|(partition, _)| open.iter().any(|(open, _)| open == partition)).cloned().collect();
        let mut consumer = self.log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: self.client_id.to_owned(),
            batch_records: 1_000,
            prefetch_bytes: 16 << 20,
            out_of_range: OutOfRange::Earliest,
        })?;
        consumer.assign(&wanted)?;
        let mut deadline_ms = self.clock.monotonic_ms().saturating_add(PATIENCE_MS);
        loop {
            let mut flow = Ok(ControlFlow::Continue(()));
            let mut progress = false;
            let polled = consumer.poll(POLL, &mut |event| match event {
                Event::Records { partition, records } if matches!(flow, Ok(ControlFlow::Continue(()))) => {
                    progress = true;
                    flow = visit(partition, records);
                }
                Event::EndOfPartition { partition, offset } => {
                    open.retain(|(open, end)| open != partition || offset < *end);
                }
                _ => {}
            });
            if flow?.is_break() || open.is_empty() {
                return Ok(());
            }
            let now_ms = self.clock.monotonic_ms();
            match polled {
                Ok(()) if progress => deadline_ms = now_ms.saturating_add(PATIENCE_MS),
                Err(error) if error.class() != Class::Retry => return Err(error.into()),
                _ if now_ms < deadline_ms => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Err(no_end(&open)),
            }
        }
    }

    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        Ok(self.log.watermarks(partition, Isolation::ReadUncommitted)?)
    }

    /// The topic's one partition; `None` if there is no topic.
    fn only_partition(&self, topic: &str) -> Result<Option<TopicPartition>> {
        match self.log.describe_topic(topic)? {
            None => Ok(None),
            Some(found) if found.partition_count == 1 => Ok(Some(TopicPartition::new(topic, 0))),
            Some(found) => Err(Error::stop(format!(
                "topic '{topic}' has {} partitions, a chain has one: give the topic of a chain",
                found.partition_count
            ))),
        }
    }
}

fn no_end(open: &[(TopicPartition, Offset)]) -> Error {
    let (partition, end) = open.first().map_or(("?".to_owned(), 0), |(partition, end)| (partition.to_string(), *end));
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
        let (transactional_id, client_id) = ("p".to_owned(), "p".to_owned());
        let options =
            ProducerOptions { transactional_id, transaction_timeout_ms: 10_000, client_id, track_topics: Vec::new() };
        let mut producer = log.producer(&options).unwrap();
        producer.init_transactions(SECOND).unwrap();
        for (values, commit) in transactions {
            producer.begin().unwrap();
            for value in *values {
                let value = Some(value.as_bytes());
                let record =
                    ProducerRecord { topic: "t", partition: None, timestamp_ms: 0, key: None, value, headers: &[] };
                producer.send(&record).unwrap();
            }
            if *commit { producer.commit(SECOND).unwrap() } else { producer.abort(SECOND).unwrap() }
        }
        log
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
