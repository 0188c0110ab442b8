//! What is kept beside the records, as rows of bytes.
//!
//! ```text
//! key                                               value
//! I                                                 u32 next topic id | i64 next producer id
//! T name                                            u32 id | [16] topic id | u32 partitions | u32 count | (str name | str value)*
//! P u32 topic | u32 partition                       i64 low | i64 end | i64 cleaned to | u64 clean | u64 dirty bytes
//! A u32 topic | u32 partition | i64 last            i64 producer id | i64 first
//! O i64 producer id                                 (u32 topic | u32 partition | i64 first)*
//! G str group | str topic | u32 partition           i64 offset | str metadata
//! ```
//! `A` is an aborted transaction's stretch of a partition, `O` an open transaction, `G` a committed group offset.
//! In keys integers are big-endian, so that rows sort as they are read; in values little-endian. `str` is a u32 length
//! and that many bytes of UTF-8. Retired first letters are not given out again.

use crate::log::{Committed, Error, Kind, Offset, Result, TopicId};

use super::partition::{Aborted, Partition};
use super::storage::{PartitionId, RowChange};
use super::topic::Topic;

/// A row read back.
#[derive(Debug, PartialEq)]
pub(crate) enum Row {
    Ids { next_topic_id: u32, next_producer_id: i64 },
    Topic { name: String, id: u32, topic_id: TopicId, partition_count: u32, config: Vec<(String, String)> },
    Partition { id: PartitionId, partition: Partition },
    Aborted { id: PartitionId, aborted: Aborted },
    Open { producer_id: i64, partitions: Vec<(PartitionId, Offset)> },
    Committed { group: String, topic: String, partition: i32, committed: Committed },
}

pub(crate) fn ids(next_topic_id: u32, next_producer_id: i64) -> RowChange {
    let mut value = next_topic_id.to_le_bytes().to_vec();
    value.extend_from_slice(&next_producer_id.to_le_bytes());
    (b"I".to_vec(), Some(value))
}

pub(crate) fn topic(topic: &Topic) -> RowChange {
    let mut value = topic.id.to_le_bytes().to_vec();
    value.extend_from_slice(topic.topic_id.as_bytes());
    value.extend_from_slice(&(topic.partitions.len() as u32).to_le_bytes());
    value.extend_from_slice(&(topic.config.len() as u32).to_le_bytes());
    for (name, setting) in &topic.config {
        push_str(&mut value, name);
        push_str(&mut value, setting);
    }
    (topic_key(&topic.name), Some(value))
}

pub(crate) fn topic_key(name: &str) -> Vec<u8> {
    [b"T", name.as_bytes()].concat()
}

pub(crate) fn partition(id: PartitionId, partition: &Partition) -> RowChange {
    let mut value = Vec::with_capacity(40);
    for field in [partition.low, partition.end, partition.cleaned_to] {
        value.extend_from_slice(&field.to_le_bytes());
    }
    value.extend_from_slice(&partition.clean_bytes.to_le_bytes());
    value.extend_from_slice(&partition.dirty_bytes.to_le_bytes());
    (partition_key(id), Some(value))
}

pub(crate) fn partition_key(id: PartitionId) -> Vec<u8> {
    keyed(b'P', id)
}

pub(crate) fn aborted(id: PartitionId, aborted: &Aborted) -> RowChange {
    let mut value = aborted.producer_id.to_le_bytes().to_vec();
    value.extend_from_slice(&aborted.first.to_le_bytes());
    (aborted_key(id, aborted.last), Some(value))
}

pub(crate) fn aborted_key(id: PartitionId, last: Offset) -> Vec<u8> {
    let mut key = keyed(b'A', id);
    key.extend_from_slice(&last.to_be_bytes());
    key
}

pub(crate) fn open<'a>(producer_id: i64, partitions: impl Iterator<Item = (&'a PartitionId, &'a Offset)>) -> RowChange {
    let mut value = Vec::new();
    for (id, first) in partitions {
        value.extend_from_slice(&id.topic.to_le_bytes());
        value.extend_from_slice(&id.partition.to_le_bytes());
        value.extend_from_slice(&first.to_le_bytes());
    }
    (open_key(producer_id), Some(value))
}

pub(crate) fn open_key(producer_id: i64) -> Vec<u8> {
    [b"O".as_slice(), &producer_id.to_be_bytes()].concat()
}

pub(crate) fn committed(group: &str, topic: &str, partition: i32, committed: &Committed) -> RowChange {
    let mut value = committed.offset.to_le_bytes().to_vec();
    push_str(&mut value, &committed.metadata);
    (committed_key(group, topic, partition), Some(value))
}

pub(crate) fn committed_key(group: &str, topic: &str, partition: i32) -> Vec<u8> {
    let mut key = b"G".to_vec();
    push_str(&mut key, group);
    push_str(&mut key, topic);
    key.extend_from_slice(&partition.to_be_bytes());
    key
}

/// Reads a row back.
pub(crate) fn parse(key: &[u8], value: &[u8]) -> Result<Row> {
    row(key, value).ok_or_else(|| {
        Error::new(Kind::Fatal, format!("a stored row cannot be read; its key is '{}'", key.escape_ascii()))
    })
}

fn row(key: &[u8], value: &[u8]) -> Option<Row> {
    let (kind, key) = key.split_first()?;
    let (key, value) = (&mut Input(key), &mut Input(value));
    let row = match kind {
        b'I' => Row::Ids { next_topic_id: value.u32()?, next_producer_id: value.i64()? },
        b'T' => {
            let name = String::from_utf8(std::mem::take(&mut key.0).to_vec()).ok()?;
            let (id, topic_id) = (value.u32()?, TopicId::from_bytes(value.array()?));
            let (partition_count, count) = (value.u32()?, value.u32()?);
            let config = (0..count).map(|_| Some((value.str()?, value.str()?))).collect::<Option<_>>()?;
            Row::Topic { name, id, topic_id, partition_count, config }
        }
        b'P' => Row::Partition {
            id: key.partition()?,
            partition: Partition {
                low: value.i64()?,
                end: value.i64()?,
                cleaned_to: value.i64()?,
                clean_bytes: value.i64()? as u64,
                dirty_bytes: value.i64()? as u64,
                ..Partition::default()
            },
        },
        b'A' => {
            let id = key.partition()?;
            let last = i64::from_be_bytes(key.array()?);
            Row::Aborted { id, aborted: Aborted { producer_id: value.i64()?, first: value.i64()?, last } }
        }
        b'O' => {
            let producer_id = i64::from_be_bytes(key.array()?);
            let mut partitions = Vec::new();
            while !value.0.is_empty() {
                let id = PartitionId { topic: value.u32()?, partition: value.u32()? };
                partitions.push((id, value.i64()?));
            }
            Row::Open { producer_id, partitions }
        }
        b'G' => Row::Committed {
            group: key.str()?,
            topic: key.str()?,
            partition: i32::from_be_bytes(key.array()?),
            committed: Committed { offset: value.i64()?, metadata: value.str()? },
        },
        _ => return None,
    };
    (key.0.is_empty() && value.0.is_empty()).then_some(row)
}

fn keyed(kind: u8, id: PartitionId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(kind);
    key.extend_from_slice(&id.topic.to_be_bytes());
    key.extend_from_slice(&id.partition.to_be_bytes());
    key
}

fn push_str(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn str(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn partition(&mut self) -> Option<PartitionId> {
        Some(PartitionId { topic: u32::from_be_bytes(self.array()?), partition: u32::from_be_bytes(self.array()?) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_back((key, value): RowChange) -> Row {
        parse(&key, &value.unwrap()).unwrap()
    }

    #[test]
    fn every_row_is_read_back() {
        let id = PartitionId { topic: 3, partition: 9 };
        assert_eq!(read_back(ids(4, 5)), Row::Ids { next_topic_id: 4, next_producer_id: 5 });
        let config = vec![("cleanup.policy".to_owned(), "compact".to_owned())];
        let name = "orders".to_owned();
        let topic_id = TopicId::from_bytes([8; 16]);
        let made = Topic::new(7, topic_id, name.clone(), 2, config.clone()).unwrap();
        assert_eq!(read_back(topic(&made)), Row::Topic { name, id: 7, topic_id, partition_count: 2, config });
        let state =
            Partition { low: 1, end: 8, cleaned_to: 3, clean_bytes: 40, dirty_bytes: 50, ..Partition::default() };
        assert_eq!(read_back(partition(id, &state)), Row::Partition { id, partition: state });
        let stretch = Aborted { producer_id: 6, first: 2, last: 5 };
        assert_eq!(read_back(aborted(id, &stretch)), Row::Aborted { id, aborted: stretch });
        assert_eq!(
            read_back(open(6, [(&id, &2)].into_iter())),
            Row::Open { producer_id: 6, partitions: vec![(id, 2)] }
        );
        let offset = Committed { offset: 11, metadata: "time=3".to_owned() };
        assert_eq!(
            read_back(committed("group", "orders", 1, &offset)),
            Row::Committed { group: "group".into(), topic: "orders".into(), partition: 1, committed: offset }
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            kind in prop::sample::select(b"ITPAOGx".to_vec()),
            key in proptest::collection::vec(any::<u8>(), 0..24),
            value in proptest::collection::vec(any::<u8>(), 0..48),
        ) {
            let _ = parse(&[&[kind], key.as_slice()].concat(), &value);
        }
    }
}
