//! What was counted since the start.

use std::collections::BTreeMap;

use super::summary::BlockSummary;
use crate::chain::{Block, Content, Outcome};

/// Upper bounds of the classes of [`Totals::seal_latency_ms`], ms; the last class has none.
pub(in crate::http) const LATENCY_BOUNDS_MS: [u64; 11] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// Counters. They grow, and begin at zero when the program starts.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Totals {
    /// Blocks.
    pub(in crate::http) blocks: u64,
    /// Transactions applied.
    pub(in crate::http) applied: u64,
    /// Transactions rejected, by reason.
    pub(in crate::http) rejected: BTreeMap<&'static str, u64>,
    /// Records that are no transactions, by reason.
    pub(in crate::http) unreadable: BTreeMap<&'static str, u64>,
    /// Validators slashed.
    pub(in crate::http) slashes: u64,
    /// Turns of silent validators.
    pub(in crate::http) missed: u64,
    /// From a block's last record to the block, on the log's clock: how many in each class.
    pub(in crate::http) latency_counts: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// The sum of all of them, ms.
    pub(in crate::http) latency_sum_ms: u64,
}

impl Totals {
    pub(super) fn add(&mut self, block: &Block, summary: &BlockSummary) {
        self.blocks += 1;
        self.applied += summary.applied;
        self.slashes += summary.slashed.len() as u64;
        self.missed += summary.missed.len() as u64;
        for entry in &block.entries {
            match &entry.content {
                Content::Transaction { receipt, .. } => {
                    if let Outcome::Rejected(reason) = receipt.outcome {
                        *self.rejected.entry(reason.as_str()).or_default() += 1;
                    }
                }
                Content::Stub { reason, .. } => *self.unreadable.entry(reason.as_str()).or_default() += 1,
            }
        }
        let last_ms = block.entries.iter().map(|entry| entry.origin.timestamp_ms).max();
        // Producers choose their timestamps: one in the future gives no latency.
        let latency_ms = last_ms.and_then(|last_ms| u64::try_from(summary.sealed_ms.saturating_sub(last_ms)).ok());
        if let Some(latency_ms) = latency_ms {
            let class = LATENCY_BOUNDS_MS.partition_point(|bound| *bound < latency_ms);
            self.latency_counts[class] += 1;
            self.latency_sum_ms = self.latency_sum_ms.saturating_add(latency_ms);
        }
    }
}
