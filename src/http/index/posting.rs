//! What moved a balance, or was to: a transaction, or what a validator earned.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::chain::{Block, Content, Hash, Operation, Outcome, ReasonCode};

/// Where a block's record stands on the blockchain topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Place {
    /// Its offset.
    pub(in crate::http) offset: i64,
    /// When the log took it, ms since 1970.
    pub(in crate::http) time_ms: i64,
    /// How large it is.
    pub(in crate::http) size_bytes: u64,
}

/// What kind of posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum PostingKind {
    /// A transaction, applied or rejected.
    Transfer,
    /// The fees of a block, for its proposer.
    Fee,
    /// The reward of a block, for its proposer.
    Reward,
}

/// See above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Posting {
    pub(in crate::http) kind: PostingKind,
    pub(in crate::http) height: u64,
    /// Its place in the block: among the records, with the operations behind them.
    pub(in crate::http) index: u32,
    /// Where the record stood on the transactions topic; what a validator earned stands nowhere.
    pub(in crate::http) origin: Option<(i32, i64)>,
    pub(in crate::http) time_ms: i64,
    /// Who pays; empty for what a validator earned.
    pub(in crate::http) from: Arc<str>,
    pub(in crate::http) to: Arc<str>,
    pub(in crate::http) amount: u64,
    /// Why it was rejected; `None`: it was applied.
    pub(in crate::http) rejected: Option<ReasonCode>,
    /// Both balances afterwards.
    pub(in crate::http) from_balance: i64,
    pub(in crate::http) to_balance: i64,
    pub(in crate::http) id: Option<Box<str>>,
    /// The hash of the record's value.
    pub(in crate::http) original: Hash,
}

/// A posting of a block that is looked at.
pub(super) struct Found<'b> {
    pub(super) from: &'b str,
    pub(super) to: &'b str,
    pub(super) id: Option<&'b str>,
    kind: PostingKind,
    height: u64,
    index: u32,
    origin: Option<(i32, i64)>,
    time_ms: i64,
    amount: u64,
    rejected: Option<ReasonCode>,
    from_balance: i64,
    to_balance: i64,
    original: Hash,
}

impl Found<'_> {
    pub(super) fn keep(&self, from: Arc<str>, to: Arc<str>) -> Posting {
        Posting {
            kind: self.kind,
            height: self.height,
            index: self.index,
            origin: self.origin,
            time_ms: self.time_ms,
            from,
            to,
            amount: self.amount,
            rejected: self.rejected,
            from_balance: self.from_balance,
            to_balance: self.to_balance,
            id: self.id.map(Box::from),
            original: self.original,
        }
    }
}

/// Shows each posting of a block, in their order.
pub(super) fn each(block: &Block, visit: &mut impl FnMut(&Found<'_>)) {
    let height = block.header.height;
    for (index, entry) in (0_u32..).zip(&block.entries) {
        let Content::Transaction { transaction, receipt } = &entry.content else { continue };
        let rejected = match receipt.outcome {
            Outcome::Applied => None,
            Outcome::Rejected(reason) => Some(reason),
        };
        visit(&Found {
            from: transaction.from.as_str(),
            to: transaction.to.as_str(),
            id: transaction.id.as_ref().map(|id| id.as_str()),
            kind: PostingKind::Transfer,
            height,
            index,
            origin: Some((entry.origin.partition, entry.origin.offset)),
            time_ms: entry.origin.timestamp_ms,
            amount: transaction.amount.get(),
            rejected,
            from_balance: receipt.from_balance,
            to_balance: receipt.to_balance,
            original: entry.original,
        });
    }
    let behind = u32::try_from(block.entries.len()).unwrap_or(u32::MAX);
    for (index, operation) in (behind..).zip(&block.operations) {
        let (kind, account, amount, balance) = match operation {
            Operation::Fee { account, amount, balance, .. } | Operation::MinerFee { account, amount, balance } => {
                (PostingKind::Fee, account, amount, balance)
            }
            Operation::Reward { account, amount, balance, .. }
            | Operation::MinerReward { account, amount, balance } => (PostingKind::Reward, account, amount, balance),
            Operation::Missed { .. } | Operation::Slash { .. } => continue,
        };
        visit(&Found {
            from: "",
            to: account.as_str(),
            id: None,
            kind,
            height,
            index,
            origin: None,
            time_ms: block.header.time_ms,
            amount: amount.get(),
            rejected: None,
            from_balance: 0,
            to_balance: *balance,
            original: Hash::ZERO,
        });
    }
}
