//! Blocks: a list of them, and one as it stands on the topic.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::context::Context;
use super::super::index::BlockSummary;
use super::super::lookup::{Found, Question};
use super::super::problem::{PROBLEM, Problem, Result};
use super::asked::{Caller, FromPath, FromQuery};
use super::{answer, cursor, json};
use crate::chain::Hash;

/// Where a block stands on its topic.
const OFFSET: HeaderName = HeaderName::from_static("x-cairn-offset");
/// When the log took it.
const SEALED_MS: HeaderName = HeaderName::from_static("x-cairn-sealed-ms");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many, 1 to 200 [default: 20]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// What `next` said
    cursor: Option<String>,
}

/// Blocks, the newest first.
#[derive(Serialize, ToSchema)]
struct Blocks {
    blocks: Vec<BlockSummary>,
    /// The cursor of older ones; null at the end.
    next: Option<String>,
}

/// Sealed blocks, the newest first
#[utoipa::path(
    get,
    path = "/v1/blocks",
    params(Page),
    responses(
        (status = 200, description = "Blocks in a few words", body = Blocks),
        (status = 400, description = "No such cursor or limit", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The topic cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn list(
    State(context): State<Arc<Context>>,
    Caller(peer): Caller,
    FromQuery(page): FromQuery<Page>,
) -> Result<Response> {
    let limit = cursor::limit(page.limit, 20)?;
    let below = page.cursor.as_deref().map(cursor::height).transpose()?;
    let mut blocks: Vec<BlockSummary> = {
        let index = context.feed.index();
        index.below(below.unwrap_or(u64::MAX)).take(limit).map(|block| BlockSummary::clone(block)).collect()
    };
    let reached = blocks.last().map(|last| last.height).or(below).unwrap_or(0);
    if blocks.len() < limit && reached > 0 {
        let missing = (limit - blocks.len()) as u64;
        let question = Question::Stretch(reached.saturating_sub(missing), reached - 1);
        let found = context.lookup.ask(peer, question).await?;
        // To parse up to 200 blocks would keep all others waiting on this thread.
        let summaries = move || found.iter().rev().map(Found::summary).collect::<Result<Vec<_>>>();
        blocks.extend(context.blocking(summaries).await?);
    }
    let next = blocks.last().filter(|last| last.height > 0).map(|last| last.height.to_string());
    Ok(answer(&Blocks { blocks, next }))
}

/// A block, whole
///
/// By its height, its hash, or `latest`. The answer is the record of the blockchain topic, byte for byte; what it holds
/// is described in docs/encoding.md. The header `x-cairn-offset` says where it stands, `x-cairn-sealed-ms` when the log
/// took it.
#[utoipa::path(
    get,
    path = "/v1/blocks/{block}",
    params(("block" = String, Path, description = "Height, hash, or `latest`")),
    responses(
        (status = 200, description = "The block", body = serde_json::Value),
        (status = 400, description = "Neither a height nor a hash", body = Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such block", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The topic cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn one(
    State(context): State<Arc<Context>>,
    FromPath(block): FromPath<String>,
    Caller(peer): Caller,
) -> Result<Response> {
    let question = question(&context, &block)?;
    let found = context.lookup.one(peer, question).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no block {block}")).of(&block))?;
    let place = found.place;
    // Not copied for each reader.
    let mut response = json(context.on_its_way(peer, found.value)?);
    let headers = response.headers_mut();
    headers.insert(OFFSET, HeaderValue::from(place.offset));
    headers.insert(SEALED_MS, HeaderValue::from(place.time_ms));
    Ok(response)
}

fn question(context: &Context, block: &str) -> Result<Question> {
    let index = context.feed.index();
    let at = |block: &BlockSummary| Question::At { height: block.height, offset: block.offset };
    if block == "latest" {
        return index.last().map(|last| at(last)).ok_or_else(|| Problem::not_found("there is no block yet"));
    }
    if let Ok(hash) = block.parse::<Hash>() {
        let found = index.by_hash_prefix(block, 1).first().map(|block| at(block));
        return found.ok_or_else(|| {
            let from = index.first().map_or(0, |first| first.height);
            let detail =
                format!("no block from height {from} on has the hash {hash}: older ones are found by height only");
            Problem::not_found(detail).of(block)
        });
    }
    let height: u64 = block.parse().map_err(|_| {
        let shown: String = block.chars().take(80).collect();
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("`{shown}` is neither a height nor a hash of 64 lower-case hex digits"),
        )
    })?;
    match (index.block(height), index.last()) {
        (Some(block), _) => Ok(at(block)),
        (None, Some(last)) if height > last.height => {
            Err(Problem::not_found(format!("there is no block {height} yet: the last one is {}", last.height))
                .of(block))
        }
        _ => Ok(Question::Height(height)),
    }
}
