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

    /// A record that was read from this partition.
    pub(crate) fn copy(partition: i32, record: &Record<'_>) -> Self {
        let Record { offset, timestamp_ms, key, value, headers } = *record;
        Self { offset, ..Self::without_offset(partition, timestamp_ms, key, value, &headers.to_vec()) }
    }

    /// A record as it goes to this partition.
    pub(super) fn produced(partition: i32, record: &ProducerRecord<'_>) -> Self {
        let ProducerRecord { timestamp_ms, key, value, headers, .. } = *record;
        Self::without_offset(partition, timestamp_ms, key, value, headers)
    }

    fn without_offset(
        partition: i32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Self {
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let headers = headers.iter();
        let headers = headers.map(|header| (String::from_utf8_lossy(header.name).into_owned(), own(header.value)));
        Self { partition, offset: -1, timestamp_ms, key: own(key), value: own(value), headers: headers.collect() }
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
