//! Schemas in a schema registry: what Confluent's HTTP contract calls registering under a subject, which other registries speak too.
//!
//! One call for each view at the start is all there is to it, so it is done with an HTTP client and not with a library that frames each
//! record. A run goes on where the registry is away.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use ureq::http::{StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use crate::cli::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(20);
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// What stands in a path as it is.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A number and what comes with it, or why there is none.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A registry.
pub(super) struct Registry {
    agent: Agent,
    /// Without a slash at its end, and without a password: it may be told.
    url: String,
    authorization: Option<String>,
}

/// The schema of a topic's values.
pub(super) struct Schema {
    /// As registries name it: `JSON` or `AVRO`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Registry {
    /// The one at a URL, which may hold `USER:PASSWORD@`, percent-encoded.
    pub(super) fn new(url: &str) -> Result<Self> {
        let (url, authorization) = parts(url.trim()).ok_or_else(|| {
            Error::usage(
                "--schema-registry takes http://HOST:PORT or https://HOST[:PORT], with USER:PASSWORD@ before the host where it asks \
                 for one: percent-encoded, such as %40 for @",
            )
        })?;
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // Where a POST is redirected, some clients send a GET, and a password may go where it does not belong.
            .max_redirects(0)
            .tls_config(tls.build());
        Ok(Self { agent: config.build().into(), url, authorization })
    }

    /// Registers the schema of a topic's values, which is no change where it is there, and says the number that the registry knows
    /// it by. One that readers of the schemas before could not go on with is refused by the registry.
    pub(super) fn register(&self, topic: &str, schema: &Schema) -> Result<u32> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let (registry, subject) = (&self.url, format!("{topic}-value"));
        let request = serde_json::json!({ "schemaType": schema.kind, "schema": schema.text });
        let path = utf8_percent_encode(&subject, AS_IT_IS);
        let mut post = self.agent.post(format!("{registry}/subjects/{path}/versions"));
        post = post.header("content-type", CONTENT_TYPE);
        if let Some(authorization) = &self.authorization {
            post = post.header("authorization", authorization);
        }
        let mut answer = post.send(request.to_string()).map_err(|error| self.unreachable(error))?;
        let text = read(answer.body_mut()).map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_redirection() {
            let there = answer.headers().get("location").and_then(|there| there.to_str().ok()).unwrap_or("nowhere");
            let there = there.split_once("/subjects/").map_or(there, |(there, _)| there);
            return Err(Error::failed(format!(
                "the schema registry at {registry} redirects to {there}: give --schema-registry the URL of the registry itself"
            )));
        }
        if status == StatusCode::CONFLICT {
            return Err(Error::failed(format!(
                "the schema registry at {registry} refuses the schema of topic '{topic}', for it does not go on with the one under \
                 subject '{subject}' ({}): see the subject's compatibility, or delete the subject",
                detail(&text)
            )));
        }
        let registered = serde_json::from_str::<Registered>(&text).ok().filter(|_| status.is_success());
        registered.map(|registered| registered.id).ok_or_else(|| {
            Error::failed(format!(
                "the schema registry at {registry} did not register subject '{subject}': {status}, {}",
                detail(&text)
            ))
        })
    }

    fn unreachable(&self, error: ureq::Error) -> Error {
        let registry = &self.url;
        let what = match &error {
            ureq::Error::BodyExceedsLimit(_) => {
                format!("the schema registry at {registry} answers with more than {ANSWER_BYTES_MAX} bytes. Is it one?")
            }
            ureq::Error::Timeout(_) => {
                let seconds = TIMEOUT.as_secs();
                format!("the schema registry at {registry} does not answer within {seconds} s. Is it running there?")
            }
            _ => format!("cannot reach the schema registry at {registry}: {error}. Is it running there?"),
        };
        Error::failed(what).caused_by(error)
    }
}

fn read(body: &mut Body) -> Result<String, ureq::Error> {
    let bytes = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A URL without what is before its host, and what that is as a header; `None` of what is no URL of a registry.
fn parts(url: &str) -> Option<(String, Option<String>)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let authority = uri.authority()?.as_str();
    // An `@` behind the first slash is one of a password that is not encoded.
    if uri.query().is_some() || uri.path().contains('@') {
        return None;
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let basic = |user| STANDARD.encode(percent_decode_str(user).collect::<Vec<u8>>());
    let path = uri.path().trim_end_matches('/');
    Some((format!("{scheme}://{host}{path}"), user.map(|user| format!("Basic {}", basic(user)))))
}

/// What an answer says, cut to what fits into a line.
fn detail(text: &str) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    const CHARACTERS_MAX: usize = 300;
    let said = serde_json::from_str::<Said>(text).map_or_else(|_| text.to_owned(), |said| said.message);
    said.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_into_a_header_and_not_into_what_is_told() {
        let of = |url: &str| Registry::new(url).map(|registry| (registry.url, registry.authorization));
        let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(of("https://me:secret@host:8081/").unwrap(), ("https://host:8081".to_owned(), basic("me:secret")));
        assert_eq!(of("http://host").unwrap(), ("http://host".to_owned(), None));
        assert_eq!(of(" http://[::1]:81/api/ccompat/v7/ ").unwrap().0, "http://[::1]:81/api/ccompat/v7");
        // Characters that a URL gives another meaning are written in percents.
        assert_eq!(of("http://me:s%40c%2Fr%25@host").unwrap(), ("http://host".to_owned(), basic("me:s@c/r%")));
        // Most of them are no URL; none is told in part.
        for odd in ["http://me:se@cret@host", "http://me:se/cret@host", "http://me:se?cret@host"] {
            match of(odd) {
                Ok((url, _)) => assert!(!url.contains("cret"), "{url}"),
                Err(error) => assert!(!error.to_string().contains("cret"), "{error}"),
            }
        }
        for wrong in ["host:8081", "ftp://host", "http://", "", "http://host/?x=1", "http://ho st"] {
            assert!(of(wrong).unwrap_err().to_string().contains("http://HOST:PORT"), "{wrong}");
        }
    }
}
