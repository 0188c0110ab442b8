//! How the chain is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use topology::client::State as Engine;
use utoipa::ToSchema;

use super::super::context::Context;
use super::super::index::{Activity, BlockSummary};
use super::super::problem::Result;
use super::answer;
use crate::chain::{Balances, Committee, Hash, Parameters};
use crate::consensus::trust;
use crate::ledger::state::{coverage, supply};
use crate::sealing;

/// How the chain is.
#[derive(Serialize, ToSchema)]
struct Status {
    /// The chain's name for people.
    chain_id: String,
    /// The chain's identity: the hash of its genesis.
    #[schema(value_type = String)]
    genesis: Hash,
    /// `starting`, `restoring`, `rebuilding`, `waiting_for_quorum`, `sealing`, `standing_by`, `stopping`, `stopped` or
    /// `failed`.
    state: &'static str,
    /// Stake that signs and stake that is needed, while a block waits for a quorum.
    quorum: Option<Quorum>,
    /// How far the state is rebuilt from the topic, while it is.
    rebuilding: Option<Rebuilding>,
    /// The last block on the topic; null before there is one.
    last: Option<BlockSummary>,
    /// The lowest height among the blocks that transfers, hashes and ids are looked up in; null before there is one.
    indexed_from_height: Option<u64>,
    /// Whether all that was there at the start is looked up in, too.
    is_index_complete: bool,
    /// Offsets of the transactions topic from the first record on that is in no block yet, by partition; markers
    /// between records are among them. Null where this instance does not have the state.
    #[schema(value_type = Option<BTreeMap<String, i64>>)]
    lag_offsets: Option<BTreeMap<i32, i64>>,
    /// All balances and stakes, and where they came from; null where this instance does not have the state.
    supply: Option<Supply>,
    /// What the last minutes were like.
    activity: Activity,
    /// What is wrong with the blockchain topic or with this server, if anything was found.
    trouble: Option<String>,
    /// The parameters of the chain.
    parameters: ChainParameters,
    /// The topics.
    topics: Topics,
    /// What a seal of this chain proves, and what not.
    trust: &'static str,
    /// Whether this server takes transfers: the demo does.
    takes_transfers: bool,
    /// The program's version.
    version: &'static str,
    /// The server's time, ms since 1970 UTC.
    now_ms: i64,
}

/// Stake that signs, and stake that is needed.
#[derive(Serialize, ToSchema)]
struct Quorum {
    have: u64,
    need: u64,
}

/// Heights.
#[derive(Serialize, ToSchema)]
struct Rebuilding {
    height: u64,
    target_height: u64,
}

/// `current` = `genesis` + `minted` - `burnt`, in minor units. As decimal text: sums may pass 2^53, up to which JSON's
/// numbers are exact everywhere.
#[derive(Serialize, ToSchema)]
struct Supply {
    genesis: String,
    minted: String,
    burnt: String,
    current: String,
}

/// Names of topics.
#[derive(Serialize, ToSchema)]
struct Topics {
    transactions: String,
    blockchain: String,
    evidence: String,
}

/// What the genesis says; see the ledger's rules.
#[derive(Serialize, ToSchema)]
struct ChainParameters {
    block_max_transactions: u32,
    block_max_bytes: u32,
    block_max_age_ms: u64,
    block_window_ms: u64,
    /// `strict` or `open`.
    balances: &'static str,
    /// How far below zero a balance may go.
    overdraft_max: u64,
    /// `required`, `when_keyed` or `off`.
    signatures: &'static str,
    fee: u64,
    reward: u64,
    ids_remember_blocks: u64,
    consensus: &'static str,
    committee: Option<&'static str>,
}

impl ChainParameters {
    fn of(parameters: &Parameters) -> Self {
        let (balances, overdraft_max) = match parameters.balances {
            Balances::Strict => ("strict", 0),
            Balances::Open { overdraft_max } => ("open", overdraft_max.get()),
        };
        Self {
            block_max_transactions: parameters.block_max_transactions,
            block_max_bytes: parameters.block_max_bytes,
            block_max_age_ms: parameters.block_max_age_ms,
            block_window_ms: parameters.block_window_ms,
            balances,
            overdraft_max,
            signatures: parameters.signatures.as_str(),
            fee: parameters.fee.get(),
            reward: parameters.reward.get(),
            ids_remember_blocks: parameters.ids_remember_blocks,
            consensus: parameters.consensus.kind().as_str(),
            committee: parameters.consensus.committee().map(Committee::as_str),
        }
    }
}

/// How the chain is
#[utoipa::path(get, path = "/v1/status", responses((status = 200, description = "Now", body = Status)))]
pub(super) async fn status(State(context): State<Arc<Context>>) -> Response {
    let found = context.read(|_, state| Ok(supply(state)?)).await.ok();
    let supply = found.map(|supply| Supply {
        genesis: supply.genesis.to_string(),
        minted: supply.minted.to_string(),
        burnt: supply.burnt.to_string(),
        current: supply.current().to_string(),
    });
    let lag_offsets = lags(&context).await.ok().map(|lags| lags.into_iter().collect());
    let sealing = context.application.status();
    let now_ms = context.now_ms();
    let (last, indexed_from_height, activity) = {
        let index = context.feed.index();
        (
            index.last().map(|last| BlockSummary::clone(last)),
            index.first().map(|first| first.height),
            index.activity(now_ms),
        )
    };
    answer(&Status {
        chain_id: context.genesis.chain_id.clone(),
        genesis: context.genesis_hash,
        state: name(context.engine(), &sealing),
        quorum: sealing.waiting_for_quorum.map(|(have, need)| Quorum { have, need }),
        rebuilding: sealing
            .rebuilding
            .map(|progress| Rebuilding { height: progress.height, target_height: progress.target_height }),
        last,
        indexed_from_height,
        is_index_complete: context.feed.is_live(),
        lag_offsets,
        supply,
        activity,
        trouble: trouble(&context),
        parameters: ChainParameters::of(&context.genesis.parameters),
        topics: Topics {
            transactions: context.transactions.clone(),
            blockchain: context.blockchain.clone(),
            evidence: sealing::evidence_topic(&context.blockchain),
        },
        trust: trust(context.genesis.parameters.consensus),
        takes_transfers: context.teller.is_some(),
        version: env!("CARGO_PKG_VERSION"),
        now_ms,
    })
}

fn trouble(context: &Context) -> Option<String> {
    let ended = context.threads.ended();
    let of_server = || format!("threads of this server have failed ({}): start the instance again", ended.join(", "));
    context.feed.trouble().or_else(|| (!ended.is_empty()).then(of_server))
}

/// What all of it is called.
fn name(engine: Engine, sealing: &sealing::Status) -> &'static str {
    match engine {
        Engine::Created | Engine::Rebalancing => "starting",
        Engine::Restoring => "restoring",
        Engine::Running if sealing.rebuilding.is_some() => "rebuilding",
        Engine::Running if sealing.waiting_for_quorum.is_some() => "waiting_for_quorum",
        Engine::Running if sealing.height.is_some() => "sealing",
        // Another instance has the task that seals.
        Engine::Running => "standing_by",
        Engine::Stopping => "stopping",
        Engine::Stopped => "stopped",
        Engine::Failed => "failed",
    }
}

/// By partition of the transactions topic, how many of its offsets wait, from the first record on that is in no block
/// yet.
pub(super) async fn lags(context: &Arc<Context>) -> Result<Vec<(i32, i64)>> {
    let covered: BTreeMap<i32, i64> = context
        .read(|_, state| {
            Ok(coverage(state)?.into_iter().map(|(partition, covered)| (partition, covered.offset)).collect())
        })
        .await?;
    let ends = context.feed.ends();
    let lag = |partition: i32| {
        let next = covered.get(&partition).map_or(0, |offset| offset.saturating_add(1));
        ends.lag(partition, next).map(|lag| (partition, lag))
    };
    Ok(ends.partitions().into_iter().filter_map(lag).collect())
}
