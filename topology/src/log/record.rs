//! Records, as a log hands them over and takes them.

use std::fmt;

/// A position in a partition.
pub type Offset = i64;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A header of a record; a value may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name; not unique in a record, and not always UTF-8: any producer may write what it likes. From Kafka it ends
    /// before its first zero byte, as librdkafka does not tell how long it is; so a name is no proof of who wrote the
    /// record.
    pub name: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Headers of a consumed record, in order. They are taken apart when asked for: most records have none that anybody
/// reads, and to find that out costs a client more than all else that it does for a record.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    List(&'a [Header<'a>]),
    Encoded(&'a dyn Encoded),
}

/// A record whose headers its log has not taken apart.
pub(in crate::log) trait Encoded {
    /// Appends the headers, in order; `false` where they cannot be read, whatever was appended then.
    fn decode<'a>(&'a self, out: &mut Vec<Header<'a>>) -> bool;
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Self = Self(Source::List(&[]));

    pub(in crate::log) fn encoded(record: &'a dyn Encoded) -> Self {
        Self(Source::Encoded(record))
    }

    /// The headers, without an allocation where there are none. Empty where they cannot be read: what somebody wrote
    /// into headers must not cost the record.
    pub fn to_vec(self) -> Vec<Header<'a>> {
        let mut headers = Vec::new();
        match self.0 {
            Source::List(list) => headers.extend_from_slice(list),
            Source::Encoded(record) => {
                if !record.decode(&mut headers) {
                    headers.clear();
                }
            }
        }
        headers
    }
}

impl<'a> From<&'a [Header<'a>]> for Headers<'a> {
    fn from(list: &'a [Header<'a>]) -> Self {
        Self(Source::List(list))
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_vec().fmt(f)
    }
}

impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_vec() == other.to_vec()
    }
}

impl Eq for Headers<'_> {}

/// A consumed record, borrowed from the client's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Event time, ms since 1970; -1 where the producer gave none.
    pub timestamp_ms: i64,
    /// The key; `None` is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// A record to produce; the log copies what it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerRecord<'a> {
    /// To which topic.
    pub topic: &'a str,
    /// To which partition, from 0; `None`: by murmur2 of the key, where Java's producer would put it (without a key:
    /// any).
    pub partition: Option<i32>,
    /// Event time, ms since 1970, or [`ProducerRecord::NOW`]. Kafka gets 1 for 0, which librdkafka takes for "now".
    pub timestamp_ms: i64,
    /// The key; `None` is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

/// Most that a record batch adds to the keys, values and headers of its only record.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 61 + 30;
/// Most that a record adds to each header.
pub(crate) const HEADER_OVERHEAD_BYTES: usize = 10;

impl ProducerRecord<'_> {
    /// As a record's event time: the moment when the log takes the record, by the log's clock.
    pub const NOW: i64 = i64::MIN;

    /// What it takes in a batch of its own, uncompressed, at most.
    pub fn size_max_bytes(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers =
            self.headers.iter().map(|header| header.name.len() + length(header.value) + HEADER_OVERHEAD_BYTES);
        BATCH_OVERHEAD_BYTES + length(self.key) + length(self.value) + headers.sum::<usize>()
    }
}
