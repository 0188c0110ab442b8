//! What a request asks, read from its path or its query: what cannot be read is a problem of the request's.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::super::guard::Peer;
use super::super::problem::Problem;

/// The fields of the query.
pub(super) struct FromQuery<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for FromQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        read.map(|Query(fields)| Self(fields)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// What stands in the path in place of names.
pub(super) struct FromPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for FromPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(names)| Self(names)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// The address that asks.
pub(super) struct Caller(pub(super) IpAddr);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The server says it of every connection. Without it, all callers would share what one may have.
        let peer = parts.extensions.get::<Peer>().map(|peer| Self(peer.0));
        peer.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "who asks is not known"))
    }
}
