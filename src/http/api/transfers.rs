//! Transfers from the page, and validators that are told to cheat: where somebody takes them, as the demo does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use topology::clock::Clock;
use utoipa::ToSchema;

use super::super::context::{Context, lock};
use super::super::problem::{PROBLEM, Problem, Result};
use super::super::teller::{Teller, TransferRequest};
use super::answer;
use crate::chain::{Amount, Memo, Name, ValidatorId};

/// Between two validators that are told to cheat: time to watch what becomes of the first.
const CHEATS_APART_MS: i64 = 5_000;
/// Where a browser says whether a page of this server asks.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A transfer to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    from: String,
    to: String,
    /// In minor units.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    amount: u64,
    /// A text kept with it.
    #[serde(default)]
    memo: Option<String>,
}

/// Where a transfer stands on the transactions topic. Sent is not applied: the receipt in a block says what became of
/// it.
#[derive(Serialize, ToSchema)]
struct Sent {
    partition: i32,
    offset: i64,
}

/// Sends a transfer
///
/// In the demo only. It is written to the transactions topic; /v1/transactions/{partition}/{offset} says what became of
/// it, once it is in a block.
#[utoipa::path(
    post,
    path = "/v1/transfers",
    request_body = Order,
    responses(
        (status = 202, description = "It is on the topic", body = Sent),
        (status = 400, description = "No such transfer can be", body = Problem, content_type = PROBLEM),
        (status = 403, description = "A page of another origin asks", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn send(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Response> {
    let teller = admit(&context, &headers)?;
    let Json(order) = order.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let name = |field: &str, text: &str| {
        Name::new(text).map_err(|error| Problem::bad_request(format!("`{field}` is no account's name: {error}")))
    };
    let amount = Amount::new(order.amount);
    let memo = order.memo.as_deref().filter(|memo| !memo.is_empty()).map(Memo::new).transpose();
    let request = TransferRequest {
        from: name("from", &order.from)?,
        to: name("to", &order.to)?,
        amount: amount.ok_or_else(|| Problem::bad_request("`amount` is at most 9007199254740991"))?,
        memo: memo.map_err(|error| Problem::bad_request(format!("`memo`: {error}")))?,
    };
    let sent =
        context.blocking(move || teller.send(&request).map_err(|refused| Problem::unavailable(refused.0))).await?;
    let (partition, offset) = sent;
    let mut response = answer(&Sent { partition, offset });
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Who is to cheat.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cheat {
    validator: String,
}

/// Has a validator cheat
///
/// In the demo only. The next block that it proposes has an altered amount in it; the others catch it, and it loses its
/// stake.
#[utoipa::path(
    post,
    path = "/v1/cheats",
    request_body = Cheat,
    responses(
        (status = 204, description = "It will, in its next turn"),
        (status = 400, description = "There is no such validator", body = Problem, content_type = PROBLEM),
        (status = 403, description = "A page of another origin asks", body = Problem, content_type = PROBLEM),
        (status = 429, description = "Another was told to a moment ago", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn cheat(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    cheat: Result<Json<Cheat>, JsonRejection>,
) -> Result<Response> {
    let teller = admit(&context, &headers)?;
    let Json(cheat) = cheat.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let validator = ValidatorId::new(&cheat.validator).map_err(|error| Problem::bad_request(error.to_string()))?;
    let with_clock = Arc::clone(&context);
    let corrupt = move || {
        let mut cheated_ms = lock(&with_clock.cheated_ms);
        let now_ms = with_clock.clock.monotonic_ms();
        if cheated_ms.is_some_and(|cheated_ms| now_ms.saturating_sub(cheated_ms) < CHEATS_APART_MS) {
            let detail = "a validator was told to cheat a moment ago: wait for what becomes of it";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        teller.corrupt(&validator).map_err(|refused| Problem::bad_request(refused.0))?;
        *cheated_ms = Some(now_ms);
        Ok(())
    };
    context.blocking(corrupt).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Only this server's own page, or a program that is none, may write.
fn admit(context: &Context, headers: &HeaderMap) -> Result<Arc<dyn Teller>> {
    let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A browser says it of every request, also of those whose origin it leaves out; a program that is none says
    // nothing.
    let is_foreign = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    if is_foreign {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another origin may not send anything"));
    }
    if let Some(origin) = text(&header::ORIGIN) {
        let host = origin.split_once("://").map(|(_, host)| host);
        if host.is_none() || host != text(&header::HOST) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another origin may not send anything"));
        }
    }
    let teller = context.teller.as_ref().map(Arc::clone);
    teller.ok_or_else(|| Problem::not_found("this server takes nothing"))
}
