//! The validators that a block concerns: its proposer, those that were silent, those that were slashed. Block 0
//! concerns all.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Chain, Standing, Tip, VERSION};
use crate::chain::code::codes;
use crate::chain::{Block, Hash, Operation, ValidatorId};

codes! {
    /// Whether a validator is drawn.
    pub enum ValidatorStatus {
        /// It is.
        Active = 1 => "active",
        /// It lost its stake and never will be again.
        Slashed = 2 => "slashed",
    }
}

/// A row of a validator after a block that concerns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Validator<'b> {
    /// [`VERSION`].
    pub version: u16,
    /// Its id.
    pub id: &'b str,
    /// Whether it is drawn.
    pub status: ValidatorStatus,
    /// Its stake in minor units; 0 once slashed.
    pub stake: u64,
    /// The height of the block that slashed it.
    pub slashed_at_height: Option<u64>,
    /// Blocks that it proposed and the others sealed.
    pub blocks_proposed: u64,
    /// Rounds that it was drawn for and let pass.
    pub rounds_missed: u64,
    /// The block's height.
    pub height: u64,
    /// The block's hash.
    pub block_hash: Hash,
    /// Stream time at the end of the block, in milliseconds since 1970 UTC.
    pub block_time_ms: i64,
}

impl<'b> Validator<'b> {
    /// The row of a validator after the last block of a chain.
    pub(super) fn of(id: &'b ValidatorId, standing: &Standing, tip: &Tip) -> Self {
        let is_slashed = standing.slashed_at_height.is_some();
        Self {
            version: VERSION,
            id: id.as_str(),
            status: if is_slashed { ValidatorStatus::Slashed } else { ValidatorStatus::Active },
            stake: standing.stake,
            slashed_at_height: standing.slashed_at_height,
            blocks_proposed: standing.blocks_proposed,
            rounds_missed: standing.rounds_missed,
            height: tip.height,
            block_hash: tip.hash,
            block_time_ms: tip.time_ms,
        }
    }
}

/// The validators that a block concerns: whose [`Standing`](super::Standing) it changes, and in block 0 all.
#[must_use]
pub fn concerned(block: &Block) -> BTreeSet<&ValidatorId> {
    let mut concerned: BTreeSet<&ValidatorId> = block.header.proposer().into_iter().collect();
    concerned.extend(block.genesis.iter().flat_map(|genesis| &genesis.validators).map(|validator| &validator.id));
    concerned.extend(block.operations.iter().filter_map(|operation| match operation {
        Operation::Missed { validator, .. } | Operation::Slash { validator, .. } => Some(validator),
        _ => None,
    }));
    concerned
}

/// The rows of the chain's last block, one for each validator that it concerns, by id. A chain of work has no
/// validators.
#[must_use]
pub fn validators<'b>(chain: &Chain, block: &'b Block) -> Vec<Validator<'b>> {
    let row = |id| Some(Validator::of(id, chain.standing(id)?, chain.tip()));
    concerned(block).into_iter().filter_map(row).collect()
}
