//! A batch of messages, handed out in runs of one partition.
//!
//! librdkafka delivers what one fetch brought of a partition in one piece, so runs are long where there is much to
//! read, and no sorting is needed. One pass over the messages makes records and steps; a second one, after the handler
//! has run, gives the messages back. Headers are taken apart only when they are asked for.

use std::collections::VecDeque;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::classify;
use super::native::{Batch, Code, Message};
use crate::log::{Error, Event, Headers, Kind, Offset, Record, Start, TopicPartition};

const END_OF_PARTITION: Code = rdkafka::types::RDKafkaErrorCode::PartitionEOF as Code;

/// A partition that is being consumed.
pub(super) struct Assigned {
    pub(super) partition: TopicPartition,
    /// What the caller has been handed everything before. librdkafka's own position is one too high behind an end of
    /// partition, so nothing here relies on it.
    pub(super) next: Start,
    pub(super) pause: Pause,
    /// What was on its way to the caller when it was parked, in order: the first to be handed out.
    pub(super) waiting: VecDeque<Batch>,
    /// Why it cannot be read on from where it stands. Nothing more of it is handed out.
    pub(super) failure: Option<Error>,
    /// Whether librdkafka is to be told where the reader stands before anything more is read.
    pub(super) is_held_up: bool,
    /// Whether anything was handed out since it was assigned.
    is_read: bool,
}

/// How the delivery of a partition is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// It is not.
    No,
    /// The client fetches nothing.
    Client,
    /// What the client has fetched, and goes on fetching as far as its queue takes it, is not handed out.
    Parked,
    /// It was parked, and is no longer held up. What was set aside of it is handed out before its queue is led back.
    Unparking,
}

impl Assigned {
    pub(super) fn new(partition: TopicPartition, next: Start) -> Self {
        Self {
            partition,
            next,
            pause: if next == Start::Paused { Pause::Client } else { Pause::No },
            waiting: VecDeque::new(),
            failure: None,
            is_held_up: false,
            is_read: false,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.pause, Pause::Client | Pause::Parked)
    }

    /// Whether anything was handed out since it was assigned.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// The reader goes on at `offset`, after having been handed `from` first.
    fn advance(&mut self, from: Offset, offset: Offset) {
        if let Start::At(next) = self.next
            && from < next
        {
            // What was to be read is no longer there, and Kafka starts at the first record.
            tracing::warn!(partition = %self.partition, next, from, "offset out of range: reading starts over");
        }
        self.next = Start::At(offset);
        self.is_read = true;
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

/// Hands batches out.
#[derive(Default)]
pub(super) struct Delivery {
    /// (topic's address, partition) -> index of the assigned partition. Addresses hold for one assignment, during
    /// which librdkafka keeps its topics.
    known: FxHashMap<(usize, i32), Option<usize>>,
    /// Empty between batches.
    steps: Vec<Step>,
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
        let mut records = Vec::with_capacity(batch.len());
        let result = self.sort_out(batch, assigned, &mut records);
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
        result
    }

    /// Makes records of messages, and steps of runs.
    fn sort_out<'b>(
        &mut self,
        batch: &'b Batch,
        assigned: &mut [Assigned],
        records: &mut Vec<Record<'b>>,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        let mut run: Option<((usize, i32), Option<usize>, usize)> = None;
        for message in batch.iter() {
            let key = (message.topic_id(), message.partition());
            let place = match run {
                Some((current, place, _)) if current == key => place,
                _ => {
                    self.end_run(&mut run, records.len());
                    let place = self.place_of(key, message, assigned);
                    // librdkafka goes on behind what it cannot read. Nothing there is handed out: it would be taken for
                    // what comes next.
                    if place.and_then(|place| assigned.get(place)).is_some_and(|assigned| assigned.failure.is_some()) {
                        continue;
                    }
                    run = Some((key, place, records.len()));
                    place
                }
            };
            if let Some(code) = message.error() {
                self.end_run(&mut run, records.len());
                match (code, place) {
                    (END_OF_PARTITION, None) => {}
                    (END_OF_PARTITION, Some(place)) => self.steps.push(Step::End { place, offset: message.offset() }),
                    (code, place) => {
                        let error = unreadable(code, message);
                        if ends_reading(&error)
                            && let Some(assigned) = place.and_then(|place| assigned.get_mut(place))
                        {
                            assigned.failure = Some(error.clone());
                            if assigned.is_paused() {
                                // It is told when the partition is resumed.
                                continue;
                            }
                        }
                        result = result.and(Err(error));
                    }
                }
                continue;
            }
            if place.is_none() {
                continue;
            }
            records.push(Record {
                offset: message.offset(),
                timestamp_ms: message.timestamp_ms(),
                key: message.key(),
                value: message.value(),
                headers: Headers::encoded(message),
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
    fn place_of(&mut self, key: (usize, i32), message: &Message, assigned: &[Assigned]) -> Option<usize> {
        *self.known.entry(key).or_insert_with(|| {
            let (topic, partition) = (message.topic(), message.partition());
            assigned
                .iter()
                .position(|assigned| assigned.partition.partition == partition && assigned.partition.topic == topic)
        })
    }
}

/// Whether a partition cannot be read on from where it stands.
fn ends_reading(error: &Error) -> bool {
    matches!(error.kind(), Kind::Fatal | Kind::OutOfRange)
}

fn unreadable(code: Code, message: &Message) -> Error {
    let kind = match classify::kind(code) {
        Kind::NotMember => Kind::Retry,
        kind => kind,
    };
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    let hint = classify::hint(code);
    Error::new(kind, format!("cannot read {topic}-{partition} at offset {offset}: {}{hint}", message.error_text()))
}
