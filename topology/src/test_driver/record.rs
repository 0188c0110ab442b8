//! Records that outlive the log's buffers.

use crate::log::{Header, Offset, ProducerRecord, Record};

/// A record that the driver keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: Offset,
    /// Event time, ms since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Names and values of headers. What is not UTF-8 in a name is replaced.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// The value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(at, _)| at == name)?;
        value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// As it goes to this partition; its offset is not known yet.
    pub(super) fn copy(record: &ProducerRecord<'_>, partition: i32) -> Self {
        let headers = record.headers.iter();
        Self {
            partition,
            offset: -1,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (String::from_utf8_lossy(header.name).into_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    pub(super) fn borrow_headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name: name.as_bytes(), value: value.as_deref() }).collect()
    }

    /// As it is consumed, with what [`OwnedRecord::borrow_headers`] gave.
    pub(super) fn borrow<'a>(&'a self, headers: &'a [Header<'a>]) -> Record<'a> {
        Record {
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.into(),
        }
    }
}
