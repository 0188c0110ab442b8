//! Whether the program is alive and ready, and its metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use topology::client::State as Engine;
use utoipa::ToSchema;

use super::super::context::Context;
use super::super::metrics::{self, Values};
use super::super::problem::{PROBLEM, Problem};
use super::answer;
use super::status::lags;

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The format from before OpenMetrics.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether all is well.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

/// Whether the program is alive
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It is", body = Health)))]
pub(super) async fn alive() -> Response {
    answer(&Health { status: "alive" })
}

/// Whether state is restored and input is processed
///
/// An instance that stands by is ready, too: it takes over when it has to.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, description = "It is", body = Health), (status = 503, description = "Not yet, or no more; the detail says why", body = Problem, content_type = PROBLEM))
)]
pub(super) async fn ready(State(context): State<Arc<Context>>) -> Response {
    match why_not(&context) {
        None => answer(&Health { status: "ready" }),
        Some(why) => Problem::unavailable(why).into_response(),
    }
}

/// Why it is not ready.
fn why_not(context: &Context) -> Option<String> {
    match context.engine() {
        Engine::Running => {}
        Engine::Created | Engine::Rebalancing => return Some("waiting for the group".to_owned()),
        Engine::Restoring => return Some("restoring stores from their changelogs".to_owned()),
        Engine::Stopping | Engine::Stopped => return Some("the program is ending".to_owned()),
        Engine::Failed => return Some("the engine has failed: see the log".to_owned()),
    }
    let rebuilding = context.application.status().rebuilding?;
    Some(format!(
        "rebuilding the state from the blockchain topic: {} of {}",
        rebuilding.height, rebuilding.target_height
    ))
}

/// Metrics of the engine and the chain, as Prometheus reads them
///
/// Who accepts `text/plain` and not OpenMetrics is given the older text format.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "OpenMetrics text, or the older format", content((String = METRICS), (String = TEXT_FORMAT))))
)]
pub(super) async fn metrics(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let lags = lags(&context).await.unwrap_or_default();
    let status = context.application.status();
    let (height, sealed_ms, totals) = {
        let index = context.feed.index();
        let last = index.last();
        (last.map(|last| last.height), last.map(|last| last.sealed_ms), index.totals().clone())
    };
    let values = Values {
        // The stream thread's own may not be committed yet; it is nearer to the truth only while blocks are read back.
        height: height.filter(|_| context.feed.is_live()).or(status.height).or(height),
        last_block_age_ms: sealed_ms.map(|sealed_ms| context.now_ms().saturating_sub(sealed_ms).max(0)),
        totals,
        waiting_for_quorum: status.waiting_for_quorum,
        lags,
        is_ready: why_not(&context).is_none(),
        ended_threads: context.threads.ended().len() as u64,
    };
    let text = metrics::write(&context.exported.to_text(), values);
    let (text, kind) = match wants_text_format(&headers) {
        true => (metrics::as_text_format(&text), TEXT_FORMAT),
        false => (text, METRICS),
    };
    let mut response = (StatusCode::OK, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn wants_text_format(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.contains("text/plain") && !accepted.contains("application/openmetrics-text")
}
