//! The chain against the transactions topic: every record is in exactly one block, as it was, and nothing else is.

use std::collections::VecDeque;

use crate::chain::{Block, Content, Entry, Hash, Origin, parse};
use crate::ledger::cut::Item;
use crate::ledger::execute;

use super::auditor::{Broken, Reason, broken};

/// The partition that is sealed, and so compared.
pub(super) const PARTITION: i32 = 0;

/// A record of the transactions topic, as much of it as is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, ms since 1970.
    pub timestamp_ms: i64,
    /// SHA-256 of its key; zeros without one.
    pub key: Hash,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

impl Original {
    /// The entry that the record becomes, before anybody has executed it.
    fn entry(&self) -> Entry {
        let origin = Origin { partition: PARTITION, offset: self.offset, timestamp_ms: self.timestamp_ms };
        let original = Hash::of_nullable(self.value.as_deref());
        match parse(self.value.as_deref()) {
            Ok(transaction) => execute::undecided(origin, original, transaction),
            Err(reject) => Entry {
                origin,
                original,
                content: Content::Stub { reason: reject.code, key: self.key, value: original },
            },
        }
    }
}

/// Walks over blocks and records side by side.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Records that no block has been compared with yet, in order.
    waiting: VecDeque<Original>,
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

    /// The next record of the topic.
    pub fn push(&mut self, original: Original) {
        self.waiting.push_back(original);
    }

    /// Whether a block can be compared with what has been pushed. As many records as the block has are always enough, so
    /// a block that names an offset far ahead does not fill the memory.
    pub fn has_enough_for(&self, block: &Block) -> bool {
        let last = block.entries.last().map_or(-1, |entry| entry.origin.offset);
        self.waiting.len() >= block.entries.len() || self.waiting.back().is_some_and(|original| original.offset >= last)
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
            let wrong = |detail: String| Ok(Err(broken(height, Reason::Transactions, detail)));
            let Origin { partition, offset, .. } = entry.origin;
            if partition != PARTITION {
                return wrong(format!("partition {partition} offset {offset}: the topic's records are in {PARTITION}"));
            }
            match self.waiting.front() {
                Some(original) if original.offset == offset => {
                    if let Err(what) = compare(entry, original) {
                        return wrong(format!("offset {offset}: {what}"));
                    }
                    self.waiting.pop_front();
                    self.compared_count += 1;
                }
                Some(original) if original.offset < offset => {
                    return wrong(format!("offset {} of the topic is in no block: it was dropped", original.offset));
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
        let (Some(next), Some(last_offset)) = (self.waiting.front(), self.last_offset) else { return Ok(None) };
        let item = Item::from(&next.entry());
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
        self.waiting.len()
    }
}

/// What differs, if anything.
fn compare(entry: &Entry, original: &Original) -> Result<(), String> {
    if entry.origin.timestamp_ms != original.timestamp_ms {
        let (found, expected) = (entry.origin.timestamp_ms, original.timestamp_ms);
        return Err(format!("the block says timestamp {found}, the topic {expected}"));
    }
    let value = original.value.as_deref();
    if entry.original != Hash::of_nullable(value) {
        return Err("the block has the hash of another value than the topic's".to_owned());
    }
    match (&entry.content, parse(value)) {
        (Content::Transaction { transaction, .. }, Ok(expected)) if *transaction == expected => Ok(()),
        (Content::Transaction { .. }, Ok(_)) => Err("the block holds another transaction than the topic".to_owned()),
        (Content::Transaction { .. }, Err(reject)) => {
            Err(format!("the block holds a transaction, the topic something unreadable ({})", reject.code))
        }
        (Content::Stub { .. }, Ok(_)) => Err("the block calls a transaction unreadable".to_owned()),
        (Content::Stub { reason, key, value: hash }, Err(reject)) => {
            let same = *reason == reject.code && *key == original.key && *hash == entry.original;
            if same { Ok(()) } else { Err("the block's stub is not what the topic's record gives".to_owned()) }
        }
    }
}
