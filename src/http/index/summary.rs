//! A block in a few words.

use serde::Serialize;
use utoipa::ToSchema;

use super::posting::Place;
use crate::chain::{Block, Content, Evidence, Hash, Operation, Seal, ValidatorId};

/// A sealed block in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct BlockSummary {
    /// Its height; block 0 is the genesis.
    pub(in crate::http) height: u64,
    /// Its hash.
    #[schema(value_type = String)]
    pub(in crate::http) hash: Hash,
    /// Stream time at the cut, ms since 1970 UTC.
    pub(in crate::http) time_ms: i64,
    /// When the log took the block, ms since 1970 UTC.
    pub(in crate::http) sealed_ms: i64,
    /// Its offset on the blockchain topic.
    pub(in crate::http) offset: i64,
    /// How large it is as JSON, in bytes.
    pub(in crate::http) size_bytes: u64,
    /// Why it ends where it ends.
    pub(in crate::http) cut: &'static str,
    /// Who proposed it; none proposes block 0.
    pub(in crate::http) proposer: Option<String>,
    /// The account it was mined for, where blocks are mined.
    pub(in crate::http) miner: Option<String>,
    /// In which round: how many proposers before it failed.
    pub(in crate::http) round: u32,
    /// Who signed, by their places among the validators in the order of ids.
    pub(in crate::http) signers: Vec<u16>,
    /// Transactions that took effect.
    pub(in crate::http) applied: u64,
    /// Transactions that the rules rejected.
    pub(in crate::http) rejected: u64,
    /// Records that are no transactions.
    pub(in crate::http) unreadable: u64,
    /// Validators that lost their stake in it.
    pub(in crate::http) slashed: Vec<String>,
    /// Validators that were drawn for it and were silent.
    pub(in crate::http) missed: Vec<String>,
}

impl BlockSummary {
    pub(in crate::http) fn of(block: &Block, place: Place) -> Self {
        let header = &block.header;
        let (mut applied, mut rejected, mut unreadable) = (0, 0, 0);
        for entry in &block.entries {
            match &entry.content {
                Content::Stub { .. } => unreadable += 1,
                Content::Transaction { receipt, .. } if receipt.is_applied() => applied += 1,
                Content::Transaction { .. } => rejected += 1,
            }
        }
        let signers = block.seal.as_ref().and_then(Seal::stake).map(|seal| {
            let places = seal.signers.places().filter_map(|place| u16::try_from(place).ok());
            places.collect()
        });
        let (mut slashed, mut missed) = (Vec::new(), Vec::new());
        for operation in &block.operations {
            match operation {
                Operation::Slash { validator, .. } => slashed.push(validator.to_string()),
                Operation::Missed { validator, .. } => missed.push(validator.to_string()),
                Operation::Fee { .. }
                | Operation::Reward { .. }
                | Operation::MinerFee { .. }
                | Operation::MinerReward { .. } => {}
            }
        }
        Self {
            height: header.height,
            hash: block.hash,
            time_ms: header.time_ms,
            sealed_ms: place.time_ms,
            offset: place.offset,
            size_bytes: place.size_bytes,
            cut: header.cut.as_str(),
            proposer: header.proposer().map(ValidatorId::to_string),
            miner: header.work().map(|author| author.miner.to_string()),
            round: header.round(),
            signers: signers.unwrap_or_default(),
            applied,
            rejected,
            unreadable,
            slashed,
            missed,
        }
    }
}

/// A validator was caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct Offence {
    /// The block that punishes it.
    pub(in crate::http) height: u64,
    /// When the log took that block, ms since 1970 UTC.
    pub(in crate::http) sealed_ms: i64,
    /// The round in which it happened.
    pub(in crate::http) round: u32,
    /// Who.
    pub(in crate::http) validator: String,
    /// The stake that was burnt, in minor units.
    pub(in crate::http) amount: u64,
    /// What it did: `signed_two_blocks`, `does_not_follow_from_the_input` or `does_not_re_execute`.
    pub(in crate::http) offence: &'static str,
}

impl Offence {
    /// Those that a block punishes.
    pub(super) fn all_of(block: &Block, sealed_ms: i64) -> impl Iterator<Item = Self> {
        let height = block.header.height;
        block.operations.iter().filter_map(move |operation| match operation {
            Operation::Slash { round, validator, amount, evidence } => Some(Self {
                height,
                sealed_ms,
                round: *round,
                validator: validator.to_string(),
                amount: *amount,
                offence: match &**evidence {
                    Evidence::Equivocation { .. } => "signed_two_blocks",
                    Evidence::Refusal { reason, .. } => reason.as_str(),
                },
            }),
            _ => None,
        })
    }
}
