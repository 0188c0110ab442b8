//! One record of the topic after the other. What was read lately is kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use topology::clock::{Clock, SystemClock};
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, Offset, OutOfRange, Start, TopicPartition, Watermarks,
};
use topology::{Class, Error, Result};

use super::search::{Known, search};
use super::{Found, Place};
use crate::chain::Block;

const POLL: Duration = Duration::from_millis(20);
/// So long a record is waited for, ms.
const PATIENCE_MS: i64 = 5_000;
/// What is kept of records that were read, in bytes.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Records that come with one that was asked for.
const BATCH: usize = 8;
const PREFETCH_BYTES: usize = 4 << 20;

/// Reads single records.
pub(in crate::http) struct Reading<L: Log> {
    log: L,
    clock: SystemClock,
    partition: TopicPartition,
    consumer: Option<L::Consumer>,
    /// What was read lately, the latest last; each with the offset from which on it was the first block.
    kept: VecDeque<(Offset, Found)>,
    kept_bytes: usize,
}

impl<L: Log> Reading<L> {
    pub(in crate::http) fn new(log: L, blockchain: String) -> Self {
        let (clock, partition) = (SystemClock::new(), TopicPartition::new(blockchain, 0));
        Self { log, clock, partition, consumer: None, kept: VecDeque::new(), kept_bytes: 0 }
    }

    /// The block of a height.
    pub(in crate::http) fn height(&mut self, height: u64) -> Result<Option<Found>> {
        if let Some((_, found)) = self.kept.iter().find(|(_, found)| found.height == height) {
            return Ok(Some(found.clone()));
        }
        let (low, end) = self.around(height)?;
        let (Some(low), Some(end)) = (low, end) else { return Ok(None) };
        let probe =
            |at| Ok::<_, Error>(self.at(at)?.map(|found| Known { offset: found.place.offset, height: found.height }));
        let offset = search(height, low, end, probe)?;
        offset.map_or(Ok(None), |offset| self.at(offset))
    }

    /// A block before a height and one behind it, as near as is known: where to search between. The first is `None`
    /// where the topic holds no block.
    fn around(&mut self, height: u64) -> Result<(Option<Known>, Option<Known>)> {
        let known = || self.kept.iter().map(|(_, found)| Known { offset: found.place.offset, height: found.height });
        let low = known().filter(|known| known.height < height).max_by_key(|known| known.height);
        let end = known().filter(|known| known.height > height).min_by_key(|known| known.height);
        if low.is_some() && end.is_some() {
            return Ok((low, end));
        }
        let Watermarks { low: first, high } = self.log.watermarks(&self.partition, Isolation::ReadCommitted)?;
        let low = match low {
            Some(low) => Some(low),
            None => self.at(first)?.map(|found| Known { offset: found.place.offset, height: found.height }),
        };
        // Each block has an offset of its own.
        let highest = |low: Known| low.height.saturating_add(u64::try_from(high - low.offset).unwrap_or(0));
        let end = end.or_else(|| low.map(|low| Known { offset: high, height: highest(low) }));
        Ok((low, end))
    }

    /// The first block at or behind an offset.
    pub(in crate::http) fn at(&mut self, offset: Offset) -> Result<Option<Found>> {
        if let Some((_, found)) = self.kept.iter().find(|(from, found)| (*from..=found.place.offset).contains(&offset))
        {
            return Ok(Some(found.clone()));
        }
        let read = self.read(offset);
        if read.is_err() {
            // The next question begins anew.
            self.consumer = None;
        }
        read
    }

    fn read(&mut self, offset: Offset) -> Result<Option<Found>> {
        let end = self.log.watermarks(&self.partition, Isolation::ReadCommitted)?.high;
        if offset >= end {
            return Ok(None);
        }
        let mut consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => self.log.consumer(&options())?,
        };
        consumer.assign(&[(self.partition.clone(), Start::At(offset))])?;
        let deadline_ms = self.clock.monotonic_ms().saturating_add(PATIENCE_MS);
        let (mut found, mut next, mut is_over) = (Vec::new(), offset, false);
        while found.is_empty() && !is_over {
            consumer.poll(POLL, &mut |event| match event {
                Event::Records { records, .. } => {
                    for record in records {
                        if let (Some(height), Some(value)) = (Block::height_of_key(record.key), record.value) {
                            let size_bytes = value.len() as u64;
                            let place = Place { offset: record.offset, time_ms: record.timestamp_ms, size_bytes };
                            found.push((next, Found { place, height, value: Arc::from(value) }));
                            next = record.offset + 1;
                        }
                        is_over |= record.offset + 1 >= end;
                    }
                }
                Event::EndOfPartition { .. } => is_over = true,
                _ => {}
            })?;
            if found.is_empty() && self.clock.monotonic_ms() > deadline_ms {
                return Err(Error::new(Class::Retry, format!("{} gives nothing at offset {offset}", self.partition)));
            }
        }
        self.consumer = Some(consumer);
        let first = found.first().map(|(_, first)| first.clone());
        found.into_iter().for_each(|(from, found)| self.keep(from, found));
        Ok(first)
    }

    fn keep(&mut self, from: Offset, found: Found) {
        self.kept_bytes += found.value.len();
        self.kept.push_back((from, found));
        while self.kept_bytes > KEPT_BYTES_MAX || self.kept.len() > 1_024 {
            let Some((_, oldest)) = self.kept.pop_front() else { return };
            self.kept_bytes -= oldest.value.len();
        }
    }
}

fn options() -> ConsumerOptions {
    ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "cairn-http".to_owned(),
        batch_records: BATCH,
        prefetch_bytes: PREFETCH_BYTES,
        out_of_range: OutOfRange::Earliest,
    }
}
