//! Schemas in a schema registry: what Confluent's HTTP contract calls registering under a subject, which other registries speak too.
//!
//! ```text
//! client    speaks HTTP, where the build has it
//! ```
//! Two calls at the start are all there is to it, so it is done with an HTTP client and not with a library that frames each record.

#[cfg(feature = "schema-registry")]
mod client;
#[cfg(not(feature = "schema-registry"))]
#[path = "client_left_out.rs"]
mod client;

use serde::Deserialize;

use crate::cli::error::{Error, Result};
use client::Client;

/// The schemas that a subject has had do not let this one follow them.
const CONFLICT: u16 = 409;

/// What a registry answers.
struct Answer {
    status: u16,
    text: String,
}

/// A registry.
pub(super) struct Registry {
    client: Client,
    /// Without a slash at its end.
    url: String,
}

impl Registry {
    /// The one at a URL, which may hold `USER:PASSWORD@`.
    pub(super) fn new(url: &str) -> Result<Self> {
        let url = url.trim().trim_end_matches('/');
        if !["http://", "https://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)) {
            return Err(Error::usage("--schema-registry takes http://HOST:PORT or https://HOST[:PORT]"));
        }
        Ok(Self { client: Client::new()?, url: url.to_owned() })
    }

    /// Registers the schema of a topic's values, which is no change where it is there, and says the number that the registry knows
    /// it by. One that readers of the schemas before could not go on with is refused by the registry.
    pub(super) fn register(&self, topic: &str, schema: &str) -> Result<u32> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let subject = format!("{topic}-value");
        let request = serde_json::json!({ "schemaType": "JSON", "schema": schema });
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let Answer { status, text } = self.client.post(&url, request.to_string()).map_err(|error| {
            let registry = self.address();
            Error::failed(format!("cannot reach the schema registry at {registry}: {error}. Is it running there?"))
                .caused_by(error)
        })?;
        if status == CONFLICT {
            return Err(Error::failed(format!(
                "the schema registry at {} refuses the schema of topic '{topic}', for it does not go on with the one under subject \
                 '{subject}' ({}): see the subject's compatibility, or delete the subject",
                self.address(),
                detail(&text)
            )));
        }
        let registered = serde_json::from_str::<Registered>(&text).ok().filter(|_| (200..300).contains(&status));
        registered.map(|registered| registered.id).ok_or_else(|| {
            let (registry, detail) = (self.address(), detail(&text));
            Error::failed(format!(
                "the schema registry at {registry} did not register subject '{subject}': status {status}, {detail}"
            ))
        })
    }

    /// What may be said of its URL: nothing of a password.
    fn address(&self) -> String {
        match self.url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
            Some((scheme, rest)) => format!("{scheme}://{rest}"),
            None => self.url.clone(),
        }
    }
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
    fn a_password_in_the_url_is_not_told() {
        let address = |url: &str| Registry::new(url).map(|registry| registry.address());
        assert_eq!(address("https://me:secret@host:8081/").unwrap(), "https://host:8081");
        assert_eq!(address("http://host").unwrap(), "http://host");
        for wrong in ["host:8081", "ftp://host", "http://", ""] {
            assert!(address(wrong).unwrap_err().to_string().contains("http://HOST:PORT"), "{wrong}");
        }
    }
}
