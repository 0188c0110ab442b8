//! What speaks HTTP with a registry.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::Answer;
use crate::cli::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(20);
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// A number and what comes with it, or why there is none.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A client, with the certificate authorities of the system.
pub(super) struct Client(Agent);

impl Client {
    #[allow(clippy::unnecessary_wraps, reason = "a build without the feature has none")]
    pub(super) fn new() -> Result<Self> {
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // Where a POST is redirected, some clients send a GET, and a password may go where it does not belong.
            .max_redirects(0)
            .tls_config(tls.build());
        Ok(Self(config.build().into()))
    }

    /// Sends a body of JSON to a path of a registry; what is answered, whatever its status.
    pub(super) fn post(&self, registry: &str, path: &str, authorization: Option<&str>, body: &str) -> Result<Answer> {
        let mut post = self.0.post(format!("{registry}{path}")).header("content-type", CONTENT_TYPE);
        if let Some(authorization) = authorization {
            post = post.header("authorization", authorization);
        }
        let mut answer = post.send(body).map_err(|error| unreachable(registry, error))?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| unreachable(registry, error))?;
        let there = answer.headers().get("location").and_then(|there| there.to_str().ok());
        Ok(Answer {
            status: answer.status().as_u16(),
            redirects_to: there.map(str::to_owned),
            text: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

fn unreachable(registry: &str, error: ureq::Error) -> Error {
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
