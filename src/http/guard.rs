//! What is asked of every request, and the headers of every answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use topology::clock::Clock;

use super::context::{Context, lock};
use super::problem::Problem;

/// An answer that takes longer is given up. Streams of events begin at once.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest path with its query, in bytes.
const TARGET_BYTES_MAX: usize = 2_048;

/// Nothing from outside, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Of every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Stands before every handler.
pub(super) async fn guard(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&context, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::unavailable("the answer took too long: ask again, or for less").into_response(),
        },
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admit(context: &Context, request: &Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    if let Some(peer) = peer
        && !lock(&context.rate).allow(peer, context.clock.monotonic_ms())
    {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests of one address: wait a second"));
    }
    if context.is_loopback && !is_this_machine(request.headers()) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers to localhost only: give it another address with --http to be reached by another name",
        ));
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, format!("a path has at most {TARGET_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Whether the request names this machine. A page elsewhere whose name leads here names itself.
fn is_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_those_that_only_lead_to_it() {
        let asks = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            is_this_machine(&headers)
        };
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]:8080",
            "[::1]",
            "127.5.0.1:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(asks(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1", "127.0.0.1.evil.example", "", "[::2]:80"]
        {
            assert!(!asks(host), "{host}");
        }
        assert!(!is_this_machine(&HeaderMap::new()));
    }
}
