//! Validators and their offences.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::context::Context;
use super::super::index::Offence;
use super::super::problem::{PROBLEM, Problem, Result};
use super::answer;
use crate::chain::hex_array;
use crate::ledger::earnings_account;
use crate::ledger::state::{account, tip, validators};

/// The validators at the last committed block, in the order of their ids: blocks name signers by their places in it.
#[derive(Serialize, ToSchema)]
struct Validators {
    /// At this height.
    height: u64,
    /// The sum of all stakes, in minor units.
    total_stake: u64,
    /// Stake that is needed to seal a block: more than two thirds; 0 where blocks are mined.
    quorum_stake: u64,
    /// The lowest height of the blocks that `proposed` counts.
    proposed_from_height: u64,
    /// How many blocks that are.
    proposed_count: u64,
    validators: Vec<Validator>,
}

/// A validator.
#[derive(Serialize, ToSchema)]
struct Validator {
    id: String,
    /// In minor units; 0 once slashed.
    stake: u64,
    /// What the genesis gave it.
    genesis_stake: u64,
    /// Its part of all stake, from 0 to 1.
    share: f64,
    /// `active` or `slashed`.
    status: &'static str,
    /// The height of the block that slashed it.
    slashed_at_height: Option<u64>,
    /// How many of the blocks that are counted it proposed.
    proposed: u64,
    /// How many turns it was silent in, ever.
    missed: u64,
    /// The account that takes its fees and rewards.
    account: String,
    /// What is on it.
    balance: i64,
    /// The key it signs proposals with (Ed25519), in hex.
    ed25519: String,
    /// The key of its reveals and attestations (BLS12-381 G2, compressed), in hex.
    bls: String,
}

/// Validators: stake, share, blocks, turns missed
#[utoipa::path(
    get,
    path = "/v1/validators",
    responses(
        (status = 200, description = "All of them, slashed ones included", body = Validators),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The state cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn list(State(context): State<Arc<Context>>) -> Result<Response> {
    let (proposed, proposed_count, proposed_from_height) = {
        let index = context.feed.index();
        (index.proposed().clone(), index.proposed_count(), index.first().map_or(0, |first| first.height.max(1)))
    };
    let found = context
        .read(move |context, state| {
            let height = tip(state)?.map_or(0, |tip| tip.height);
            let records = validators(state)?;
            let total_stake: u64 = records.iter().fold(0, |sum, (_, record)| record.stake.saturating_add(sum));
            let mut all = Vec::with_capacity(records.len());
            for (id, record) in records {
                // A validator's id makes a name.
                let earnings = earnings_account(&id).ok();
                let balance =
                    earnings.as_ref().map_or(Ok(0), |name| account(state, name).map(|found| found.balance))?;
                let listed = context.genesis.validators.iter().find(|listed| listed.id == id);
                all.push(Validator {
                    genesis_stake: listed.map_or(0, |listed| listed.stake),
                    stake: record.stake,
                    share: if total_stake == 0 { 0.0 } else { record.stake as f64 / total_stake as f64 },
                    status: if record.slashed_at_height.is_some() { "slashed" } else { "active" },
                    slashed_at_height: record.slashed_at_height,
                    proposed: proposed.get(id.as_str()).copied().unwrap_or(0),
                    missed: record.missed,
                    account: earnings.map(|name| name.as_str().to_owned()).unwrap_or_default(),
                    balance,
                    ed25519: hex_array::encode(&record.ed25519),
                    bls: hex_array::encode(&record.bls),
                    id: id.to_string(),
                });
            }
            let quorum_stake = u64::try_from(u128::from(total_stake) * 2 / 3 + 1).unwrap_or(u64::MAX);
            let quorum_stake = if all.is_empty() { 0 } else { quorum_stake };
            Ok(Validators { height, total_stake, quorum_stake, proposed_from_height, proposed_count, validators: all })
        })
        .await?;
    Ok(answer(&found))
}

/// Validators that were caught, the latest first.
#[derive(Serialize, ToSchema)]
struct Offences {
    /// 100 at most: those in the blocks this server has read.
    offences: Vec<Offence>,
}

/// Validators that were caught, the latest first
#[utoipa::path(
    get,
    path = "/v1/offences",
    responses((status = 200, description = "The last offences that this server has read of", body = Offences))
)]
pub(super) async fn offences(State(context): State<Arc<Context>>) -> Response {
    let offences = context.feed.index().offences().cloned().collect();
    answer(&Offences { offences })
}
