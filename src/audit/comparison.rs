//! The chain against the transactions topic: every record is in exactly one block, as it was, in the order of its
//! partition, and nothing else is.

use crate::chain::{Block, Content, Entry, Origin, RecordDifference};
use crate::ledger::cut::Item;

use super::partition::Partition;
use crate::consensus::follow::{Broken, Reason};

/// Walks over blocks and records side by side, each partition by itself.
#[derive(Debug, Default)]
pub struct Comparison {
    /// By number.
    partitions: Vec<Partition>,
    /// The height from which on all records could be compared.
    from_height: Option<u64>,
    compared_count: u64,
    /// The partition of the entry that was compared last.
    last_partition: i32,
}

impl Comparison {
    /// With a topic whose first remaining offsets are these, by partition.
    pub fn new(first_offsets: &[i64]) -> Self {
        Self { partitions: first_offsets.iter().map(|first| Partition::new(*first)).collect(), ..Self::default() }
    }

    /// The next records of a partition, as the entries that they become before anybody has executed them
    /// ([`Entry::of_record`]).
    pub fn push(&mut self, partition: i32, entries: Vec<Entry>) {
        if let Some(partition) = self.partition_mut(partition) {
            partition.push(entries);
        }
    }

    /// A partition has no more records.
    pub fn end(&mut self, partition: i32) {
        if let Some(partition) = self.partition_mut(partition) {
            partition.end();
        }
    }

    fn partition_mut(&mut self, number: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(number).ok()?)
    }

    /// The first entry, that no block has been compared with, of the partition that was looked at last.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.partitions.get(usize::try_from(self.last_partition).ok()?)?.front()
    }

    /// A partition of which more records are needed before a block can be compared: never more than the block has.
    pub fn lacking_for(&self, block: &Block) -> Option<i32> {
        let is_lacking = |partition: i32| {
            let range = block.header.ranges.iter().find(|range| range.partition == partition)?;
            let there = self.partitions.get(usize::try_from(partition).ok()?)?;
            (!there.has_enough_for(range)).then_some(partition)
        };
        block.header.ranges.iter().find_map(|range| is_lacking(range.partition))
    }

    /// Compares a block. Nothing must be lacking for it ([`Comparison::lacking_for`]). `low` asks for a partition's
    /// first offset now: a record that is missing may have been deleted while others were read.
    pub fn check<E>(
        &mut self,
        block: &Block,
        mut low: impl FnMut(i32) -> Result<i64, E>,
    ) -> Result<Result<(), Broken>, E> {
        let height = block.header.height;
        let mut is_complete = true;
        for entry in &block.entries {
            match self.compare_next(entry, &mut low)? {
                Ok(was_there) => is_complete &= was_there,
                Err(detail) => return Ok(Err(Broken::new(height, Reason::Transactions, detail))),
            }
        }
        if !is_complete {
            self.from_height = None;
        } else if !block.entries.is_empty() {
            self.from_height.get_or_insert(height);
        }
        Ok(Ok(()))
    }

    /// Compares an entry with the next record of its partition; whether there was one. The inner error is what differs.
    fn compare_next<E>(
        &mut self,
        entry: &Entry,
        mut low: impl FnMut(i32) -> Result<i64, E>,
    ) -> Result<Result<bool, String>, E> {
        let Origin { partition: number, offset, .. } = entry.origin;
        let count = self.partitions.len();
        let wrong = |what: String| Ok(Err(if count > 1 { format!("partition {number} {what}") } else { what }));
        self.last_partition = number;
        let Some(partition) = self.partition_mut(number) else {
            return Ok(Err(format!("partition {number} offset {offset}: the topic has {count} partitions, from 0")));
        };
        let was_there = match partition.front() {
            Some(original) if original.origin.offset == offset => {
                if let Err(what) = compare(entry, original) {
                    return wrong(format!("offset {offset}: {what}"));
                }
                partition.pass_front();
                true
            }
            Some(original) if original.origin.offset < offset => {
                let dropped = original.origin.offset;
                return wrong(format!("offset {dropped} of the topic is in no block: it was dropped"));
            }
            _ => {
                if partition.is_there(offset, || low(number))? {
                    return wrong(format!("offset {offset} is in the block and not on the topic: it was invented"));
                }
                false
            }
        };
        partition.sealed(offset);
        self.compared_count += u64::from(was_there);
        Ok(Ok(was_there))
    }

    /// The record behind the last block, if it has been pushed and it is certain that none between the two was deleted.
    /// Of several partitions nothing tells whose would have come next.
    pub fn next_item<E>(&mut self, low: impl FnOnce() -> Result<i64, E>) -> Result<Option<Item>, E> {
        let [partition] = &mut self.partitions[..] else { return Ok(None) };
        let (Some(next), Some(last_offset)) = (partition.front(), partition.last_offset()) else { return Ok(None) };
        let item = Item::from(next);
        Ok(partition.is_there(last_offset.saturating_add(1), low)?.then_some(item))
    }

    /// The height from which on every block was compared in full.
    pub fn from_height(&self) -> Option<u64> {
        self.from_height
    }

    /// Records compared.
    pub fn compared_count(&self) -> u64 {
        self.compared_count
    }

    /// Records pushed and not compared: behind the last block, those that are not sealed yet.
    pub fn waiting_count(&self) -> usize {
        self.partitions.iter().map(Partition::waiting_count).sum()
    }
}

/// What differs, if anything.
fn compare(entry: &Entry, original: &Entry) -> Result<(), String> {
    match entry.record_difference(original) {
        None => Ok(()),
        Some(RecordDifference::Place | RecordDifference::Time) => {
            let (found, expected) = (entry.origin.timestamp_ms, original.origin.timestamp_ms);
            Err(format!("the block says timestamp {found}, the topic {expected}"))
        }
        Some(RecordDifference::Value) => Err("the block has the hash of another value than the topic's".to_owned()),
        Some(RecordDifference::Content) => Err(match (&entry.content, &original.content) {
            (Content::Transaction { .. }, Content::Transaction { .. }) => {
                "the block holds another transaction than the topic".to_owned()
            }
            (Content::Transaction { .. }, Content::Stub { reason, .. }) => {
                format!("the block holds a transaction, the topic something unreadable ({reason})")
            }
            (Content::Stub { .. }, Content::Transaction { .. }) => {
                "the block calls a transaction unreadable".to_owned()
            }
            (Content::Stub { .. }, Content::Stub { .. }) => {
                "the block's stub is not what the topic's record gives".to_owned()
            }
        }),
    }
}
