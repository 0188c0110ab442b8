//! Reading one partition: where the reader stands, and what was read ahead.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::log::{Error, Event, Headers, Kind, Offset, OutOfRange, Record, Result, TopicPartition};

use super::batch::{Batch, Cursor};
use super::partition::AbortedStretches;
use super::storage::{Chunk, PartitionId, Storage};

/// A partition as of the last look.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) low: Offset,
    pub(crate) end: Offset,
    /// How far this reader may read.
    pub(crate) limit: Offset,
    /// What to leave out; `None` reads everything.
    pub(crate) aborted: Option<Arc<AbortedStretches>>,
}

/// A partition being read.
pub(crate) struct Fetch {
    pub(crate) partition: TopicPartition,
    pub(crate) id: PartitionId,
    pub(crate) paused: bool,
    pub(crate) view: View,
    /// The next offset to hand over.
    position: Offset,
    chunks: VecDeque<Chunk>,
    /// Where in the first chunk.
    cursor: Cursor,
    /// Where to go on reading when the chunks are used up.
    behind: Offset,
    /// The end that was told last.
    end_told: Option<Offset>,
}

impl Fetch {
    pub(crate) fn new(partition: TopicPartition, id: PartitionId, position: Offset) -> Self {
        Self {
            partition,
            id,
            paused: false,
            view: View::default(),
            position,
            chunks: VecDeque::new(),
            cursor: Cursor::start(),
            behind: position,
            end_told: None,
        }
    }

    pub(crate) fn seek(&mut self, offset: Offset) {
        self.chunks.clear();
        self.cursor = Cursor::start();
        self.position = offset;
        self.behind = offset;
        self.end_told = None;
    }

    /// Reads ahead where nothing is left from before.
    pub(crate) fn fill(&mut self, storage: &dyn Storage, bytes_max: usize, out_of_range: OutOfRange) -> Result<()> {
        let View { low, end, .. } = self.view;
        if self.chunks.is_empty() && !(low..=end).contains(&self.position) {
            match out_of_range {
                OutOfRange::Earliest => self.seek(low),
                OutOfRange::Fail => {
                    let (partition, position) = (&self.partition, self.position);
                    let message = format!("offset {position} of {partition} is not there: it has {low} to {end}");
                    return Err(Error::new(Kind::OutOfRange, message));
                }
            }
        }
        while self.chunks.is_empty() && self.position < self.view.limit {
            let found = storage.read(self.id, self.position, self.view.limit, bytes_max)?;
            let last = found.chunks.last().map(|chunk| Batch::parse(chunk)).transpose()?.map(|batch| batch.last);
            self.behind = match last {
                Some(last) if !found.exhausted => last.saturating_add(1),
                _ => self.view.limit,
            };
            for chunk in found.chunks {
                let batch = Batch::parse(&chunk)?;
                let aborted = self.view.aborted.as_deref();
                if !aborted.is_some_and(|aborted| aborted.contain(batch.producer_id, batch.base)) {
                    self.chunks.push_back(chunk);
                }
            }
            self.cursor = Cursor::start();
            if self.chunks.is_empty() {
                self.position = self.behind;
            }
        }
        Ok(())
    }

    /// Hands over at most so many records, in one event. How many it were.
    pub(crate) fn hand_over(&mut self, count_max: usize, handler: &mut dyn FnMut(Event<'_>)) -> Result<usize> {
        if self.chunks.is_empty() {
            return Ok(0);
        }
        let mut records: Vec<Record<'_>> = Vec::with_capacity(count_max.min(1024));
        let mut with_headers = Vec::new();
        let mut cursor = self.cursor;
        let mut used = 0;
        while let Some(chunk) = self.chunks.get(used) {
            let batch = Batch::parse(chunk)?;
            while records.len() < count_max
                && let Some(raw) = batch.next(&mut cursor)?
            {
                if raw.offset >= self.position {
                    if raw.has_headers() {
                        with_headers.push((records.len(), raw));
                    }
                    records.push(raw.record());
                }
            }
            if !batch.is_read(&cursor) {
                break;
            }
            used += 1;
            cursor = Cursor::start();
        }
        for (index, raw) in &with_headers {
            if let Some(record) = records.get_mut(*index) {
                record.headers = Headers::encoded(raw);
            }
        }
        let handed = records.len();
        let last = records.last().map(|record| record.offset);
        if handed > 0 {
            handler(Event::Records { partition: &self.partition, records: &records });
        }
        drop(records);
        self.chunks.drain(..used);
        self.cursor = cursor;
        if self.chunks.is_empty() {
            self.position = self.behind;
        } else if let Some(last) = last {
            self.position = last.saturating_add(1);
        }
        Ok(handed)
    }

    /// The end of the partition, where the reader has come to it and was not told yet.
    pub(crate) fn newly_at_end(&mut self) -> Option<Offset> {
        let at_end = self.chunks.is_empty() && self.position == self.view.limit;
        if !at_end || self.end_told == Some(self.position) {
            return None;
        }
        self.end_told = Some(self.position);
        self.end_told
    }
}
