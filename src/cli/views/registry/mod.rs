//! Schemas in a schema registry: what Confluent's HTTP contract calls registering under a subject, which other
//! registries speak too.
//!
//! ```text
//! client    speaks HTTP, where the build has it
//! ```
//! One call for each view at the start is all there is to it, so it is done with an HTTP client and not with a library
//! that frames each record. A run goes on where the registry is away.

#[cfg(feature = "schema-registry")]
mod client;
#[cfg(not(feature = "schema-registry"))]
#[path = "client_left_out.rs"]
mod client;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use crate::cli::error::{Error, Result};
use client::Client;

/// What stands in a path as it is.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The schemas that a subject has had do not let this one follow them.
const CONFLICT: u16 = 409;

/// What a registry answers.
#[cfg_attr(not(feature = "schema-registry"), allow(dead_code, reason = "nothing answers"))]
struct Answer {
    status: u16,
    /// The header `location`.
    redirects_to: Option<String>,
    text: String,
}

/// A registry.
pub(super) struct Registry {
    client: Client,
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
        Ok(Self { client: Client::new()?, url, authorization })
    }

    /// Registers the schema of a topic's values, which is no change where it is there, and says the number that the
    /// registry knows it by. One that readers of the schemas before could not go on with is refused by the registry.
    pub(super) fn register(&self, topic: &str, schema: &Schema) -> Result<u32> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let (registry, subject) = (&self.url, format!("{topic}-value"));
        let request = serde_json::json!({ "schemaType": schema.kind, "schema": schema.text });
        let path = utf8_percent_encode(&subject, AS_IT_IS);
        let (path, authorization) = (format!("/subjects/{path}/versions"), self.authorization.as_deref());
        let Answer { status, redirects_to, text } =
            self.client.post(registry, &path, authorization, &request.to_string())?;
        if (300..400).contains(&status) {
            let there = redirects_to.as_deref().unwrap_or("nowhere");
            let there = there.split_once("/subjects/").map_or(there, |(there, _)| there);
            return Err(Error::failed(format!(
                "the schema registry at {registry} redirects to {there}: give --schema-registry the URL of the registry itself"
            )));
        }
        if status == CONFLICT {
            return Err(Error::failed(format!(
                "the schema registry at {registry} refuses the schema of topic '{topic}', for it does not go on with the one under \
                 subject '{subject}' ({}): see the subject's compatibility, or delete the subject",
                detail(&text)
            )));
        }
        let registered = serde_json::from_str::<Registered>(&text).ok().filter(|_| (200..300).contains(&status));
        registered.map(|registered| registered.id).ok_or_else(|| {
            Error::failed(format!(
                "the schema registry at {registry} did not register subject '{subject}': status {status}, {}",
                detail(&text)
            ))
        })
    }
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

#[cfg(all(test, feature = "schema-registry"))]
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
