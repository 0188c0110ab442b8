//! A batch of messages, handed out grouped by partition.

use rustc_hash::FxHashMap;

use super::classify;
use super::native::{Batch, Code, Message};
use crate::log::{Error, Event, Header, Kind, Offset, Record, Start, TopicPartition};

const END_OF_PARTITION: Code = rdkafka::types::RDKafkaErrorCode::PartitionEOF as Code;
const NOWHERE: u32 = u32::MAX;

/// A partition that is being consumed.
pub(super) struct Assigned {
    pub(super) partition: TopicPartition,
    /// What the caller has been handed everything before. librdkafka's own position is one too high behind an end of
    /// partition, so nothing here relies on it.
    pub(super) next: Start,
    pub(super) paused: bool,
}

impl Assigned {
    /// Says so where reading went back: what was to be read is no longer there, and Kafka starts at the first record.
    fn notice_reset(&self, offset: Offset) {
        if let Start::At(next) = self.next
            && offset < next
        {
            tracing::warn!(partition = %self.partition, next, offset, "offset out of range: reading starts over");
        }
    }
}

/// Which partition is where in the list of assigned ones, and scratch space for sorting a batch.
#[derive(Default)]
pub(super) struct Grouping {
    /// (topic's address, partition) -> index of the assigned partition. Addresses hold for one assignment, during
    /// which librdkafka keeps its topics.
    known: FxHashMap<(usize, i32), u32>,
    place: Vec<u32>,
    starts: Vec<u32>,
    cursors: Vec<u32>,
    order: Vec<u32>,
    spans: Vec<(usize, usize)>,
}

impl Grouping {
    /// Forgets all addresses: the assignment changes.
    pub(super) fn reset(&mut self) {
        self.known.clear();
    }

    /// Hands a batch out, partition by partition, in order within each; returns the first error met on the way.
    pub(super) fn deliver(
        &mut self,
        batch: &Batch,
        assigned: &mut [Assigned],
        handler: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let mut result = self.sort(batch, assigned);
        let mut from = 0;
        for (index, assigned) in assigned.iter_mut().enumerate() {
            let to = self.starts.get(index + 1).map_or(from, |&start| start as usize);
            if let Some(order) = self.order.get(from..to)
                && !order.is_empty()
            {
                let delivered = deliver_partition(batch, order, &mut self.spans, assigned, handler);
                result = result.and(delivered);
            }
            from = to;
        }
        result
    }

    /// A stable counting sort by assigned partition; what belongs to none is left out, or reported if it is an error.
    fn sort(&mut self, batch: &Batch, assigned: &[Assigned]) -> Result<(), Error> {
        let mut result = Ok(());
        self.place.clear();
        self.starts.clear();
        self.starts.resize(assigned.len() + 1, 0);
        for message in batch.iter() {
            let place = self.place_of(&message, assigned);
            if let Some(count) = self.starts.get_mut((place as usize).saturating_add(1)) {
                *count += 1;
            } else if let Some(code) = message.error()
                && code != END_OF_PARTITION
            {
                result = result.and(Err(error(code, &message)));
            }
            self.place.push(place);
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        // `starts[i]` is where partition i's run starts and its predecessor's ends; a cursor per run places the messages.
        self.order.clear();
        self.order.resize(sum as usize, 0);
        self.cursors.clone_from(&self.starts);
        for (index, &place) in self.place.iter().enumerate() {
            if let Some(cursor) = self.cursors.get_mut(place as usize)
                && let Some(slot) = self.order.get_mut(*cursor as usize)
            {
                *slot = index as u32;
                *cursor += 1;
            }
        }
        result
    }

    fn place_of(&mut self, message: &Message<'_>, assigned: &[Assigned]) -> u32 {
        let key = (message.topic_id(), message.partition());
        if let Some(&place) = self.known.get(&key) {
            return place;
        }
        let (topic, partition) = (message.topic(), message.partition());
        let place = assigned
            .iter()
            .position(|assigned| assigned.partition.partition == partition && assigned.partition.topic == topic)
            .and_then(|place| u32::try_from(place).ok())
            .unwrap_or(NOWHERE);
        if place != NOWHERE {
            self.known.insert(key, place);
        }
        place
    }
}

/// The messages of one partition: runs of records, ends of partition, errors.
fn deliver_partition(
    batch: &Batch,
    order: &[u32],
    spans: &mut Vec<(usize, usize)>,
    assigned: &mut Assigned,
    handler: &mut dyn FnMut(Event<'_>),
) -> Result<(), Error> {
    let mut result = Ok(());
    let is_event = |index: &u32| batch.get(*index as usize).is_some_and(|message| message.error().is_some());
    for run in order.chunk_by(|before, after| !is_event(before) && !is_event(after)) {
        let Some(first) = run.first().and_then(|&index| batch.get(index as usize)) else { continue };
        match first.error() {
            Some(END_OF_PARTITION) => {
                let offset = first.offset();
                assigned.notice_reset(offset);
                assigned.next = Start::At(offset);
                handler(Event::EndOfPartition { partition: &assigned.partition, offset });
            }
            Some(code) => result = result.and(Err(error(code, &first))),
            None => result = result.and(deliver_records(batch, run, spans, assigned, handler)),
        }
    }
    result
}

fn deliver_records(
    batch: &Batch,
    run: &[u32],
    spans: &mut Vec<(usize, usize)>,
    assigned: &mut Assigned,
    handler: &mut dyn FnMut(Event<'_>),
) -> Result<(), Error> {
    let messages = || run.iter().filter_map(|&index| batch.get(index as usize));
    let mut result = Ok(());
    let mut headers: Vec<Header<'_>> = Vec::new();
    spans.clear();
    for message in messages() {
        let start = headers.len();
        if let Err(code) = message.headers(&mut headers) {
            result = Err(error(code, &message));
            break;
        }
        spans.push((start, headers.len()));
    }
    let mut records = Vec::with_capacity(run.len());
    // A record whose headers cannot be read ends the run: nothing behind it is handed out.
    for (message, &(start, end)) in messages().zip(spans.iter()) {
        records.push(Record {
            offset: message.offset(),
            timestamp_ms: message.timestamp_ms(),
            key: message.key(),
            value: message.value(),
            headers: headers.get(start..end).unwrap_or_default(),
        });
    }
    if let (Some(first), Some(last)) = (records.first(), records.last()) {
        assigned.notice_reset(first.offset);
        assigned.next = Start::At(last.offset.saturating_add(1));
        handler(Event::Records { partition: &assigned.partition, records: &records });
    }
    result
}

fn error(code: Code, message: &Message<'_>) -> Error {
    let (topic, partition) = (message.topic(), message.partition());
    let text = message.error_text();
    // What cannot be read stays unreadable: a retry would skip it.
    let kind = match classify::kind(code) {
        Kind::NotMember => Kind::Retry,
        kind => kind,
    };
    Error::new(kind, format!("cannot read {topic}-{partition} at offset {}: {text}", message.offset()))
}
