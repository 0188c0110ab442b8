//! A batch of records, as it lies in storage: one block of bytes, written once, handed out borrowed.
//!
//! ```text
//! batch   0  u8   format, 1                       record  0  u32  offset - base offset
//!         1  0, 0, 0                                      4  i64  timestamp, ms
//!                                                        12  i32  key length, -1: none
//!         4  u32  record count                           16  i32  value length, -1: none
//!         8  i64  base offset                            20  u32  header count
//!        16  i64  last offset                            24  key, value, headers
//!        24  i64  producer id, -1: compacted
//!        32  i64  largest timestamp, ms           header  0  u32  name length
//!        40  i64  delete horizon, ms, -1: none            4  i32  value length, -1: none
//!        48  records                                      8  name, value
//! ```
//! All integers are little-endian. A batch holds records of one transaction, so that whether it was aborted is one
//! look-up per batch; compaction writes only records that are committed, and merges those of several transactions under
//! producer id -1. Transaction markers take an offset and no bytes: a gap before the next batch. May use the log's
//! records and errors.

mod builder;

use crate::log::record::Encoded;
use crate::log::{Error, Header, Headers, Kind, Offset, ProducerRecord, Record, Result};

pub(crate) use builder::Builder;

const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 48;
const RECORD_HEAD_BYTES: usize = 24;
const RECORD_HEADER_HEAD_BYTES: usize = 8;

/// The producer id of a batch whose records are known to be committed.
pub(crate) const COMPACTED: i64 = -1;

/// No delete horizon was set yet.
pub(crate) const NO_HORIZON: i64 = -1;

/// Bytes this record takes in a batch of its own: what is held against `max.message.bytes`.
pub(crate) fn size_bytes(record: &ProducerRecord<'_>) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|header| RECORD_HEADER_HEAD_BYTES + header.name.len() + header.value.map_or(0, <[u8]>::len))
        .sum();
    HEAD_BYTES + RECORD_HEAD_BYTES + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers
}

/// A stored batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    bytes: &'a [u8],
    pub(crate) count: u32,
    pub(crate) base: Offset,
    pub(crate) last: Offset,
    pub(crate) producer_id: i64,
    pub(crate) timestamp_ms_max: i64,
    pub(crate) delete_horizon_ms: i64,
}

/// Where a reader stands in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    byte: usize,
    index: u32,
}

impl Cursor {
    /// Before the first record.
    pub(crate) fn start() -> Self {
        Self { byte: HEAD_BYTES, index: 0 }
    }
}

/// A record as stored, headers not taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a> {
    pub(crate) offset: Offset,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    header_count: u32,
    headers: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the head. An unknown format is refused.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut input = bytes;
        let (Some([format, _, _, _]), Some(count)) = (take::<4>(&mut input), take(&mut input)) else {
            return Err(broken("it ends inside its head"));
        };
        if format != FORMAT {
            return Err(broken(format!("its format is {format}, this version reads {FORMAT}")));
        }
        let mut field = || take(&mut input).map(i64::from_le_bytes).ok_or_else(|| broken("it ends inside its head"));
        Ok(Self {
            bytes,
            count: u32::from_le_bytes(count),
            base: field()?,
            last: field()?,
            producer_id: field()?,
            timestamp_ms_max: field()?,
            delete_horizon_ms: field()?,
        })
    }

    /// Bytes of the batch.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the reader has had all records.
    pub(crate) fn is_read(&self, cursor: &Cursor) -> bool {
        cursor.index >= self.count
    }

    /// The next record, and the cursor behind it.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Result<Option<RawRecord<'a>>> {
        if self.is_read(cursor) {
            return Ok(None);
        }
        let start = self.bytes.get(cursor.byte..).ok_or_else(|| broken("a record begins behind its end"))?;
        let record = raw_record(start, self.base).ok_or_else(|| broken("it ends inside a record"))?;
        cursor.byte += record.bytes.len();
        cursor.index += 1;
        Ok(Some(record))
    }
}

impl<'a> RawRecord<'a> {
    /// The record as handed to readers, without its headers.
    pub(crate) fn record(&self) -> Record<'a> {
        let Self { offset, timestamp_ms, key, value, .. } = *self;
        Record { offset, timestamp_ms, key, value, headers: Headers::NONE }
    }

    pub(crate) fn has_headers(&self) -> bool {
        self.header_count > 0
    }
}

impl Encoded for RawRecord<'_> {
    fn decode<'a>(&'a self, out: &mut Vec<Header<'a>>) -> bool {
        let mut input = self.headers;
        (0..self.header_count).all(|_| {
            let header = header(&mut input);
            out.extend(header);
            header.is_some()
        })
    }
}

fn raw_record(start: &[u8], base: Offset) -> Option<RawRecord<'_>> {
    let mut input = start;
    let delta = u32::from_le_bytes(take(&mut input)?);
    let timestamp_ms = i64::from_le_bytes(take(&mut input)?);
    let key_length = i32::from_le_bytes(take(&mut input)?);
    let value_length = i32::from_le_bytes(take(&mut input)?);
    let header_count = u32::from_le_bytes(take(&mut input)?);
    let key = take_optional(&mut input, key_length)?;
    let value = take_optional(&mut input, value_length)?;
    let headers_start = input;
    for _ in 0..header_count {
        let name_length = u32::from_le_bytes(take(&mut input)?);
        let value_length = i32::from_le_bytes(take(&mut input)?);
        let (_, rest) = input.split_at_checked(name_length as usize)?;
        input = rest;
        take_optional(&mut input, value_length)?;
    }
    let bytes = start.get(..start.len() - input.len())?;
    let headers = headers_start.get(..headers_start.len() - input.len())?;
    let offset = base.checked_add(i64::from(delta))?;
    Some(RawRecord { offset, timestamp_ms, key, value, header_count, headers, bytes })
}

fn header<'a>(input: &mut &'a [u8]) -> Option<Header<'a>> {
    let name_length = u32::from_le_bytes(take(input)?);
    let value_length = i32::from_le_bytes(take(input)?);
    let (name, rest) = input.split_at_checked(name_length as usize)?;
    *input = rest;
    let value = take_optional(input, value_length)?;
    Some(Header { name, value })
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

/// A field whose length came first; `Some(None)` where that is negative.
fn take_optional<'a>(input: &mut &'a [u8], length: i32) -> Option<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(length) else {
        return Some(None);
    };
    let (field, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Some(field))
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Fatal, format!("a stored batch of records cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Fields = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

    fn fields() -> impl Strategy<Value = Vec<Fields>> {
        let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20));
        let names = proptest::collection::vec(any::<u8>(), 0..5);
        let headers = proptest::collection::vec((names, bytes()), 0..3);
        proptest::collection::vec((any::<i64>(), bytes(), bytes(), headers), 1..20)
    }

    fn build(all: &[Fields], base: Offset) -> Vec<u8> {
        let mut builder = Builder::default();
        for (timestamp_ms, key, value, headers) in all {
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
            builder.push(&ProducerRecord {
                topic: "t",
                partition: Some(0),
                timestamp_ms: *timestamp_ms,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: &headers,
            });
        }
        builder.seal(base, 7).to_vec()
    }

    proptest! {
        #[test]
        fn what_was_built_is_read_back(all in fields(), base in 0i64..1_000_000) {
            let bytes = build(&all, base);
            let batch = Batch::parse(&bytes).unwrap();
            prop_assert_eq!((batch.base, batch.last, batch.producer_id), (base, base + all.len() as i64 - 1, 7));
            let mut cursor = Cursor::start();
            for (index, (timestamp_ms, key, value, headers)) in all.iter().enumerate() {
                let raw = batch.next(&mut cursor).unwrap().unwrap();
                let mut read = Vec::new();
                prop_assert!(raw.decode(&mut read));
                prop_assert_eq!(raw.has_headers(), !read.is_empty());
                let record = raw.record();
                prop_assert_eq!(record.offset, base + index as i64);
                prop_assert_eq!(record.timestamp_ms, *timestamp_ms);
                prop_assert_eq!(record.key, key.as_deref());
                prop_assert_eq!(record.value, value.as_deref());
                let expected: Vec<Header<'_>> =
                    headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
                prop_assert_eq!(read, expected);
            }
            prop_assert!(batch.next(&mut cursor).unwrap().is_none());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            all in fields(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = build(&all, 5);
            for (index, value) in changes {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(keep.index(bytes.len() + 1));
            if let Ok(batch) = Batch::parse(&bytes) {
                let mut cursor = Cursor::start();
                while let Ok(Some(raw)) = batch.next(&mut cursor) {
                    let _ = raw.decode(&mut Vec::new());
                }
            }
        }
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let mut bytes = build(&[(1, None, None, Vec::new())], 0);
        bytes[0] = 9;
        assert_eq!(Batch::parse(&bytes).unwrap_err().kind(), Kind::Fatal);
    }
}
