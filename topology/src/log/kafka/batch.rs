//! A batch of messages, handed out in runs of one partition.
//!
//! librdkafka delivers what one fetch brought of a partition in one piece, so runs are long where there is much to
//! read, and no sorting is needed. One pass over the messages makes records and steps; a second one, after the handler
//! has run, gives the messages back.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::classify;
use super::native::{Batch, Code, Message};
use crate::log::{Error, Event, Header, Kind, Offset, Record, Start, TopicPartition};

const END_OF_PARTITION: Code = rdkafka::types::RDKafkaErrorCode::PartitionEOF as Code;

/// A partition that is being consumed.
pub(super) struct Assigned {
    pub(super) partition: TopicPartition,
    /// What the caller has been handed everything before. librdkafka's own position is one too high behind an end of
    /// partition, so nothing here relies on it.
    pub(super) next: Start,
    pub(super) paused: bool,
}

impl Assigned {
    /// The reader goes on at `offset`, after having been handed `from` first.
    fn advance(&mut self, from: Offset, offset: Offset) {
        if let Start::At(next) = self.next
            && from < next
        {
            // What was to be read is no longer there, and Kafka starts at the first record.
            tracing::warn!(partition = %self.partition, next, from, "offset out of range: reading starts over");
        }
        self.next = Start::At(offset);
    }
}

/// What to hand over, in order.
enum Step {
    /// These of the batch's records, all of one assigned partition.
    Records {
        place: usize,
        records: Range<usize>,
    },
    End {
        place: usize,
        offset: Offset,
    },
}

/// Hands batches out. Keeps its memory from one batch to the next.
#[derive(Default)]
pub(super) struct Delivery {
    /// (topic's address, partition) -> index of the assigned partition. Addresses hold for one assignment, during
    /// which librdkafka keeps its topics.
    known: FxHashMap<(usize, i32), Option<usize>>,
    steps: Vec<Step>,
    /// Empty between batches.
    records: Vec<Record<'static>>,
}

impl Delivery {
    /// Forgets all addresses: the assignment changes.
    pub(super) fn reset(&mut self) {
        self.known.clear();
    }

    /// Hands a batch out; returns the first error met on the way.
    pub(super) fn deliver(
        &mut self,
        batch: &Batch,
        assigned: &mut [Assigned],
        handler: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let mut records: Vec<Record<'_>> = std::mem::take(&mut self.records);
        let mut headers = Vec::new();
        let mut with_headers = Vec::new();
        let result = self.sort_out(batch, assigned, &mut records, &mut headers, &mut with_headers);
        for (index, range) in with_headers {
            if let (Some(record), Some(headers)) = (records.get_mut(index), headers.get(range)) {
                let record: &mut Record<'_> = record;
                record.headers = headers;
            }
        }
        for step in self.steps.drain(..) {
            match step {
                Step::Records { place, records: range } => {
                    let (Some(assigned), Some(records)) = (assigned.get_mut(place), records.get(range)) else {
                        continue;
                    };
                    let (Some(first), Some(last)) = (records.first(), records.last()) else { continue };
                    assigned.advance(first.offset, last.offset.saturating_add(1));
                    handler(Event::Records { partition: &assigned.partition, records });
                }
                Step::End { place, offset } => {
                    let Some(assigned) = assigned.get_mut(place) else { continue };
                    assigned.advance(offset, offset);
                    handler(Event::EndOfPartition { partition: &assigned.partition, offset });
                }
            }
        }
        // Collecting nothing in place: the borrows end and the allocation stays.
        records.clear();
        self.records = records.into_iter().map_while(|_| None).collect();
        result
    }

    /// Makes records of messages, and steps of runs. Headers are attached afterwards, once their list stays in place.
    fn sort_out<'b>(
        &mut self,
        batch: &'b Batch,
        assigned: &[Assigned],
        records: &mut Vec<Record<'b>>,
        headers: &mut Vec<Header<'b>>,
        with_headers: &mut Vec<(usize, Range<usize>)>,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        let mut run: Option<((usize, i32), Option<usize>, usize)> = None;
        for message in batch.iter() {
            let key = (message.topic_id(), message.partition());
            let place = match run {
                Some((current, place, _)) if current == key => place,
                _ => {
                    self.end_run(&mut run, records.len());
                    let place = self.place_of(key, &message, assigned);
                    run = Some((key, place, records.len()));
                    place
                }
            };
            if let Some(code) = message.error() {
                self.end_run(&mut run, records.len());
                match (code, place) {
                    (END_OF_PARTITION, None) => {}
                    (END_OF_PARTITION, Some(place)) => self.steps.push(Step::End { place, offset: message.offset() }),
                    (code, _) => result = result.and(Err(unreadable(code, &message))),
                }
                continue;
            }
            if place.is_none() {
                continue;
            }
            let start = headers.len();
            if let Err(code) = message.headers(headers) {
                // Nothing behind it is handed out; only another assignment goes on from here.
                result = result.and(Err(unreadable(code, &message)));
                break;
            }
            if headers.len() > start {
                with_headers.push((records.len(), start..headers.len()));
            }
            records.push(Record {
                offset: message.offset(),
                timestamp_ms: message.timestamp_ms(),
                key: message.key(),
                value: message.value(),
                headers: &[],
            });
        }
        self.end_run(&mut run, records.len());
        result
    }

    fn end_run(&mut self, run: &mut Option<((usize, i32), Option<usize>, usize)>, end: usize) {
        if let Some((_, Some(place), start)) = run.take()
            && start < end
        {
            self.steps.push(Step::Records { place, records: start..end });
        }
    }

    /// Where a message's partition is among the assigned ones, if it is.
    fn place_of(&mut self, key: (usize, i32), message: &Message<'_>, assigned: &[Assigned]) -> Option<usize> {
        *self.known.entry(key).or_insert_with(|| {
            let (topic, partition) = (message.topic(), message.partition());
            assigned
                .iter()
                .position(|assigned| assigned.partition.partition == partition && assigned.partition.topic == topic)
        })
    }
}

fn unreadable(code: Code, message: &Message<'_>) -> Error {
    let kind = match classify::kind(code) {
        Kind::NotMember => Kind::Retry,
        kind => kind,
    };
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    Error::new(kind, format!("cannot read {topic}-{partition} at offset {offset}: {}", message.error_text()))
}
