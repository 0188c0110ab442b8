//! What somebody may mean by a text.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::committed::{State as Ledger, Step};
use super::super::context::Context;
use super::super::problem::{PROBLEM, Problem, Result};
use super::answer;
use super::asked::FromQuery;
use crate::chain::Name;
use crate::ledger::state::{Account, Table, account};

/// The longest text that is looked for, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// Results of a kind, at most.
const RESULTS_MAX: usize = 8;
/// The shortest beginning of a hash that is looked for.
const HASH_PREFIX_MIN: usize = 6;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct What {
    /// A height, a hash or how one begins, an account or how its name begins, `partition:offset`, a transaction's id, a
    /// validator
    #[param(min_length = 1, max_length = 256)]
    q: String,
}

/// What was found, the likeliest first.
#[derive(Serialize, ToSchema)]
struct Results {
    results: Vec<Hit>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Hit {
    /// `block`, `transaction`, `account` or `validator`.
    kind: &'static str,
    /// Its path in the API: of a block its height, of a transaction `partition/offset`, else the name.
    key: String,
    /// Why it was found.
    why: String,
}

/// What a text may mean
#[utoipa::path(
    get,
    path = "/v1/search",
    params(What),
    responses(
        (status = 200, description = "What was found, perhaps nothing", body = Results),
        (status = 400, description = "Nothing to look for", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn search(State(context): State<Arc<Context>>, FromQuery(what): FromQuery<What>) -> Result<Response> {
    let text = what.q.trim().to_owned();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Problem::bad_request(format!("what is looked for has 1 to {TEXT_BYTES_MAX} bytes")));
    }
    let looked = text.clone();
    let with_index = Arc::clone(&context);
    let mut results = context.blocking(move || Ok(in_index(&with_index, &looked))).await?;
    // An instance that does not have the state finds what it can.
    let looked = text.clone();
    let accounts = match context.read(move |_, state| accounts(state, &looked)).await {
        Ok(accounts) => accounts,
        Err(_) => {
            let with_index = Arc::clone(&context);
            context.blocking(move || Ok(seen_accounts(&with_index, &text))).await?
        }
    };
    results.extend(accounts);
    Ok(answer(&Results { results }))
}

fn in_index(context: &Context, text: &str) -> Vec<Hit> {
    let index = context.feed.index();
    let mut results = Vec::new();
    let hit = |kind, key: String, why: &str| Hit { kind, key, why: why.to_owned() };
    if let (Ok(height), Some(last)) = (text.replace([',', '_'], "").parse::<u64>(), index.last())
        && height <= last.height
    {
        results.push(hit("block", height.to_string(), "height"));
    }
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && text.len() >= HASH_PREFIX_MIN {
        let found = index.by_hash_prefix(text, RESULTS_MAX);
        results.extend(found.into_iter().map(|block| hit("block", block.height.to_string(), "hash")));
    }
    if let Some((partition, offset)) = text.split_once([':', '/'])
        && let (Ok(partition), Ok(offset)) = (partition.parse::<u32>(), offset.parse::<u64>())
    {
        results.push(hit("transaction", format!("{partition}/{offset}"), "partition and offset"));
    }
    for posting in index.find(text).take(RESULTS_MAX) {
        if let Some((partition, offset)) = posting.origin {
            let why = if posting.id.as_deref() == Some(text) { "id" } else { "hash of the record" };
            results.push(hit("transaction", format!("{partition}/{offset}"), why));
        }
    }
    let named = context.genesis.validators.iter().filter(|validator| validator.id.as_str().starts_with(text));
    results.extend(named.take(RESULTS_MAX).map(|validator| hit("validator", validator.id.to_string(), "name")));
    results
}

/// Accounts that the chain keeps.
fn accounts(state: &Ledger, text: &str) -> Result<Vec<Hit>> {
    let mut results = Vec::new();
    let hit = |name: &str, why: &str| Hit { kind: "account", key: name.to_owned(), why: why.to_owned() };
    if let Ok(name) = Name::new(text)
        && account(state, &name)? != Account::default()
    {
        results.push(hit(text, "name"));
    }
    state.walk(Table::Accounts, text.as_bytes(), None, |key, _| {
        let name = String::from_utf8_lossy(key);
        if name != text {
            results.push(hit(&name, "name begins so"));
        }
        if results.len() < RESULTS_MAX { Step::On } else { Step::Enough }
    })?;
    Ok(results)
}

/// Accounts that are in the last blocks.
fn seen_accounts(context: &Context, text: &str) -> Vec<Hit> {
    let found = context.feed.index().accounts(text, RESULTS_MAX);
    let hit =
        |name: Arc<str>| Hit { kind: "account", key: name.to_string(), why: "name in the last blocks".to_owned() };
    found.into_iter().map(hit).collect()
}
