//! Proofs: what `cairn prove` writes, of the chain as it is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, ResponseBuilder, Schema};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use super::super::context::Context;
use super::super::problem::{PROBLEM, Problem, Result};
use super::super::prove::{Top, Wanted};
use super::asked::{Caller, FromPath, FromQuery};
use super::{answer, json, transactions};
use crate::audit::prove::Question;
use crate::chain::{Hash, Id, Name, ValidatorId};
use crate::checkpoint::Checkpoint;

/// The history that a proof leads to, and whether it has the seal.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Lead to a checkpoint of so many blocks [default: of all there are]
    #[param(minimum = 1)]
    checkpoint_size: Option<u64>,
    /// Leave genesis and seal out: such a proof rests on a checkpoint alone [default: false]
    without_seal: Option<bool>,
}

/// Of which state. It stands in the query beside [`How`].
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct When {
    /// The height after which it is so [default: the last that the checkpoint covers, else the last block]
    #[param(minimum = 0)]
    at_height: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Size {
    /// Of so many blocks [default: all there are]
    #[param(minimum = 1)]
    size: Option<u64>,
}

impl How {
    /// Of something in a block, where that is known; else of the state after a height.
    fn wanted(self, question: Question, block: Option<u64>, at_height: Option<u64>) -> Wanted {
        let Self { checkpoint_size: size, without_seal } = self;
        Wanted { question, block, at_height, size, with_seal: !without_seal.unwrap_or(false) }
    }
}

async fn made(context: &Context, peer: IpAddr, wanted: Wanted) -> Result<Response> {
    let file = context.prover.ask(peer, move |answers| answers.proof(&wanted)).await?;
    Ok(json(context.on_its_way(peer, file)?))
}

/// What each proof may be answered with, as the description has it.
fn described(bad_request: &str, not_found: &str, more: &[(u16, &str)]) -> BTreeMap<String, RefOr<openapi::Response>> {
    let of = |media: &str, description: &str, schema: RefOr<Schema>| {
        ResponseBuilder::new()
            .description(description)
            .content(media, ContentBuilder::new().schema(Some(schema)).build())
    };
    let any = (200, of("application/json", "The proof: one line of JSON, byte for byte", serde_json::Value::schema()));
    let problems = [
        (400, bad_request),
        (404, not_found),
        (502, "The blockchain topic does not hold a chain that proves anything"),
        (503, "Others wait for proofs, or the chain is still being read"),
    ];
    let problem = |(status, description): &(u16, &str)| {
        (*status, of(PROBLEM, description, Ref::from_schema_name("Problem").into()))
    };
    let all = std::iter::once(any).chain(problems.iter().chain(more).map(problem));
    all.map(|(status, response)| (status.to_string(), response.build().into())).collect()
}

/// What a proof of something in a block is answered with.
struct OfBlock;

impl IntoResponses for OfBlock {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let pruned = (410, "The body of its block was pruned");
        described(
            "No such place, or a block that the checkpoint does not cover",
            "It is in no block, or not yet",
            &[pruned],
        )
    }
}

/// What a proof of something in the state is answered with.
struct OfState;

impl IntoResponses for OfState {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let elsewhere = (421, "Another instance has the state");
        let dear = (422, "It takes more than this server spends on a proof");
        let (bad_request, not_found) = (
            "No name, no id, or a height that the checkpoint does not cover",
            "The chain does not have so many blocks",
        );
        described(bad_request, not_found, &[elsewhere, dear])
    }
}

/// A proof that there is a block
///
/// What `cairn prove block` writes, checked by `cairn check` or by anybody after docs/proofs.md.
#[utoipa::path(
    get,
    path = "/v1/proofs/block/{height}",
    params(("height" = String, Path, description = "The block's height"), How),
    responses(OfBlock)
)]
pub(super) async fn block(
    State(context): State<Arc<Context>>,
    FromPath(height): FromPath<String>,
    FromQuery(how): FromQuery<How>,
    Caller(peer): Caller,
) -> Result<Response> {
    let height: u64 = height.parse().map_err(|_| Problem::bad_request("a block is proved by its height: a number"))?;
    made(&context, peer, how.wanted(Question::Block { height }, Some(height), None)).await
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
    responses(OfBlock)
)]
pub(super) async fn transaction(
    State(context): State<Arc<Context>>,
    Caller(peer): Caller,
    FromPath((partition, offset)): FromPath<(String, String)>,
    FromQuery(how): FromQuery<How>,
) -> Result<Response> {
    let (partition, offset) = transactions::place(&partition, &offset)?;
    let found = transactions::find(&context, peer, partition, offset).await?;
    let question = Question::Transaction { partition, offset };
    made(&context, peer, how.wanted(question, Some(found.height), None)).await
}

/// A proof of what an account holds
#[utoipa::path(
    get,
    path = "/v1/proofs/balance/{name}",
    params(("name" = String, Path, description = "The account's name"), When, How),
    responses(OfState)
)]
pub(super) async fn balance(
    State(context): State<Arc<Context>>,
    FromPath(name): FromPath<String>,
    FromQuery(When { at_height }): FromQuery<When>,
    FromQuery(how): FromQuery<How>,
    Caller(peer): Caller,
) -> Result<Response> {
    let question = Question::Balance { name: account(&name)? };
    made(&context, peer, how.wanted(question, None, at_height)).await
}

fn account(name: &str) -> Result<Name> {
    Name::new(name).map_err(|error| Problem::bad_request(format!("this is no account's name: {error}")))
}

/// A proof of what a validator is
#[utoipa::path(
    get,
    path = "/v1/proofs/validator/{id}",
    params(("id" = String, Path, description = "The validator's id"), When, How),
    responses(OfState)
)]
pub(super) async fn validator(
    State(context): State<Arc<Context>>,
    FromPath(id): FromPath<String>,
    FromQuery(When { at_height }): FromQuery<When>,
    FromQuery(how): FromQuery<How>,
    Caller(peer): Caller,
) -> Result<Response> {
    let id =
        ValidatorId::new(&id).map_err(|error| Problem::bad_request(format!("this is no validator's id: {error}")))?;
    made(&context, peer, how.wanted(Question::Validator { id }, None, at_height)).await
}

/// A proof of whether a sender has used an id
///
/// Of an id that is remembered: by which transaction. Otherwise that it was not used, as far back as ids are
/// remembered.
#[utoipa::path(
    get,
    path = "/v1/proofs/id/{sender}/{id}",
    params(
        ("sender" = String, Path, description = "The sender's account"),
        ("id" = String, Path, description = "The transaction's id"),
        When,
        How,
    ),
    responses(OfState)
)]
pub(super) async fn id(
    State(context): State<Arc<Context>>,
    FromPath((sender, id)): FromPath<(String, String)>,
    FromQuery(When { at_height }): FromQuery<When>,
    FromQuery(how): FromQuery<How>,
    Caller(peer): Caller,
) -> Result<Response> {
    let id: Id = id.parse().map_err(|error| Problem::bad_request(format!("this is no transaction's id: {error}")))?;
    let question = Question::Id { sender: account(&sender)?, id };
    made(&context, peer, how.wanted(question, None, at_height)).await
}

/// A checkpoint of the chain, as this server has it
///
/// Three lines of text, which has no signature: the server's own word. To trust it on first use is to keep it, and to
/// see whether all that comes later goes on from it.
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
    FromQuery(Size { size }): FromQuery<Size>,
    Caller(peer): Caller,
) -> Result<Response> {
    let Top { size, root } = context.prover.ask(peer, move |answers| answers.history(size)).await?;
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
    FromPath(old_size): FromPath<String>,
    FromQuery(Size { size }): FromQuery<Size>,
    Caller(peer): Caller,
) -> Result<Response> {
    let old_size: u64 =
        old_size.parse().map_err(|_| Problem::bad_request("a checkpoint's size is a number of blocks"))?;
    let (Top { size, root }, path) =
        context.prover.ask(peer, move |answers| answers.consistency(old_size, size)).await?;
    Ok(answer(&Continued { old_size, size, root, path }))
}
