//! Records that outlive the client's buffers.

use std::ops::Range;

use super::record::{Encoded, Header, Headers, Offset, Record};

/// Consecutive records of one partition, copied once out of the client's buffers into one of their own.
///
/// ```
/// use topology::log::{Headers, OwnedRecords, Record};
///
/// let borrowed = Record { offset: 7, timestamp_ms: 1, key: None, value: Some(b"v"), headers: Headers::NONE };
/// let owned = OwnedRecords::copy(&[borrowed]);
/// assert_eq!(owned.get(0), Some(borrowed));
/// ```
#[derive(Debug)]
pub struct OwnedRecords {
    bytes: Box<[u8]>,
    records: Vec<Owned>,
    /// What the headers take, which lie elsewhere.
    header_bytes: usize,
}

#[derive(Debug)]
struct Owned {
    offset: Offset,
    timestamp_ms: i64,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    /// Few records have any.
    headers: Option<Box<OwnedHeaders>>,
}

#[derive(Debug)]
struct OwnedHeaders(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Encoded for OwnedHeaders {
    fn decode<'a>(&'a self, out: &mut Vec<Header<'a>>) -> bool {
        out.extend(self.0.iter().map(|(name, value)| Header { name, value: value.as_deref() }));
        true
    }
}

impl OwnedHeaders {
    fn size_bytes(&self) -> usize {
        let parts = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| {
            size_of::<(Vec<u8>, Option<Vec<u8>>)>() + name.len() + value.as_ref().map_or(0, Vec::len)
        };
        size_of::<Self>() + self.0.iter().map(parts).sum::<usize>()
    }
}

impl OwnedRecords {
    /// Copies records.
    pub fn copy(records: &[Record<'_>]) -> Self {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let size = records.iter().map(|record| length(record.key) + length(record.value)).sum();
        let mut bytes = Vec::with_capacity(size);
        let mut append = |part: Option<&[u8]>| {
            part.map(|part| {
                let start = bytes.len();
                bytes.extend_from_slice(part);
                start..bytes.len()
            })
        };
        let records = records.iter().map(|record| Owned {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: append(record.key),
            value: append(record.value),
            headers: own(record.headers),
        });
        let records: Vec<Owned> = records.collect();
        let headers = records.iter().filter_map(|record| record.headers.as_deref());
        let header_bytes = headers.map(OwnedHeaders::size_bytes).sum();
        Self { records, header_bytes, bytes: bytes.into_boxed_slice() }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What they take in memory, about, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<Owned>() + self.header_bytes
    }

    /// The offset and the event time of a record.
    pub(crate) fn place(&self, index: usize) -> Option<(Offset, i64)> {
        self.records.get(index).map(|record| (record.offset, record.timestamp_ms))
    }

    /// A record.
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.records.get(index).map(|record| self.borrow(record))
    }

    /// Some of the records, as they were; none where there are none in this range.
    pub fn range(&self, range: Range<usize>) -> Vec<Record<'_>> {
        self.records.get(range).unwrap_or_default().iter().map(|record| self.borrow(record)).collect()
    }

    fn borrow<'a>(&'a self, record: &'a Owned) -> Record<'a> {
        let part = |range: &Option<Range<usize>>| range.clone().and_then(|range| self.bytes.get(range));
        Record {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: part(&record.key),
            value: part(&record.value),
            headers: record.headers.as_deref().map_or(Headers::NONE, |headers| Headers::encoded(headers)),
        }
    }
}

fn own(headers: Headers<'_>) -> Option<Box<OwnedHeaders>> {
    let headers = headers.to_vec();
    let own = |header: &Header<'_>| (header.name.to_vec(), header.value.map(<[u8]>::to_vec));
    (!headers.is_empty()).then(|| Box::new(OwnedHeaders(headers.iter().map(own).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_it_was_copied_from_and_null_is_not_empty() {
        let headers = [Header { name: b"\xff", value: None }, Header { name: b"", value: Some(b"x") }];
        let plain = Record { offset: 3, timestamp_ms: -1, key: None, value: Some(b""), headers: Headers::NONE };
        let full =
            Record { offset: 9, timestamp_ms: 5, key: Some(b"k"), value: None, headers: headers.as_slice().into() };
        let owned = OwnedRecords::copy(&[plain, full]);
        assert_eq!(owned.range(0..2), [plain, full]);
        assert_eq!(owned.range(1..2), [full]);
        assert!(owned.range(1..3).is_empty() && owned.get(2).is_none());
    }

    #[test]
    fn headers_count_towards_what_a_copy_takes() {
        let headers = [Header { name: b"trace", value: Some(&[7; 1_000]) }];
        let plain = Record { offset: 0, timestamp_ms: 0, key: None, value: None, headers: Headers::NONE };
        let traced = Record { headers: headers.as_slice().into(), ..plain };
        let size_bytes = |record| OwnedRecords::copy(&[record]).size_bytes();
        assert!(size_bytes(traced) >= size_bytes(plain) + 1_005);
    }
}
