//! One record of the transactions topic, and what became of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::context::Context;
use super::super::lookup::{Found, Question};
use super::super::problem::{PROBLEM, Problem, Result};
use super::answer;
use super::asked::{Caller, FromPath};
use crate::chain::{Hash, Rendering};

/// A record of the transactions topic in its block.
#[derive(Serialize, ToSchema)]
pub(super) struct Transaction {
    /// The block's height.
    pub(super) height: u64,
    /// The block's hash.
    #[schema(value_type = String)]
    block_hash: Hash,
    /// Its place among the block's records, from 0.
    index: u64,
    /// When the log took the block, ms since 1970 UTC.
    sealed_ms: i64,
    /// The topic on which the record stands.
    topic: String,
    /// The record as the block has it: see docs/encoding.md.
    #[schema(value_type = Object)]
    entry: Box<RawValue>,
}

/// A transaction, by where it stands on the transactions topic
#[utoipa::path(
    get,
    path = "/v1/transactions/{partition}/{offset}",
    params(
        ("partition" = i32, Path, description = "Partition of the transactions topic"),
        ("offset" = i64, Path, description = "Offset in the partition"),
    ),
    responses(
        (status = 200, description = "The record, and what became of it", body = Transaction),
        (status = 400, description = "No partition or no offset", body = Problem, content_type = PROBLEM),
        (status = 404, description = "It is in no block, or not yet", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The topic cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn one(
    State(context): State<Arc<Context>>,
    Caller(peer): Caller,
    FromPath((partition, offset)): FromPath<(String, String)>,
) -> Result<Response> {
    let (partition, offset) = place(&partition, &offset)?;
    Ok(answer(&find(&context, peer, partition, offset).await?))
}

/// A place of the transactions topic.
pub(super) fn place(partition: &str, offset: &str) -> Result<(i32, i64)> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let (Some(at), Some(offset)) = (number(partition), number(offset)) else {
        return Err(Problem::bad_request(
            "a transaction is named by its partition and its offset: two numbers from 0 on",
        ));
    };
    let partition = i32::try_from(at).map_err(|_| Problem::bad_request("there is no such partition"))?;
    Ok((partition, offset))
}

fn missing(partition: i32, offset: i64) -> Problem {
    let detail = format!("no block holds a record of partition {partition} at offset {offset}");
    Problem::not_found(detail).of(format!("{partition}:{offset}"))
}

/// The record in its block, for this address.
pub(super) async fn find(context: &Arc<Context>, peer: IpAddr, partition: i32, offset: i64) -> Result<Transaction> {
    let missing = || missing(partition, offset);
    let found = context.lookup.one(peer, question(context, partition, offset)?).await?.ok_or_else(missing)?;
    // A block is parsed whole: not on the thread that all others wait for.
    let with_index = Arc::clone(context);
    let transaction = context.blocking(move || transaction(&with_index, &found, (partition, offset))).await?;
    transaction.ok_or_else(missing)
}

/// Where to look for the block.
fn question(context: &Context, partition: i32, offset: i64) -> Result<Question> {
    let index = context.feed.index();
    if let Some(block) = index.holder(partition, offset).and_then(|height| index.block(height)) {
        return Ok(Question::At { height: block.height, offset: block.offset });
    }
    // A partition that the topic does not have is in no block, and all would have to be looked at to find that out.
    let is_known = context.feed.ends().may_hold(partition, offset);
    match index.first() {
        Some(_) if !is_known => {
            let detail = format!(
                "offset {offset} of partition {partition} is in no block yet: this server has not seen it on the topic"
            );
            Err(Problem::not_found(detail).of(format!("{partition}:{offset}")))
        }
        Some(first) if first.height > 1 => Ok(Question::Holder { partition, offset, last: first.height - 1 }),
        _ => Err(Problem::not_found("no block holds this record").of(format!("{partition}:{offset}"))),
    }
}

fn transaction(context: &Context, found: &Found, (partition, offset): (i32, i64)) -> Result<Option<Transaction>> {
    let block = found.block()?;
    let is_it = |entry: &crate::chain::Entry| entry.origin.partition == partition && entry.origin.offset == offset;
    let Some(index) = block.entries.iter().position(is_it) else {
        let covered = block.header.ranges.iter().find(|range| range.partition == partition);
        return match covered {
            // The last block with records of the partition ends before it.
            Some(range) if range.last < offset && !context.feed.index().is_passed(partition, offset) => {
                let detail = format!(
                    "offset {offset} of partition {partition} is in no block yet: blocks go up to {}, as far as this server \
                     has seen",
                    range.last
                );
                Err(Problem::not_found(detail).of(format!("{partition}:{offset}")))
            }
            _ => Ok(None),
        };
    };
    let entry = RawValue::from_string(block.entries[index].to_json())
        .map_err(|error| Problem::bad_request(format!("the record cannot be shown: {error}")))?;
    Ok(Some(Transaction {
        height: block.header.height,
        block_hash: block.hash,
        index: index as u64,
        sealed_ms: found.place.time_ms,
        topic: context.transactions.clone(),
        entry,
    }))
}
