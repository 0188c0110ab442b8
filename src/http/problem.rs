//! Errors as RFC 9457 has them: `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger;

/// Before a client asks again, in seconds.
const RETRY_S: u64 = 1;

/// What an answer that is a problem says it is.
pub(super) const PROBLEM: &str = "application/problem+json";

/// Why a request has no answer (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// What was looked for, where it was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    instance: Option<String>,
}

pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into(), instance: None }
    }

    /// The request asks for what cannot be asked.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Not now: ask again.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// It would take more than is spent on it here.
    pub(super) fn unprovable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// Of this URI.
    pub(super) fn of(self, instance: impl Into<String>) -> Self {
        Self { instance: Some(instance.into()), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_S));
        }
        response
    }
}

impl From<topology::query::Error> for Problem {
    fn from(error: topology::query::Error) -> Self {
        use topology::query::Error;
        match error {
            Error::Moving(_) | Error::Unanswered(_) | Error::Closed => Self::unavailable(error.to_string()),
            // Another instance seals this chain: it alone has the state.
            Error::Elsewhere { .. } | Error::Undecided { .. } => {
                Self::new(StatusCode::MISDIRECTED_REQUEST, error.to_string())
            }
            // `Error::Invalid`, `Error::Store`, and any that comes to be.
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<ledger::Error<topology::query::Error>> for Problem {
    fn from(error: ledger::Error<topology::query::Error>) -> Self {
        match error {
            ledger::Error::View(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        }
    }
}
