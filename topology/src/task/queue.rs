//! What arrived of one input and was not taken yet.
//!
//! ```text
//!            low                        delivered_to
//!   taken     │   records that wait        │  to come, or known to be empty
//!   ──────────┴────────────────────────────┴───────────────────────────────
//!             a task that needs what lies before `low` must have the log go back
//! ```
//! While nothing waits, the only input of a task needs no queue: its records are taken as they come, borrowed from the
//! client's buffers. What a task leaves of them for later, and what waits for another input, is copied once, so that a
//! queue takes the memory that it says and keeps no fetched buffer from being freed.

use std::collections::VecDeque;

use crate::log::{Offset, OwnedRecords, Record};

/// Before the log was told where to read from, all that it delivers lies behind a gap.
const NOWHERE: Offset = Offset::MAX;

/// Which records of an input are here.
#[derive(Debug)]
pub(super) struct Queue {
    batches: VecDeque<OwnedRecords>,
    /// Where in the first batch the next record is.
    front: usize,
    size_bytes: usize,
    low: Offset,
    delivered_to: Offset,
    /// Nothing of the log is behind what is queued, up to this offset.
    end: Option<Offset>,
}

impl Queue {
    /// A queue whose log was not told yet where to read from.
    pub(super) fn new() -> Self {
        Self { batches: VecDeque::new(), front: 0, size_bytes: 0, low: NOWHERE, delivered_to: NOWHERE, end: None }
    }

    /// The log was told to read from `offset`.
    pub(super) fn restart(&mut self, offset: Offset) {
        *self = Self { low: offset, delivered_to: offset, ..Self::new() };
    }

    /// Whether records from `next` on are not here, though later ones may be.
    pub(super) fn is_behind(&self, next: Offset) -> bool {
        next < self.low
    }

    /// Everything below this offset arrived.
    pub(super) fn delivered_to(&self) -> Offset {
        self.delivered_to
    }

    /// Records arrived that are taken at once.
    pub(super) fn pass(&mut self, records: &[Record<'_>]) {
        if let Some(last) = records.last() {
            self.delivered_to = last.offset.saturating_add(1);
            self.low = self.delivered_to;
            self.end = None;
        }
    }

    /// Records arrived that wait for their turn.
    pub(super) fn push(&mut self, records: &[Record<'_>]) {
        let Some(last) = records.last() else { return };
        let batch = OwnedRecords::copy(records);
        self.size_bytes += batch.size_bytes();
        self.batches.push_back(batch);
        self.delivered_to = last.offset.saturating_add(1);
        self.end = None;
    }

    /// Nothing lies between what arrived and `offset`, and nothing is there yet.
    pub(super) fn ends_at(&mut self, offset: Offset) {
        self.delivered_to = self.delivered_to.max(offset);
        self.end = Some(self.delivered_to);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How far the input is known to hold nothing more, once all that is queued was taken.
    pub(super) fn known_end(&self) -> Option<Offset> {
        self.end
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Event time of the next record.
    pub(super) fn head_ms(&self) -> Option<i64> {
        self.batches.front()?.place(self.front).map(|(_, timestamp_ms)| timestamp_ms)
    }

    /// How many records from the head on, `count_max` at most and all of one batch, come before everything else that
    /// waits.
    pub(super) fn count_while(&self, count_max: usize, comes_first: impl Fn(i64) -> bool) -> usize {
        let Some(batch) = self.batches.front() else { return 0 };
        let times = (self.front..batch.len()).take(count_max).map_while(|index| batch.place(index));
        times.take_while(|(_, timestamp_ms)| comes_first(*timestamp_ms)).count()
    }

    /// Takes the first batch out, with where in it the next record is. To be given back with [`Queue::untake`].
    pub(super) fn take(&mut self) -> Option<(OwnedRecords, usize)> {
        Some((self.batches.pop_front()?, self.front))
    }

    /// Gives a batch back: what lies below `next` was taken.
    pub(super) fn untake(&mut self, batch: OwnedRecords, next: Offset) {
        while batch.place(self.front).is_some_and(|(offset, _)| offset < next) {
            self.front += 1;
        }
        self.low = self.low.max(next);
        if self.front < batch.len() {
            self.batches.push_front(batch);
        } else {
            self.front = 0;
            self.size_bytes = self.size_bytes.saturating_sub(batch.size_bytes());
        }
    }

    /// Nothing of this input is needed below `next`, though records that are there may lie below it.
    pub(super) fn forget_below(&mut self, next: Offset) {
        while self.batches.front().and_then(|batch| batch.place(self.front)).is_some_and(|(offset, _)| offset < next) {
            if let Some((batch, _)) = self.take() {
                self.untake(batch, next);
            }
        }
    }
}
