//! One partition of the transactions topic: its records, until a block was compared with them.

use std::collections::VecDeque;

use crate::chain::{Entry, Range};

/// What was read of a partition, in order, and no block was compared with yet.
#[derive(Debug)]
pub(super) struct Partition {
    /// The entries of records, in the batches in which they came.
    batches: VecDeque<Vec<Entry>>,
    /// How many entries of the first batch blocks have been compared with.
    compared_of_first: usize,
    /// Entries that no block has been compared with yet.
    waiting_count: usize,
    /// The first offset there is, as far as is known: older records were deleted by retention.
    first_offset: i64,
    /// The last offset that is in a block.
    last_offset: Option<i64>,
    /// Whether all was read.
    is_read: bool,
}

impl Partition {
    /// Of which nothing was read yet. `first_offset` is the first that remains.
    pub(super) fn new(first_offset: i64) -> Self {
        Self {
            batches: VecDeque::new(),
            compared_of_first: 0,
            waiting_count: 0,
            first_offset,
            last_offset: None,
            is_read: false,
        }
    }

    /// The next records, as the entries that they become before anybody has executed them ([`Entry::of_record`]).
    pub(super) fn push(&mut self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.waiting_count += entries.len();
            self.batches.push_back(entries);
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.is_read = true;
    }

    /// Whether a block can be compared with what is there. As many records as the block has of the partition are always
    /// enough, so a block that names an offset far ahead does not fill the memory.
    pub(super) fn has_enough_for(&self, range: &Range) -> bool {
        let newest = self.batches.back().and_then(|batch| batch.last());
        self.is_read
            || self.waiting_count as u64 >= range.count
            || newest.is_some_and(|newest| newest.origin.offset >= range.last)
    }

    /// The first entry that no block has been compared with.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.batches.front()?.get(self.compared_of_first)
    }

    /// A block has been compared with the first entry. It stays where it is until all of its batch were.
    pub(super) fn pass_front(&mut self) {
        let Some(first) = self.batches.front() else { return };
        self.waiting_count = self.waiting_count.saturating_sub(1);
        self.compared_of_first += 1;
        if self.compared_of_first >= first.len() {
            self.batches.pop_front();
            self.compared_of_first = 0;
        }
    }

    /// This offset is in a block.
    pub(super) fn sealed(&mut self, offset: i64) {
        self.last_offset = Some(offset);
    }

    /// The last offset that is in a block.
    pub(super) fn last_offset(&self) -> Option<i64> {
        self.last_offset
    }

    /// Records that are in no block yet.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// Whether the topic still has what it ever had at an offset. `low` asks for the first offset there is now.
    pub(super) fn is_there<E>(&mut self, offset: i64, low: impl FnOnce() -> Result<i64, E>) -> Result<bool, E> {
        if offset >= self.first_offset {
            self.first_offset = self.first_offset.max(low()?);
        }
        Ok(offset >= self.first_offset)
    }
}
