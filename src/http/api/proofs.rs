//! Proofs: what `cairn prove` writes, of the chain as it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::context::Context;
use super::super::problem::{PROBLEM, Problem, Result};
use super::super::prove::{self, Made, Wanted};
use super::asked::{Asked, Caller, Named};
use super::{answer, json, transactions};
use crate::audit::prove::Question;
use crate::chain::{Hash, Id, Name, ValidatorId};
use crate::checkpoint::Checkpoint;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Lead to a checkpoint of so many blocks [default: of all there are]
    #[param(minimum = 1)]
    checkpoint_size: Option<u64>,
    /// Leave genesis and seal out: such a proof rests on a checkpoint alone [default: false]
    without_seal: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct When {
    /// The height after which it is so [default: the last that the checkpoint covers, else the last block]
    #[param(minimum = 0)]
    at_height: Option<u64>,
    /// Lead to a checkpoint of so many blocks [default: of all there are]
    #[param(minimum = 1)]
    checkpoint_size: Option<u64>,
    /// Leave genesis and seal out: such a proof rests on a checkpoint alone [default: false]
    without_seal: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Size {
    /// Of so many blocks [default: all there are]
    #[param(minimum = 1)]
    size: Option<u64>,
}

async fn made(context: &Context, wanted: Wanted) -> Result<Response> {
    match context.prover.ask(prove::Asked::Proof(wanted)).await? {
        Made::Proof(file) => Ok(json(file)),
        Made::History { .. } => Err(Problem::unavailable("ask again")),
    }
}

/// Of something in a block.
async fn of_block(context: &Context, question: Question, block: u64, how: How) -> Result<Response> {
    let How { checkpoint_size: size, without_seal } = how;
    let with_seal = !without_seal.unwrap_or(false);
    made(context, Wanted { question, block: Some(block), at_height: None, size, with_seal }).await
}

/// Of something in the state.
async fn of_state(context: &Context, question: Question, when: When) -> Result<Response> {
    let When { at_height, checkpoint_size: size, without_seal } = when;
    let with_seal = !without_seal.unwrap_or(false);
    made(context, Wanted { question, block: None, at_height, size, with_seal }).await
}

/// A proof that there is a block
///
/// What `cairn prove block` writes, checked by `cairn check` or by anybody after docs/proofs.md.
#[utoipa::path(
    get,
    path = "/v1/proofs/block/{height}",
    params(("height" = String, Path, description = "The block's height"), How),
    responses(
        (status = 200, description = "The proof: one line of JSON, byte for byte", body = serde_json::Value),
        (status = 400, description = "No height, or one that the checkpoint does not cover", body = Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such block", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn block(
    State(context): State<Arc<Context>>,
    Named(height): Named<String>,
    Asked(how): Asked<How>,
) -> Result<Response> {
    let height: u64 = height.parse().map_err(|_| Problem::bad_request("a block is proved by its height: a number"))?;
    let last = context.feed.index().last().map(|last| last.height);
    if last.is_none_or(|last| height > last) {
        return Err(Problem::not_found(format!("there is no block {height} yet")).of(height.to_string()));
    }
    of_block(&context, Question::Block { height }, height, how).await
}

/// A proof of what became of a record of the transactions topic
#[utoipa::path(
    get,
    path = "/v1/proofs/transaction/{partition}/{offset}",
    params(
        ("partition" = i32, Path, description = "Partition of the transactions topic"),
        ("offset" = i64, Path, description = "Offset in the partition"),
        How,
    ),
    responses(
        (status = 200, description = "The proof: one line of JSON, byte for byte", body = serde_json::Value),
        (status = 400, description = "No such place, or a block that the checkpoint does not cover", body = Problem, content_type = PROBLEM),
        (status = 404, description = "It is in no block, or not yet", body = Problem, content_type = PROBLEM),
        (status = 410, description = "The body of its block was pruned", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn transaction(
    State(context): State<Arc<Context>>,
    Caller(peer): Caller,
    Named((partition, offset)): Named<(String, String)>,
    Asked(how): Asked<How>,
) -> Result<Response> {
    let (partition, offset) = transactions::place(&partition, &offset)?;
    let found = transactions::find(&context, peer, partition, offset).await?;
    of_block(&context, Question::Transaction { partition, offset }, found.height, how).await
}

/// A proof of what an account holds
#[utoipa::path(
    get,
    path = "/v1/proofs/balance/{name}",
    params(("name" = String, Path, description = "The account's name"), When),
    responses(
        (status = 200, description = "The proof: one line of JSON, byte for byte", body = serde_json::Value),
        (status = 400, description = "No name, or a height that the checkpoint does not cover", body = Problem, content_type = PROBLEM),
        (status = 404, description = "The chain does not have so many blocks", body = Problem, content_type = PROBLEM),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 422, description = "It takes more than this server spends on a proof", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn balance(
    State(context): State<Arc<Context>>,
    Named(name): Named<String>,
    Asked(when): Asked<When>,
) -> Result<Response> {
    of_state(&context, Question::Balance { name: account(&name)? }, when).await
}

fn account(name: &str) -> Result<Name> {
    Name::new(name).map_err(|error| Problem::bad_request(format!("this is no account's name: {error}")))
}

/// A proof of what a validator is
#[utoipa::path(
    get,
    path = "/v1/proofs/validator/{id}",
    params(("id" = String, Path, description = "The validator's id"), When),
    responses(
        (status = 200, description = "The proof: one line of JSON, byte for byte", body = serde_json::Value),
        (status = 400, description = "No id, or a height that the checkpoint does not cover", body = Problem, content_type = PROBLEM),
        (status = 404, description = "The chain does not have so many blocks", body = Problem, content_type = PROBLEM),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 422, description = "It takes more than this server spends on a proof", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn validator(
    State(context): State<Arc<Context>>,
    Named(id): Named<String>,
    Asked(when): Asked<When>,
) -> Result<Response> {
    let id =
        ValidatorId::new(&id).map_err(|error| Problem::bad_request(format!("this is no validator's id: {error}")))?;
    of_state(&context, Question::Validator { id }, when).await
}

/// A proof of whether a sender has used an id
///
/// Of an id that is remembered: by which transaction. Otherwise that it was not used, as far back as ids are remembered.
#[utoipa::path(
    get,
    path = "/v1/proofs/id/{sender}/{id}",
    params(
        ("sender" = String, Path, description = "The sender's account"),
        ("id" = String, Path, description = "The transaction's id"),
        When,
    ),
    responses(
        (status = 200, description = "The proof: one line of JSON, byte for byte", body = serde_json::Value),
        (status = 400, description = "No name, no id, or a height that the checkpoint does not cover", body = Problem, content_type = PROBLEM),
        (status = 404, description = "The chain does not have so many blocks", body = Problem, content_type = PROBLEM),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 422, description = "It takes more than this server spends on a proof", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn id(
    State(context): State<Arc<Context>>,
    Named((sender, id)): Named<(String, String)>,
    Asked(when): Asked<When>,
) -> Result<Response> {
    let id: Id = id.parse().map_err(|error| Problem::bad_request(format!("this is no transaction's id: {error}")))?;
    of_state(&context, Question::Id { sender: account(&sender)?, id }, when).await
}

/// A checkpoint of the chain, as this server has it
///
/// Three lines of text, which has no signature: the server's own word. To trust it on first use is to keep it, and to see whether
/// all that comes later goes on from it.
#[utoipa::path(
    get,
    path = "/v1/checkpoint",
    params(Size),
    responses(
        (status = 200, description = "The checkpoint", body = String, content_type = "text/plain; charset=utf-8"),
        (status = 400, description = "No size", body = Problem, content_type = PROBLEM),
        (status = 404, description = "The chain does not have so many blocks", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn checkpoint(
    State(context): State<Arc<Context>>,
    Asked(Size { size }): Asked<Size>,
) -> Result<Response> {
    let Made::History { size, root, .. } = context.prover.ask(prove::Asked::Checkpoint(size)).await? else {
        return Err(Problem::unavailable("ask again"));
    };
    let checkpoint = Checkpoint { origin: Checkpoint::origin_of(&context.genesis_hash), size, root };
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, checkpoint.to_string()).into_response())
}

/// How a history goes on from an earlier one (RFC 9162, 2.1.4).
#[derive(Serialize, ToSchema)]
struct Continued {
    /// The number of blocks of the earlier one.
    old_size: u64,
    /// The number of blocks of the later one.
    size: u64,
    /// The root over the hashes of these, in hex.
    #[schema(value_type = String)]
    root: Hash,
    /// The hashes that show it, in hex.
    #[schema(value_type = Vec<String>)]
    path: Vec<Hash>,
}

/// What shows that the chain goes on from an earlier checkpoint
#[utoipa::path(
    get,
    path = "/v1/proofs/consistency/{old_size}",
    params(("old_size" = String, Path, description = "The number of blocks of the earlier checkpoint"), Size),
    responses(
        (status = 200, description = "A consistency proof of RFC 9162", body = Continued),
        (status = 400, description = "No size, or none that is earlier", body = Problem, content_type = PROBLEM),
        (status = 404, description = "The chain does not have so many blocks", body = Problem, content_type = PROBLEM),
        (status = 502, description = "The blockchain topic does not hold a chain that proves anything", body = Problem, content_type = PROBLEM),
        (status = 503, description = "Others wait for proofs, or the chain is still being read", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn consistency(
    State(context): State<Arc<Context>>,
    Named(old_size): Named<String>,
    Asked(Size { size }): Asked<Size>,
) -> Result<Response> {
    let old_size = old_size.parse().map_err(|_| Problem::bad_request("a checkpoint's size is a number of blocks"))?;
    match context.prover.ask(prove::Asked::Consistency(old_size, size)).await? {
        Made::History { size, root, path } => Ok(answer(&Continued { old_size, size, root, path })),
        Made::Proof(_) => Err(Problem::unavailable("ask again")),
    }
}
