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

/// Names by which the server may be called. A page elsewhere whose name was made to lead here calls it by that name.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    is_loopback: bool,
    names: Vec<String>,
}

impl Hosts {
    /// Of a server at a loopback address, or another one, with the names that somebody gave it.
    pub(super) fn new(is_loopback: bool, names: Vec<String>) -> Self {
        Self { is_loopback, names }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if !self.is_loopback && self.names.is_empty() {
            return true;
        }
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_named = |known: &String| name.eq_ignore_ascii_case(known);
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            // No name leads here: what calls the server by an address has it from somebody who knows that.
            Ok(address) => !self.is_loopback || address.to_canonical().is_loopback(),
            Err(_) => name.eq_ignore_ascii_case("localhost") || self.names.iter().any(is_named),
        }
    }
}

/// What an operator's probes ask. They are not counted: a probe may have the address of somebody who asks too often,
/// and one that is refused has the program ended.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

fn admit(context: &Context, request: &Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    if let Some(peer) = peer.filter(|_| !PROBES.contains(&request.uri().path()))
        && !lock(&context.rate).allow(peer, context.clock.monotonic_ms())
    {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests of one address: wait a second"));
    }
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Problem::bad_request("a request has one host"));
    }
    if !context.hosts.admits(request.headers()) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server does not answer to that name: call it localhost, or give it names with --http-names",
        ));
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, format!("a path has at most {TARGET_BYTES_MAX} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &Hosts, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        hosts.admits(&headers)
    }

    const OF_THIS_MACHINE: [&str; 8] = [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]:8080",
        "[::1]",
        "127.5.0.1:1",
        "[::ffff:127.0.0.1]:1",
    ];
    const OF_OTHERS: [&str; 4] = ["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", ""];
    const ADDRESSES: [&str; 3] = ["10.0.0.1", "0.0.0.0:80", "[::2]:80"];

    #[test]
    fn names_of_this_machine_are_told_from_those_that_only_lead_to_it() {
        let hosts = Hosts::new(true, Vec::new());
        assert!(OF_THIS_MACHINE.iter().all(|host| admits(&hosts, host)));
        assert!(!OF_OTHERS.iter().chain(&ADDRESSES).any(|host| admits(&hosts, host)));
        assert!(!hosts.admits(&HeaderMap::new()));
        let named = Hosts::new(true, vec!["cairn.test".to_owned()]);
        assert!(admits(&named, "Cairn.test:80") && admits(&named, "localhost") && !admits(&named, "a.cairn.test"));
    }

    #[test]
    fn at_another_address_any_name_will_do_until_some_are_given() {
        let any = Hosts::new(false, Vec::new());
        assert!(OF_OTHERS.iter().chain(&ADDRESSES).all(|host| admits(&any, host)) && any.admits(&HeaderMap::new()));
        let named = Hosts::new(false, vec!["cairn".to_owned()]);
        assert!(OF_THIS_MACHINE.iter().chain(&ADDRESSES).chain(&["cairn:8080"]).all(|host| admits(&named, host)));
        assert!(!OF_OTHERS.iter().any(|host| admits(&named, host)) && !named.admits(&HeaderMap::new()));
    }
}
