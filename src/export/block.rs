//! Rows of blocks.

use serde::Serialize;

use crate::chain::{Author, Block, Content, Hash};
use crate::rows::VERSION;

/// A row of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockRow<'b> {
    /// [`VERSION`].
    pub version: u16,
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
    /// The hash of the block before; zeros in block 0.
    pub parent: Hash,
    /// The root of the state tree after it.
    pub state_root: Hash,
    /// Stream time at its end, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Why it ends where it ends.
    pub cut: &'static str,
    /// How it was agreed on: `genesis`, `stake` or `work`.
    pub consensus: &'static str,
    /// The validator that proposed it, or the account it was mined for; block 0 has none.
    pub maker: Option<&'b str>,
    /// How many proposers drawn before failed.
    pub round: u32,
    /// How many proofs are tried until one holds, on average, where it was mined.
    pub difficulty: Option<u64>,
    /// Records in it: `applied`, `rejected` and `unreadable` together.
    pub records: u64,
    /// Transactions that took effect.
    pub applied: u64,
    /// Transactions that the rules rejected.
    pub rejected: u64,
    /// Records that are no transactions.
    pub unreadable: u64,
}

impl<'b> BlockRow<'b> {
    /// The row of a block.
    #[must_use]
    pub fn of(block: &'b Block) -> Self {
        let header = &block.header;
        let (mut applied, mut rejected, mut unreadable) = (0, 0, 0);
        for entry in &block.entries {
            match &entry.content {
                Content::Transaction { receipt, .. } if receipt.is_applied() => applied += 1,
                Content::Transaction { .. } => rejected += 1,
                Content::Stub { .. } => unreadable += 1,
            }
        }
        Self {
            version: VERSION,
            height: header.height,
            hash: block.hash,
            parent: header.parent,
            state_root: header.state_root,
            time_ms: header.time_ms,
            cut: header.cut.as_str(),
            consensus: match header.author {
                Author::Genesis => "genesis",
                Author::Stake(_) => "stake",
                Author::Work(_) => "work",
            },
            maker: header.maker(),
            round: header.round(),
            difficulty: header.work().map(|author| author.difficulty),
            records: applied + rejected + unreadable,
            applied,
            rejected,
            unreadable,
        }
    }
}
