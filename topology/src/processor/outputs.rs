//! Records to produce: one arena, so that a record costs no allocation of its own.

use crate::error::Result;
use crate::log::{Header, ProducerRecord};

/// Index of a topic in the list that [`Outputs`] was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub usize);

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

    /// Adds a record. The writers append the bytes of key and value to the arena, and say whether there is one.
    pub fn push(
        &mut self,
        target: Target,
        partition: Option<i32>,
        timestamp_ms: i64,
        write_key: impl FnOnce(&mut Vec<u8>) -> bool,
        write_value: impl FnOnce(&mut Vec<u8>) -> bool,
        headers: &[Header<'_>],
    ) {
        let key = self.write(write_key);
        let value = self.write(write_value);
        let first_header = self.headers.len();
        for header in headers {
            let name = self.copy(header.name.as_bytes());
            let value = header.value.map(|value| self.copy(value));
            self.headers.push(HeaderEntry { name, value });
        }
        let headers = (first_header, self.headers.len());
        self.records.push(Entry { target, partition, timestamp_ms, key, value, headers });
    }

    /// Hands every record to `send`, in order, and forgets them all. Stops at the first error (all are forgotten then too:
    /// the transaction they belong to is lost).
    pub fn drain(&mut self, mut send: impl FnMut(&ProducerRecord<'_>) -> Result<()>) -> Result<()> {
        let mut result = Ok(());
        let mut headers = Vec::new();
        for entry in &self.records {
            headers.clear();
            headers.extend(self.headers[entry.headers.0..entry.headers.1].iter().map(|header| Header {
                name: std::str::from_utf8(self.bytes(header.name)).unwrap_or_default(),
                value: header.value.map(|span| self.bytes(span)),
            }));
            result = send(&ProducerRecord {
                topic: &self.topics[entry.target.0],
                partition: entry.partition,
                timestamp_ms: entry.timestamp_ms,
                key: entry.key.map(|span| self.bytes(span)),
                value: entry.value.map(|span| self.bytes(span)),
                headers: &headers,
            });
            if result.is_err() {
                break;
            }
        }
        self.clear();
        result
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
        self.headers.clear();
    }

    /// Whether there is nothing to produce.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys, values and headers waiting.
    pub fn size_bytes(&self) -> usize {
        self.arena.len()
    }

    fn write(&mut self, writer: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Span> {
        let start = self.arena.len();
        writer(&mut self.arena).then_some((start, self.arena.len()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in_and_null_is_not_empty() {
        let mut outputs = Outputs::new(vec!["a".into(), "b".into()]);
        let headers = [Header { name: "h", value: Some(b"v") }, Header { name: "n", value: None }];
        let some = |bytes: &'static [u8]| {
            move |arena: &mut Vec<u8>| {
                arena.extend_from_slice(bytes);
                true
            }
        };
        outputs.push(Target(1), Some(3), 7, some(b"key"), |_| false, &headers);
        outputs.push(Target(0), None, 8, |_| false, some(b""), &[]);
        let mut seen = Vec::new();
        outputs
            .drain(|record| {
                seen.push(format!("{record:?}"));
                Ok(())
            })
            .unwrap();
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
}
