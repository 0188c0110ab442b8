//! Records to produce: one arena, so that a record costs no allocation of its own.

use crate::error::Result;
use crate::log::{BATCH_OVERHEAD_BYTES, HEADER_OVERHEAD_BYTES, Header, ProducerRecord};

/// Index of a topic in the list that [`Outputs`] was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub usize);

/// What stays allocated after a burst, per buffer: each task has its own, and a process may have hundreds.
const KEPT_BYTES: usize = 64 << 10;

/// What a task wants produced, in order.
#[derive(Debug, Default)]
pub struct Outputs {
    topics: Vec<String>,
    arena: Vec<u8>,
    records: Vec<Entry>,
    headers: Vec<HeaderEntry>,
}

/// Start and end in the arena.
type Span = (usize, usize);

/// How much there was at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    arena_bytes: usize,
    record_count: usize,
    header_count: usize,
}

/// A record that was taken out.
#[derive(Debug)]
pub(super) struct OwnedOutput {
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    partition: Option<i32>,
    timestamp_ms: i64,
    key: Option<Span>,
    value: Option<Span>,
    headers: Span,
}

#[derive(Debug)]
struct HeaderEntry {
    name: Span,
    value: Option<Span>,
}

impl Outputs {
    /// For these topics; a [`Target`] is an index into them.
    pub fn new(topics: Vec<String>) -> Self {
        Self { topics, ..Self::default() }
    }

    /// The name of a topic.
    pub fn topic(&self, target: Target) -> &str {
        &self.topics[target.0]
    }

    /// Adds a record whose bytes are at hand; without a partition it goes where its key belongs.
    pub fn push(
        &mut self,
        target: Target,
        partition: Option<i32>,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        let key = key.map(|key| self.copy(key));
        let value = value.map(|value| self.copy(value));
        self.add(target, partition, timestamp_ms, (key, value), headers);
    }

    /// As [`Outputs::push`], of a record whose bytes are yet to be made. The writers append the bytes of key and value
    /// to the arena, and say whether there is one; if one fails, nothing is added.
    pub fn encode<E>(
        &mut self,
        (target, partition): (Target, Option<i32>),
        timestamp_ms: i64,
        write_key: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
        write_value: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
        headers: &[Header<'_>],
    ) -> Result<(), E> {
        let start = self.arena.len();
        let written = self.write(write_key).and_then(|key| Ok((key, self.write(write_value)?)));
        match written {
            Ok(written) => self.add(target, partition, timestamp_ms, written, headers),
            Err(error) => {
                self.arena.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        target: Target,
        partition: Option<i32>,
        timestamp_ms: i64,
        (key, value): (Option<Span>, Option<Span>),
        headers: &[Header<'_>],
    ) {
        let first_header = self.headers.len();
        for header in headers {
            let name = self.copy(header.name);
            let value = header.value.map(|value| self.copy(value));
            self.headers.push(HeaderEntry { name, value });
        }
        let headers = (first_header, self.headers.len());
        self.records.push(Entry { target, partition, timestamp_ms, key, value, headers });
    }

    /// How much there is.
    pub(super) fn mark(&self) -> Mark {
        let (arena_bytes, record_count) = (self.arena.len(), self.records.len());
        Mark { arena_bytes, record_count, header_count: self.headers.len() }
    }

    /// Forgets what was added since then.
    pub(super) fn undo_to(&mut self, mark: Mark) {
        self.arena.truncate(mark.arena_bytes);
        self.records.truncate(mark.record_count);
        self.headers.truncate(mark.header_count);
    }

    /// What the record that was added last takes in a batch of its own, at most: as [`ProducerRecord::size_max_bytes`].
    #[inline]
    pub(super) fn last_size_max_bytes(&self) -> usize {
        let Some(entry) = self.records.last() else { return 0 };
        let length = |span: Option<Span>| span.map_or(0, |(start, end)| end - start);
        let headers = &self.headers[entry.headers.0..entry.headers.1];
        let headers =
            headers.iter().map(|header| HEADER_OVERHEAD_BYTES + length(Some(header.name)) + length(header.value));
        BATCH_OVERHEAD_BYTES + length(entry.key) + length(entry.value) + headers.sum::<usize>()
    }

    /// Takes the record out again that was added last.
    pub(super) fn take_last(&mut self) -> Option<OwnedOutput> {
        let Entry { timestamp_ms, key, value, headers, .. } = self.records.pop()?;
        let copy = |span: Span| self.bytes(span).to_vec();
        let own = self.headers.iter().skip(headers.0);
        let own = own.map(|header| (copy(header.name), header.value.map(copy))).collect();
        let taken = OwnedOutput { timestamp_ms, key: key.map(copy), value: value.map(copy), headers: own };
        self.headers.truncate(headers.0);
        // Key, value and headers lie at the arena's end, in this order.
        let spans = key.into_iter().chain(value);
        if let Some(start) = spans.map(|(start, _)| start).min() {
            self.arena.truncate(start);
        }
        Some(taken)
    }

    /// Hands all records to `send`, in order, and forgets them, whatever comes of it: after an error the transaction
    /// they belong to is lost.
    pub fn drain(&mut self, send: impl FnOnce(&[ProducerRecord<'_>]) -> Result<()>) -> Result<()> {
        let result = send(&self.borrow(&self.borrow_headers()));
        self.clear();
        result
    }

    fn borrow<'a>(&'a self, headers: &'a [Header<'a>]) -> Vec<ProducerRecord<'a>> {
        let records = self.records.iter().map(|entry| ProducerRecord {
            topic: self.topic(entry.target),
            partition: entry.partition,
            timestamp_ms: entry.timestamp_ms,
            key: entry.key.map(|span| self.bytes(span)),
            value: entry.value.map(|span| self.bytes(span)),
            headers: &headers[entry.headers.0..entry.headers.1],
        });
        records.collect()
    }

    fn borrow_headers(&self) -> Vec<Header<'_>> {
        let headers = self
            .headers
            .iter()
            .map(|header| Header { name: self.bytes(header.name), value: header.value.map(|span| self.bytes(span)) });
        headers.collect()
    }

    /// Forgets all records, and gives back the memory of a burst.
    pub fn clear(&mut self) {
        empty(&mut self.arena);
        empty(&mut self.records);
        empty(&mut self.headers);
    }

    /// Whether there is nothing to produce.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys, values and headers waiting.
    pub fn size_bytes(&self) -> usize {
        self.arena.len()
    }

    fn write<E>(&mut self, writer: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>) -> Result<Option<Span>, E> {
        let start = self.arena.len();
        Ok(writer(&mut self.arena)?.then_some((start, self.arena.len())))
    }

    fn copy(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        (start, self.arena.len())
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.arena[span.0..span.1]
    }
}

fn empty<T>(buffer: &mut Vec<T>) {
    buffer.clear();
    buffer.shrink_to(KEPT_BYTES / size_of::<T>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in_and_null_is_not_empty() {
        let mut outputs = Outputs::new(vec!["a".into(), "b".into()]);
        let headers = [Header { name: b"h", value: Some(b"v") }, Header { name: b"\xff\x00", value: None }];
        outputs.push(Target(1), Some(3), 7, Some(b"key"), None, &headers);
        outputs.encode((Target(0), None), 8, |_| Ok::<_, ()>(false), |_| Ok(true), &[]).unwrap();
        let seen = drain(&mut outputs);
        let expected = [
            ProducerRecord {
                topic: "b",
                partition: Some(3),
                timestamp_ms: 7,
                key: Some(b"key"),
                value: None,
                headers: &headers,
            },
            ProducerRecord { topic: "a", partition: None, timestamp_ms: 8, key: None, value: Some(b""), headers: &[] },
        ];
        assert_eq!(seen, expected.map(|record| format!("{record:?}")));
        assert!(outputs.is_empty());
    }

    fn drain(outputs: &mut Outputs) -> Vec<String> {
        let mut seen = Vec::new();
        let see = |records: &[ProducerRecord<'_>]| {
            seen.extend(records.iter().map(|record| format!("{record:?}")));
            Ok(())
        };
        outputs.drain(see).unwrap();
        seen
    }

    #[test]
    fn a_record_that_cannot_be_encoded_leaves_no_trace() {
        let mut outputs = Outputs::new(vec!["a".into()]);
        let write = |arena: &mut Vec<u8>| {
            arena.extend_from_slice(b"half");
            Ok(true)
        };
        let fail = |arena: &mut Vec<u8>| {
            arena.extend_from_slice(b"half");
            Err("no")
        };
        assert_eq!(outputs.encode((Target(0), None), 1, write, fail, &[]), Err("no"));
        assert!(outputs.is_empty() && outputs.size_bytes() == 0);
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back() {
        let mut outputs = Outputs::new(vec!["a".into()]);
        let large = vec![0; 1 << 20];
        for _ in 0..32 {
            outputs.push(Target(0), None, 1, None, Some(&large), &[]);
        }
        assert_eq!(drain(&mut outputs).len(), 32);
        assert!(outputs.arena.capacity() <= KEPT_BYTES, "{}", outputs.arena.capacity());
    }
}
