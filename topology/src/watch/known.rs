//! What a run knew of its topics when it began.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::log::{Log, TopicIdentity};

/// The topics of a run, as they were at its start.
#[derive(Clone, Debug, Default)]
pub struct Known {
    names: Vec<String>,
    identities: Vec<TopicIdentity>,
}

impl Known {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the log for these topics. One that is not there is an error of class stop.
    pub fn look_up(log: &impl Log, names: &[String], timeout: Duration) -> Result<Self> {
        let mut known = Self::new();
        for (name, found) in names.iter().zip(log.identify_topics(names, timeout)?) {
            known.add(name, found.ok_or_else(|| Error::stop(format!("there is no topic '{name}'")))?);
        }
        Ok(known)
    }

    /// Adds a topic. One that is known already stays as it was known first.
    pub fn add(&mut self, name: &str, identity: TopicIdentity) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
            self.identities.push(identity);
        }
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Name and identity of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, TopicIdentity)> {
        self.names.iter().map(String::as_str).zip(self.identities.iter().copied())
    }
}
