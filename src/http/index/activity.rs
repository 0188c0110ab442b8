//! What the last minutes were like.

use serde::Serialize;
use utoipa::ToSchema;

use super::summary::BlockSummary;

/// How long an interval is, ms.
const INTERVAL_MS: i64 = 10_000;
/// How many there are: five minutes.
const INTERVAL_COUNT: usize = 30;
/// Of how many transactions the rejected ones are counted.
const RECENT_TRANSACTIONS: u64 = 1_000;

/// What the last five minutes were like, by the time at which the log took the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct Activity {
    /// How long each interval is, ms.
    interval_ms: i64,
    /// Transactions in blocks, applied or rejected, by interval: the oldest first, the current one last, which is not
    /// over.
    transactions: Vec<u64>,
    /// Blocks, likewise.
    blocks: Vec<u64>,
    /// Of so many of the latest transactions ..
    recent: u64,
    /// .. so many were rejected.
    recent_rejected: u64,
}

impl Activity {
    /// Of blocks, the newest first.
    pub(super) fn of<'b>(blocks: impl Iterator<Item = &'b BlockSummary>, now_ms: i64) -> Self {
        let mut found = Self {
            interval_ms: INTERVAL_MS,
            transactions: vec![0; INTERVAL_COUNT],
            blocks: vec![0; INTERVAL_COUNT],
            ..Self::default()
        };
        for block in blocks {
            let transactions = block.applied + block.rejected;
            // Intervals begin at full multiples, so that a block stays in its own.
            let back = now_ms.div_euclid(INTERVAL_MS).saturating_sub(block.sealed_ms.div_euclid(INTERVAL_MS)).max(0);
            let back = usize::try_from(back).unwrap_or(usize::MAX);
            let is_recent = found.recent < RECENT_TRANSACTIONS;
            if back >= INTERVAL_COUNT && !is_recent {
                break;
            }
            if let Some(at) = INTERVAL_COUNT.checked_sub(1).and_then(|last| last.checked_sub(back)) {
                found.transactions[at] += transactions;
                found.blocks[at] += u64::from(block.height > 0);
            }
            if is_recent {
                found.recent += transactions;
                found.recent_rejected += block.rejected;
            }
        }
        found
    }
}
