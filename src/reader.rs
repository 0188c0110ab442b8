//! Reading a topic from outside of any group: its first record, its last, or everything up to its end.
//!
//! The end is where the topic ended when it was asked for: what is written while somebody reads is not handed over, so
//! that reading a busy topic ends, and ends that were asked for in some order can be relied on in that order. Up to the
//! high watermark, what an open transaction holds back is waited for, so that no reader takes a topic for shorter than
//! it is about to be. Uses the engine's log and nothing else of the crate.

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
/// The same, while partitions are not read that may be wanted soon.
const POLL_PAUSED: Duration = Duration::from_millis(10);

/// What a reader fetches ahead, in bytes, unless it is told otherwise.
const PREFETCH_BYTES: usize = 16 << 20;

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

/// Which of several partitions are read on, while there is no room for all.
pub trait Demand {
    /// Whether records of a partition are welcome now.
    fn wants(&mut self, partition: &TopicPartition) -> bool;

    /// None are welcome: waits until some are. [`ControlFlow::Break`] ends the reading.
    fn wait(&mut self) -> ControlFlow<()>;

    /// A partition was read to its end.
    fn ended(&mut self, partition: &TopicPartition);
}

/// All are welcome, always.
struct Everything;

impl Demand for Everything {
    fn wants(&mut self, _: &TopicPartition) -> bool {
        true
    }

    fn wait(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn ended(&mut self, _: &TopicPartition) {}
}

/// Reads topics of one log.
pub struct Reader<'r, L: Log> {
    log: &'r L,
    clock: &'r dyn Clock,
    client_id: &'r str,
    prefetch_bytes: usize,
    expects_topics: bool,
}

impl<'r, L: Log> Reader<'r, L> {
    /// A reader; `client_id` names it in the brokers' logs.
    pub fn new(log: &'r L, clock: &'r dyn Clock, client_id: &'r str) -> Self {
        Self { log, clock, client_id, prefetch_bytes: PREFETCH_BYTES, expects_topics: false }
    }

    /// Fetches so many bytes ahead.
    #[must_use]
    pub fn prefetching(self, prefetch_bytes: usize) -> Self {
        Self { prefetch_bytes, ..self }
    }

    /// Knows that the topics are there: one that is not to be seen is an error of class retry, and never passes for one
    /// that there is not. A broker that is behind does not show each topic.
    #[must_use]
    pub fn expecting_topics(self) -> Self {
        Self { expects_topics: true, ..self }
    }

    /// What `visit` makes of the first record that is still there and that it does not pass over with `None`. `None`:
    /// no topic, or no such record.
    pub fn first<T>(&self, topic: &str, mut visit: impl FnMut(&Record<'_>) -> Option<T>) -> Result<Option<T>> {
        let Some(partition) = self.only_partition(topic, NO_CHAIN)? else { return Ok(None) };
        let mut found = None;
        self.read(&[(partition, Start::Beginning)], |_, records| {
            found = records.iter().find_map(&mut visit);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// What `visit` makes of the last committed record that it does not pass over with `None`. `None`: no topic, or no
    /// such record. Costs as [`Reader::lasts`].
    pub fn last<T>(&self, topic: &str, visit: impl FnMut(&Record<'_>) -> Option<T>) -> Result<Option<T>> {
        Ok(self.lasts(topic, 1, visit)?.pop())
    }

    /// What `visit` makes of the last committed records that it does not pass over, so many at most, the last one last.
    /// Reads back in growing stretches, each offset at most once, and keeps so many answers, so that it costs about as
    /// much as there is behind the records. `visit` may be asked about records before them, too.
    pub fn lasts<T>(&self, topic: &str, count: usize, visit: impl FnMut(&Record<'_>) -> Option<T>) -> Result<Vec<T>> {
        let Some(partition) = self.only_partition(topic, NO_CHAIN)? else { return Ok(Vec::new()) };
        self.lasts_of(&partition, count, visit)
    }

    /// As [`Reader::lasts`], of a partition that is known to be there.
    pub fn lasts_of<T>(
        &self,
        partition: &TopicPartition,
        count: usize,
        mut visit: impl FnMut(&Record<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let Watermarks { low, high } = self.log.watermarks(partition, Isolation::ReadUncommitted)?;
        let (mut end, mut distance, mut found) = (high, 16, Vec::new());
        while end > low && found.len() < count {
            // Markers of transactions have offsets too, and aborted records: a stretch need not hold any record.
            let first = end.saturating_sub(distance).max(low);
            let mut of_stretch: Vec<T> = Vec::new();
            self.read_to(&[Extent { partition: partition.clone(), first, end }], |_, records| {
                let mut of_batch: Vec<T> = records.iter().rev().filter_map(&mut visit).take(count).collect();
                of_batch.reverse();
                of_stretch.extend(of_batch);
                of_stretch.drain(..of_stretch.len().saturating_sub(count));
                Ok(ControlFlow::Continue(()))
            })?;
            of_stretch.extend(found);
            of_stretch.drain(..of_stretch.len().saturating_sub(count));
            found = of_stretch;
            end = first;
            distance = distance.saturating_mul(16);
        }
        Ok(found)
    }

    /// What there is of a partition now, from `start` on: up to the high watermark with [`Isolation::ReadUncommitted`],
    /// up to the last stable offset with [`Isolation::ReadCommitted`].
    pub fn extent(&self, partition: &TopicPartition, start: Start, isolation: Isolation) -> Result<Extent> {
        let Watermarks { low, high } = self.log.watermarks(partition, isolation)?;
        let first = if let Start::At(offset) = start { offset.max(low) } else { low };
        Ok(Extent { partition: partition.clone(), first, end: high })
    }

    /// Hands over all committed records of these partitions, in order within each, until the ends that they have now
    /// are reached or `visit` breaks off.
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
        visit: impl FnMut(&TopicPartition, &[Record<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.read_on_demand(extents, &mut Everything, visit)
    }

    /// As [`Reader::read_to`], of the partitions that are welcome at a time. One batch more of a partition may come
    /// than is.
    pub fn read_on_demand(
        &self,
        extents: &[Extent],
        demand: &mut impl Demand,
        mut visit: impl FnMut(&TopicPartition, &[Record<'_>]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (mut open, empty): (Vec<&Extent>, Vec<&Extent>) = extents.iter().partition(|extent| !extent.is_empty());
        empty.iter().for_each(|extent| demand.ended(&extent.partition));
        if open.is_empty() {
            return Ok(());
        }
        let mut consumer = self.consumer()?;
        let from: Vec<_> = open.iter().map(|extent| (extent.partition.clone(), Start::At(extent.first))).collect();
        consumer.assign(&from)?;
        let mut deadline_ms = self.clock.monotonic_ms().saturating_add(PATIENCE_MS);
        let mut paused: Vec<TopicPartition> = Vec::new();
        loop {
            while !direct(&mut consumer, &open, &mut paused, demand)? {
                if demand.wait().is_break() {
                    return Ok(());
                }
                deadline_ms = self.clock.monotonic_ms().saturating_add(PATIENCE_MS);
            }
            let timeout = if paused.is_empty() { POLL } else { POLL_PAUSED };
            let mut flow = Ok(ControlFlow::Continue(()));
            let mut progress = false;
            let polled = consumer.poll(timeout, &mut |event| match event {
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
                        demand.ended(partition);
                    }
                }
                Event::EndOfPartition { partition, offset } => {
                    let is_over = |extent: &&Extent| extent.partition == *partition && offset >= extent.end;
                    if let Some(place) = open.iter().position(is_over) {
                        open.swap_remove(place);
                        demand.ended(partition);
                    }
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

    fn consumer(&self) -> Result<L::Consumer> {
        Ok(self.log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: self.client_id.to_owned(),
            batch_records: 1_000,
            prefetch_bytes: self.prefetch_bytes,
            out_of_range: OutOfRange::Earliest,
        })?)
    }

    /// The partition of a blockchain topic, which must be there.
    pub fn chain_partition(&self, topic: &str) -> Result<TopicPartition> {
        let missing = || Error::stop(format!("there is no topic '{topic}': give the topic of a chain as --blockchain"));
        self.only_partition(topic, NO_CHAIN)?.ok_or_else(missing)
    }

    /// All partitions of a topic, in their order; `None` if there is no topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<Vec<TopicPartition>>> {
        let found = self.log.describe_topic(topic)?;
        Ok(found.map(|found| (0..found.partition_count).map(|number| TopicPartition::new(topic, number)).collect()))
    }

    /// The topic's one partition; `None` if there is no topic. An error where it has others, which ends with
    /// `otherwise`: what that means, and what to do.
    pub fn only_partition(&self, topic: &str, otherwise: &str) -> Result<Option<TopicPartition>> {
        match self.log.describe_topic(topic)? {
            None if self.expects_topics => {
                Err(Error::new(Class::Retry, format!("topic '{topic}' is not to be seen right now")))
            }
            None => Ok(None),
            Some(found) if found.partition_count == 1 => Ok(Some(TopicPartition::new(topic, 0))),
            Some(found) => {
                Err(Error::stop(format!("topic '{topic}' has {} partitions, {otherwise}", found.partition_count)))
            }
        }
    }
}

/// Has the consumer read what is welcome, and nothing else. Whether anything is.
fn direct(
    consumer: &mut impl Consumer,
    open: &[&Extent],
    paused: &mut Vec<TopicPartition>,
    demand: &mut impl Demand,
) -> Result<bool> {
    let mut any = false;
    for Extent { partition, .. } in open {
        let place = paused.iter().position(|paused| paused == partition);
        let partitions = std::slice::from_ref(partition);
        let is_wanted = demand.wants(partition);
        any |= is_wanted;
        match place {
            Some(place) if is_wanted => {
                consumer.resume(partitions)?;
                paused.swap_remove(place);
            }
            None if !is_wanted => {
                consumer.pause(partitions)?;
                paused.push(partition.clone());
            }
            _ => {}
        }
    }
    Ok(any || open.is_empty())
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
mod tests;
