//! The client, in a build without the feature `schema-registry`: there is none.

use super::Answer;
use crate::cli::error::{Error, Result};
use crate::config::Feature;

/// A client that cannot be.
pub(super) enum Client {}

impl Client {
    pub(super) fn new() -> Result<Self> {
        Err(Error::usage(Feature::SchemaRegistry.left_out().to_string()))
    }

    pub(super) fn post(&self, _: &str, _: &str, _: Option<&str>, _: &str) -> Result<Answer> {
        match *self {}
    }
}
