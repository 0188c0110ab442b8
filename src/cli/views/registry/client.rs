//! What speaks HTTP with a registry.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::Answer;
use crate::cli::error::Result;

const TIMEOUT: Duration = Duration::from_secs(20);
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A client, with the certificate authorities of the system.
pub(super) struct Client(Agent);

impl Client {
    #[allow(clippy::unnecessary_wraps, reason = "a build without the feature has none")]
    pub(super) fn new() -> Result<Self> {
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        let config =
            Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).tls_config(tls.build());
        Ok(Self(config.build().into()))
    }

    /// Sends a body of JSON; what is answered, whatever its status.
    pub(super) fn post(&self, url: &str, body: String) -> Result<Answer, ureq::Error> {
        let mut answer = self.0.post(url).header("content-type", CONTENT_TYPE).send(body)?;
        Ok(Answer { status: answer.status().as_u16(), text: answer.body_mut().read_to_string()? })
    }
}
