//! Whether the last block of a topic is the one that a state was left by.
//!
//! Asked before anything is sealed on top of it: a state that is another block's, or that differs from what the block
//! says of it, would make a chain that no other program can follow.

use crate::chain::check::operations_root;
use crate::chain::{Block, Genesis, Hash, Member, Operation};
use crate::consensus::scheme::{self, Before, Flaw, Scheme};
use crate::ledger::Replica;
use crate::ledger::state::Tip;

/// How a state and the last block of a topic differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TipMismatch {
    /// The block is another chain's.
    #[error(
        "the state is of the chain of genesis {state}, the topic holds the chain of genesis {topic}: give the topic that belongs \
         to this state"
    )]
    OtherChain {
        /// The state's genesis hash.
        state: Hash,
        /// The block's.
        topic: Hash,
    },
    /// The chain on the topic ends elsewhere.
    #[error(
        "the state ends at height {state} ({state_hash}), the topic at {topic} ({topic_hash}): another process wrote to the topic, or \
         one of the two was replaced or lost records. Run cairn verify to see whether the topic is whole"
    )]
    OtherBlock {
        /// The state's height.
        state: u64,
        /// The hash of the state's last block.
        state_hash: Hash,
        /// The block's height.
        topic: u64,
        /// Its hash, computed from its header.
        topic_hash: Hash,
    },
    /// The block is the state's last one, and says something else of the state than what the state holds.
    #[error(
        "the state's {field} is {state}, the block it ends with (height {height}) gives {block}: the state is damaged, rebuild it from \
         the chain"
    )]
    Field {
        /// The height.
        height: u64,
        /// What differs.
        field: &'static str,
        /// What the state holds.
        state: String,
        /// What follows from the block.
        block: String,
    },
    /// The block contradicts itself.
    #[error("the last block of the topic (height {height}): {detail}. Run cairn verify")]
    Form {
        /// The height.
        height: u64,
        /// What contradicts what.
        detail: &'static str,
    },
    /// The block's rounds or seal do not hold against the stakes before it.
    #[error("the last block of the topic (height {height}): {flaw}. Run cairn verify")]
    Seal {
        /// The height.
        height: u64,
        /// What is wrong with them.
        flaw: Flaw,
    },
}

impl TipMismatch {
    /// Whether it is the topic's block that is at fault, and not the state.
    #[must_use]
    pub fn is_of_the_topic(&self) -> bool {
        matches!(self, Self::Form { .. } | Self::Seal { .. })
    }
}

/// Checks that a replica, loaded from a state of the chain of this genesis, is what the last block on the topic left
/// behind: computes everything that the replica says of its tip from the block, and checks the block's rounds and seal
/// against the stakes before it. `scheme` is the one that the genesis asks for.
pub fn check_tip(replica: &Replica, genesis: &Genesis, scheme: &Scheme, block: &Block) -> Result<(), TipMismatch> {
    let (tip, header) = (replica.tip(), &block.header);
    let (hash, height) = (header.hash(), header.height);
    let expected = genesis.hash();
    for (state, topic) in [(tip.genesis, header.genesis), (tip.genesis, expected)] {
        if state != topic {
            return Err(TipMismatch::OtherChain { state, topic });
        }
    }
    if (tip.height, tip.hash) != (height, hash) {
        let (state, state_hash) = (tip.height, tip.hash);
        return Err(TipMismatch::OtherBlock { state, state_hash, topic: height, topic_hash: hash });
    }
    let form = |detail| TipMismatch::Form { height, detail };
    if block.hash != hash {
        return Err(form("the hash beside the header is not the header's"));
    }
    check_fields(tip, genesis, block)?;
    if height == 0 {
        return Ok(());
    }
    if operations_root(&block.operations) != header.operations_root {
        return Err(form("its operations are not those that its header commits to"));
    }
    let sealed_by = |flaw: Flaw| TipMismatch::Seal { height, flaw };
    let seed = scheme::own_seed(header).ok_or_else(|| form("its header names no maker"))?;
    let members = members_before(replica, block);
    let before = Before { genesis: &expected, height, seed: &seed, parent_time_ms: None, members: &members };
    match scheme.claims(&before, block).map_err(sealed_by)? {
        Some(claims) => claims.decide().map_err(|flaw| sealed_by(flaw.into())),
        None => Ok(()),
    }
}

fn check_fields(tip: &Tip, genesis: &Genesis, block: &Block) -> Result<(), TipMismatch> {
    let header = &block.header;
    let same = |field, state: &dyn ToString, found: &dyn ToString| {
        let (state, block) = (state.to_string(), found.to_string());
        if state == block { Ok(()) } else { Err(TipMismatch::Field { height: header.height, field, state, block }) }
    };
    same("state root", &tip.state_root, &header.state_root)?;
    same("time", &tip.time_ms, &header.time_ms)?;
    same("active height", &tip.active_height, &header.active_height)?;
    same("history", &tip.history.root(), &header.history)?;
    let seed = match scheme::own_seed(header) {
        None => Some(scheme::first_seed(genesis)),
        Some(seed) => scheme::next_seed(&seed, block),
    };
    let unsealed = TipMismatch::Seal { height: header.height, flaw: Flaw::Unsealed };
    same("next seed", &tip.seed, &seed.ok_or(unsealed)?)
}

/// The validators as they were before the replica's last block: the ones that it slashed have their stake back.
fn members_before(replica: &Replica, block: &Block) -> Vec<Member> {
    let lost = |slashed: &Member| {
        block.operations.iter().find_map(|operation| match operation {
            Operation::Slash { validator, amount, .. } if *validator == slashed.id => Some(*amount),
            _ => None,
        })
    };
    let mut members = replica.members().to_vec();
    for member in &mut members {
        // A validator is slashed once ever, so one that this block slashed had all of what the slash took.
        if let Some(amount) = lost(member).filter(|_| member.stake == 0) {
            member.stake = amount;
        }
    }
    members
}
