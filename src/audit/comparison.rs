//! The chain against the transactions topic: every record is in exactly one block, as it was, and nothing else is.

use std::collections::VecDeque;

use crate::chain::{Block, Content, Entry, Origin, RecordDifference};
use crate::ledger::cut::Item;

use crate::consensus::follow::{Broken, Reason};

/// The partition that is sealed, and so compared.
pub(super) const PARTITION: i32 = 0;

/// Walks over blocks and records side by side.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The entries of records, in the batches in which they came.
    batches: VecDeque<Vec<Entry>>,
    /// How many entries of the first batch blocks have been compared with.
    compared_of_first: usize,
    /// Entries that no block has been compared with yet.
    waiting_count: usize,
    /// The topic's first offset, as far as is known: older records were deleted by retention.
    first_offset: i64,
    /// The last offset of the last block.
    last_offset: Option<i64>,
    /// The height from which on all records could be compared.
    from_height: Option<u64>,
    compared_count: u64,
}

impl Comparison {
    /// With a topic whose first remaining offset is `first_offset`.
    pub fn new(first_offset: i64) -> Self {
        Self { first_offset, ..Self::default() }
    }

    /// The next records of the topic, as the entries that they become before anybody has executed them
    /// ([`Entry::of_record`]).
    pub fn push(&mut self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.waiting_count += entries.len();
            self.batches.push_back(entries);
        }
    }

    /// The first entry that no block has been compared with.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.batches.front()?.get(self.compared_of_first)
    }

    /// A block has been compared with the first entry. It stays where it is until all of its batch were.
    fn pass_front(&mut self) {
        let Some(first) = self.batches.front() else { return };
        self.waiting_count = self.waiting_count.saturating_sub(1);
        self.compared_count += 1;
        self.compared_of_first += 1;
        if self.compared_of_first >= first.len() {
            self.batches.pop_front();
            self.compared_of_first = 0;
        }
    }

    /// Whether a block can be compared with what has been pushed. As many records as the block has are always enough, so
    /// a block that names an offset far ahead does not fill the memory.
    pub fn has_enough_for(&self, block: &Block) -> bool {
        let last = block.entries.last().map_or(-1, |entry| entry.origin.offset);
        let newest = self.batches.back().and_then(|batch| batch.last());
        self.waiting_count >= block.entries.len() || newest.is_some_and(|original| original.origin.offset >= last)
    }

    /// Compares a block. There must be enough for it ([`Comparison::has_enough_for`]), or no more records on the topic. `low`
    /// asks for the topic's first offset now: a record that is missing may have been deleted while others were read.
    pub fn check<E>(
        &mut self,
        block: &Block,
        mut low: impl FnMut() -> Result<i64, E>,
    ) -> Result<Result<(), Broken>, E> {
        let height = block.header.height;
        let mut is_complete = true;
        for entry in &block.entries {
            let wrong = |detail: String| Ok(Err(Broken::new(height, Reason::Transactions, detail)));
            let Origin { partition, offset, .. } = entry.origin;
            if partition != PARTITION {
                return wrong(format!("partition {partition} offset {offset}: the topic's records are in {PARTITION}"));
            }
            match self.front() {
                Some(original) if original.origin.offset == offset => {
                    if let Err(what) = compare(entry, original) {
                        return wrong(format!("offset {offset}: {what}"));
                    }
                    self.pass_front();
                }
                Some(original) if original.origin.offset < offset => {
                    let dropped = original.origin.offset;
                    return wrong(format!("offset {dropped} of the topic is in no block: it was dropped"));
                }
                _ => {
                    if self.is_there(offset, &mut low)? {
                        return wrong(format!("offset {offset} is in the block and not on the topic: it was invented"));
                    }
                    is_complete = false;
                }
            }
            self.last_offset = Some(offset);
        }
        if !is_complete {
            self.from_height = None;
        } else if !block.entries.is_empty() {
            self.from_height.get_or_insert(height);
        }
        Ok(Ok(()))
    }

    /// The record behind the last block, if it has been pushed and it is certain that none between the two was deleted.
    pub fn next_item<E>(&mut self, low: impl FnMut() -> Result<i64, E>) -> Result<Option<Item>, E> {
        let (Some(next), Some(last_offset)) = (self.front(), self.last_offset) else { return Ok(None) };
        let item = Item::from(next);
        Ok(self.is_there(last_offset.saturating_add(1), low)?.then_some(item))
    }

    /// Whether the topic still has what it ever had at an offset.
    fn is_there<E>(&mut self, offset: i64, mut low: impl FnMut() -> Result<i64, E>) -> Result<bool, E> {
        if offset >= self.first_offset {
            self.first_offset = self.first_offset.max(low()?);
        }
        Ok(offset >= self.first_offset)
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
        self.waiting_count
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
