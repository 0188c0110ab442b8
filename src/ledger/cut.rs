//! Where a block ends: pure rules over the records of the log, in their order.
//!
//! ```text
//! before a record   window         it takes stream time past the end of the block's window
//!                   bytes          it takes the block over block.max_bytes
//! after a record    transactions   it is a transaction, and the block now holds block.max_transactions of them
//! by decision       age, end       recorded before anybody signs; the rules only see to it that they did not cut earlier
//! ```
//!
//! Stream time is the largest timestamp of any record so far. A block's window is the one that stream time lies in once
//! its first record is there, so a late record joins the open block. A record that alone is over `block.max_bytes`
//! makes a block of its own. Records that are no transactions count by their bytes alone: as many as one likes to send
//! must not be able to end blocks at the price of a few bytes each.

use crate::chain::json::ENTRY_RECEIPT_SIZE_BYTES_MAX;
use crate::chain::{Content, Cut, Entry, Header, Parameters, TIMESTAMP_MS_MAX, Window};

/// What the rules look at in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The record's timestamp, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// What it counts for against `block.max_bytes`: [`Entry::rendered_size_bytes`].
    pub size_bytes: u64,
    /// Whether it counts against `block.max_transactions`: it could be read as a transaction.
    pub is_transaction: bool,
}

impl Item {
    /// As of an entry, but counting for no bytes: where it is known that their bound is not reached.
    fn without_size(entry: &Entry) -> Self {
        let is_transaction = matches!(entry.content, Content::Transaction { .. });
        Self { timestamp_ms: entry.origin.timestamp_ms, size_bytes: 0, is_transaction }
    }
}

impl From<&Entry> for Item {
    fn from(entry: &Entry) -> Self {
        Self { size_bytes: entry.rendered_size_bytes() as u64, ..Self::without_size(entry) }
    }
}

/// What the rules say about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// It is in the open block, which stays open.
    Keep,
    /// The open block ends before it. The record is not taken: [`Cutter::close`], then offer it again.
    CutBefore(Cut),
    /// It is in the open block, which ends with it: [`Cutter::close`].
    CutAfter(Cut),
}

/// What the header says about a block that has been cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The window it lies in; `None` where blocks are not cut by event time.
    pub window: Option<Window>,
    /// Stream time at the cut.
    pub time_ms: i64,
}

/// Follows the open block. Its state is a function of the parent's time and of the records since, so after a restart
/// it is made again from the two.
///
/// ```
/// use cairn::chain::{Cut, Parameters};
/// use cairn::ledger::cut::{Cutter, Item, Placing};
///
/// let parameters = Parameters { block_max_transactions: 2, ..Parameters::default() };
/// let mut cutter = Cutter::new(&parameters, 0);
/// let at = |timestamp_ms| Item { timestamp_ms, size_bytes: 300, is_transaction: true };
/// assert_eq!(cutter.offer(&at(10)), Placing::Keep);
/// assert_eq!(cutter.offer(&at(20)), Placing::CutAfter(Cut::Transactions));
/// assert_eq!(cutter.close().time_ms, 20);
/// assert_eq!(cutter.offer(&at(30)), Placing::Keep);
/// assert_eq!(cutter.offer(&at(1_000)), Placing::CutBefore(Cut::Window));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutter {
    transactions_max: u64,
    size_bytes_max: u64,
    window_ms: i64,
    time_ms: i64,
    /// The first millisecond behind the open block's window; `None`: no time lies there.
    window_end_ms: Option<i64>,
    /// Whether the open block holds no record yet.
    is_empty: bool,
    transaction_count: u64,
    size_bytes: u64,
}

impl Cutter {
    /// Before the first record after a block of this time (for block 0: the genesis' `created_ms`).
    #[must_use]
    pub fn new(parameters: &Parameters, parent_time_ms: i64) -> Self {
        Self {
            transactions_max: u64::from(parameters.block_max_transactions),
            size_bytes_max: u64::from(parameters.block_max_bytes),
            window_ms: i64::try_from(parameters.block_window_ms).unwrap_or(i64::MAX),
            time_ms: parent_time_ms,
            window_end_ms: None,
            is_empty: true,
            transaction_count: 0,
            size_bytes: 0,
        }
    }

    /// Judges the next record.
    pub fn offer(&mut self, item: &Item) -> Placing {
        if !self.is_empty {
            if self.transaction_count >= self.transactions_max {
                return Placing::CutBefore(Cut::Transactions);
            }
            if self.window_end_ms.is_some_and(|end_ms| item.timestamp_ms >= end_ms) {
                return Placing::CutBefore(Cut::Window);
            }
            if self.size_bytes.saturating_add(item.size_bytes) > self.size_bytes_max {
                return Placing::CutBefore(Cut::Bytes);
            }
        }
        self.time_ms = self.time_ms.max(item.timestamp_ms);
        if self.is_empty {
            // From here on stream time does not leave the window while the block is open.
            self.window_end_ms = self.bounds().and_then(|(_, end_ms)| i64::try_from(end_ms).ok());
        }
        self.is_empty = false;
        self.transaction_count += u64::from(item.is_transaction);
        self.size_bytes = self.size_bytes.saturating_add(item.size_bytes);
        let is_full = self.transaction_count >= self.transactions_max;
        if is_full { Placing::CutAfter(Cut::Transactions) } else { Placing::Keep }
    }

    /// Ends the open block, for whatever reason, and starts the next.
    pub fn close(&mut self) -> Span {
        self.window_end_ms = None;
        self.is_empty = true;
        self.transaction_count = 0;
        self.size_bytes = 0;
        self.span()
    }

    /// What the header would say if the block were cut here.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { window: self.window(), time_ms: self.time_ms }
    }

    /// At the very ends of time a window is cut short at what every JSON reader can name, as timestamps are.
    fn window(&self) -> Option<Window> {
        self.bounds().map(|(start_ms, end_ms)| Window { start_ms: clamp(start_ms), end_ms: clamp(end_ms) })
    }

    /// The window that stream time lies in. Windows are counted from 1970, without gaps: window n covers n * length up
    /// to (n + 1) * length, exclusive.
    fn bounds(&self) -> Option<(i128, i128)> {
        (self.window_ms > 0).then(|| {
            let start_ms = i128::from(self.time_ms.div_euclid(self.window_ms)) * i128::from(self.window_ms);
            (start_ms, start_ms + i128::from(self.window_ms))
        })
    }
}

fn clamp(time_ms: i128) -> i64 {
    let max = TIMESTAMP_MS_MAX;
    i64::try_from(time_ms).unwrap_or(if time_ms < 0 { -max } else { max }).clamp(-max, max)
}

/// What the rules look at in a block's records. Counting bytes takes time: it is spared where the block is known to be
/// rendered in so few, the longest receipts added, that their bound is not reached.
pub(super) fn items(
    parameters: &Parameters,
    cut: Cut,
    entries: &[Entry],
    rendered_size_bytes: Option<u64>,
) -> Vec<Item> {
    // `size_bytes` counts the longest receipt, of which a rendered one has some.
    let counted_max = rendered_size_bytes.map(|size_bytes| {
        size_bytes.saturating_add((entries.len() as u64).saturating_mul(ENTRY_RECEIPT_SIZE_BYTES_MAX as u64))
    });
    let is_far = counted_max.is_some_and(|counted| counted <= u64::from(parameters.block_max_bytes));
    // A cut by bytes is judged again when the next record is there.
    let of = if is_far && cut != Cut::Bytes { Item::without_size } else { |entry: &Entry| Item::from(entry) };
    entries.iter().map(of).collect()
}

/// The span of a block with these timestamps, however it was cut. It is known before the block is executed.
pub fn span(parameters: &Parameters, parent_time_ms: i64, timestamps_ms: impl Iterator<Item = i64>) -> Span {
    let mut cutter = Cutter::new(parameters, parent_time_ms);
    cutter.time_ms = timestamps_ms.fold(parent_time_ms, i64::max);
    cutter.span()
}

/// How far a cut could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The rules cut exactly here.
    Proved,
    /// The cut is a recorded decision, and the rules did not cut earlier.
    Recorded,
    /// The rules did not cut earlier. Whether they cut here, the first record of the next block will tell.
    NeedsNext,
}

/// Why a block is not one that the rules cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// No block but block 0 is empty.
    #[error("the block holds no records")]
    Empty,
    /// The rules end the block earlier.
    #[error("by the rules the block ends ({reason}) at its record {index}, counted from 0")]
    Earlier {
        /// Which record.
        index: usize,
        /// Which rule.
        reason: Cut,
    },
    /// The rules do not end the block here for this reason.
    #[error("the header says the block was cut for `{found}`, by the rules it {}", expected.map_or("goes on".to_owned(), |cut| format!("ends for `{cut}`")))]
    Reason {
        /// What the rules say; `None`: the block goes on.
        expected: Option<Cut>,
        /// What the header says.
        found: Cut,
    },
    /// The header's window or time is another.
    #[error("the header's window and time are {found:?}, by the rules they are {expected:?}")]
    Span {
        /// By the rules.
        expected: Span,
        /// In the header.
        found: Span,
    },
}

/// Checks that the rules cut this block where its header says, given its parent's time, its records, and the record
/// after them if it is known.
pub fn check(
    parameters: &Parameters,
    parent_time_ms: i64,
    header: &Header,
    items: &[Item],
    next: Option<&Item>,
) -> Result<Checked, CutError> {
    let found = header.cut;
    let mut cutter = Cutter::new(parameters, parent_time_ms);
    let (last, before) = items.split_last().ok_or(CutError::Empty)?;
    for (index, item) in before.iter().enumerate() {
        match cutter.offer(item) {
            Placing::Keep => {}
            Placing::CutBefore(reason) | Placing::CutAfter(reason) => return Err(CutError::Earlier { index, reason }),
        }
    }
    let at_last = cutter.offer(last);
    if let Placing::CutBefore(reason) = at_last {
        return Err(CutError::Earlier { index: before.len(), reason });
    }
    let span = Span { window: header.window, time_ms: header.time_ms };
    if span != cutter.span() {
        return Err(CutError::Span { expected: cutter.span(), found: span });
    }
    match (found, at_last) {
        (Cut::Transactions, Placing::CutAfter(Cut::Transactions)) => Ok(Checked::Proved),
        (_, Placing::CutAfter(reason)) => Err(CutError::Reason { expected: Some(reason), found }),
        (Cut::Transactions | Cut::Genesis, _) => Err(CutError::Reason { expected: None, found }),
        (Cut::Age | Cut::End, _) => Ok(Checked::Recorded),
        (Cut::Window | Cut::Bytes, _) => match next.map(|item| cutter.offer(item)) {
            None => Ok(Checked::NeedsNext),
            Some(Placing::CutBefore(reason)) if reason == found => Ok(Checked::Proved),
            Some(Placing::CutBefore(reason)) => Err(CutError::Reason { expected: Some(reason), found }),
            Some(Placing::Keep | Placing::CutAfter(_)) => Err(CutError::Reason { expected: None, found }),
        },
    }
}
