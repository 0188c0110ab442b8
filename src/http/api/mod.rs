//! The endpoints, and their description as OpenAPI: each is in the description because it is in the router, and there
//! only once.
//!
//! ```text
//! health          /healthz /readyz /metrics
//! status          /v1/status
//! blocks          /v1/blocks /v1/blocks/{block}
//! transactions    /v1/transactions/{partition}/{offset}
//! accounts        /v1/accounts /v1/accounts/{name}
//! validators      /v1/validators /v1/offences
//! proofs          /v1/proofs/.. /v1/checkpoint
//! search          /v1/search
//! events          /v1/events
//! transfers       /v1/transfers /v1/cheats, where somebody takes them: in the demo
//! cursor          where a list goes on
//! asked           what a request asks, read from its path or its query
//! ```

mod accounts;
mod asked;
mod blocks;
mod cursor;
mod events;
mod health;
mod proofs;
mod search;
mod status;
mod transactions;
mod transfers;
mod validators;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::{self, ContentBuilder, Ref, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use accounts::Largest;

use super::context::Context;
use super::problem::{PROBLEM, Problem};
use super::{guard, pages};

/// The most bytes of a request's body.
const BODY_BYTES_MAX: usize = 16 << 10;

/// What the description begins with.
#[derive(OpenApi)]
#[openapi(info(
    title = "Cairn",
    description = "A ledger on Kafka, read-only. Amounts and times are integers within 2^53, sums that may pass it are decimal text. Lists have a cursor: `next` goes \
                   on where an answer ends, and is null at the end. Errors are application/problem+json (RFC 9457)."
))]
struct Description;

/// The router, and the description of what is in it.
pub(super) fn router(takes_transfers: bool) -> (Router<Arc<Context>>, String) {
    let mut router = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(status::status))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::one))
        .routes(routes!(transactions::one))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::one))
        .routes(routes!(validators::list))
        .routes(routes!(validators::offences))
        .routes(routes!(proofs::block))
        .routes(routes!(proofs::transaction))
        .routes(routes!(proofs::balance))
        .routes(routes!(proofs::validator))
        .routes(routes!(proofs::id))
        .routes(routes!(proofs::consistency))
        .routes(routes!(proofs::checkpoint))
        .routes(routes!(search::search))
        .routes(routes!(events::events))
        .routes(routes!(description));
    if takes_transfers {
        router = router.routes(routes!(transfers::send)).routes(routes!(transfers::cheat));
    }
    let (router, mut description) = router.split_for_parts();
    for item in description.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), otherwise().into());
        }
    }
    // It is made of texts and numbers.
    (router, serde_json::to_string(&description).unwrap_or_default())
}

/// What every endpoint may answer, whatever it is asked: that the request is too long or one too many, that the server
/// is busy.
fn otherwise() -> openapi::Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description("No answer, and why").content(PROBLEM, problem).build()
}

/// The router with all that stands before it and behind it.
pub(super) fn finish(router: Router<Arc<Context>>, context: Arc<Context>) -> Router {
    let guard = middleware::from_fn_with_state(Arc::clone(&context), guard::guard);
    router
        .fallback(other)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(guard)
        .with_state(context)
}

/// This description
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    responses((status = 200, description = "The description of all endpoints (OpenAPI 3.1)", body = serde_json::Value))
)]
async fn description(State(context): State<Arc<Context>>) -> Response {
    json(context.openapi.clone())
}

/// An answer that is JSON already.
fn json(text: impl Into<axum::body::Body>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, text.into()).into_response()
}

/// An answer of this value.
fn answer<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json(text),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What is none of the endpoints: a file of the page, or nothing.
async fn other(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let page = matches!(method, Method::GET | Method::HEAD).then(|| pages::serve(uri.path(), &headers)).flatten();
    page.unwrap_or_else(|| {
        Problem::not_found("there is nothing at this path; /v1/openapi.json lists what there is")
            .of(uri.path())
            .into_response()
    })
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{method} means nothing here: the header Allow says what does"),
    )
    .of(uri.path())
}
