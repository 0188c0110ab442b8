//! The transactions topic on a log, as the sealer asks about it.

use std::ops::ControlFlow;

use topology::clock::SystemClock;
use topology::log::{Isolation, Log, Record, TopicPartition};
use topology::{Class, Error, Result};

use super::backlog::Backlog;
use crate::chain::Hash;
use crate::reader::{Extent, Reader};
use crate::sealing::{Found, Origin};

/// What is read at once: a few records, of each partition.
const PREFETCH_BYTES: usize = 1 << 20;

/// The transactions topic on a log.
pub(crate) struct OnLog<L> {
    pub(crate) log: L,
    pub(crate) clock: SystemClock,
    pub(crate) topic: String,
    /// What was admitted and is not sealed yet.
    pub(crate) backlog: Backlog,
}

impl<L: Log> OnLog<L> {
    fn reader(&self) -> Reader<'_, L> {
        Reader::new(&self.log, &self.clock, "cairn-origin").prefetching(PREFETCH_BYTES)
    }

    fn partition(&self, number: i32) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), number)
    }

    /// What is known of a place without reading: that nothing is there any more, or yet.
    fn known(&self, (partition, offset): (i32, i64)) -> Result<Option<Found>> {
        let marks = self.log.watermarks(&self.partition(partition), Isolation::ReadCommitted)?;
        Ok(if offset < marks.low {
            Some(Found::Deleted)
        } else if offset >= marks.high {
            Some(Found::Nothing)
        } else {
            None
        })
    }
}

impl<L: Log> Origin for OnLog<L> {
    fn first_record(&self, partition: i32, from: i64, to: i64) -> Result<Option<i64>> {
        let mut found = None;
        let extent = Extent { partition: self.partition(partition), first: from, end: to };
        self.reader().read_to(&[extent], |_, records| {
            found = records.first().map(|record| record.offset);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    fn order_id(&self, topic: &str) -> Result<[u8; 16]> {
        let found = self.log.describe_topic(topic)?;
        // It is there, or no task of the run would be.
        let missing = || Error::new(Class::Retry, format!("topic '{topic}' is not to be seen right now"));
        Ok(*found.ok_or_else(missing)?.id.as_bytes())
    }

    fn waiting(&self) -> u64 {
        self.backlog.count()
    }

    fn look_up(&self, places: &[(i32, i64)]) -> Result<Vec<Found>> {
        let mut found = places.iter().map(|place| self.known(*place)).collect::<Result<Vec<Option<Found>>>>()?;
        let unknown = places.iter().zip(&found).filter(|(_, found)| found.is_none());
        let extent = |((partition, offset), _): (&(i32, i64), &Option<Found>)| Extent {
            partition: self.partition(*partition),
            first: *offset,
            end: offset.saturating_add(1),
        };
        let extents: Vec<Extent> = unknown.map(extent).collect();
        self.reader().read_to(&extents, |partition, records| {
            for record in records {
                let place = (partition.partition, record.offset);
                places.iter().zip(&mut found).filter(|(at, _)| **at == place).for_each(|(_, found)| {
                    *found = Some(of_record(record));
                });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        // What was not met was deleted meanwhile, or never there.
        let looked_up = places.iter().zip(found);
        looked_up
            .map(|(place, found)| match found {
                Some(found) => Ok(found),
                None => Ok(self.known(*place)?.unwrap_or(Found::Nothing)),
            })
            .collect()
    }
}

fn of_record(record: &Record<'_>) -> Found {
    Found::Record { timestamp_ms: record.timestamp_ms, original: Hash::of_nullable(record.value) }
}
