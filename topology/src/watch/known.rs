//! What a run knew of its topics when it began.

use crate::log::TopicIdentity;

/// The topics of a run, as they were at its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    names: Vec<String>,
    identities: Vec<TopicIdentity>,
}

impl Known {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Asks the log for these topics. One that is not there is an error of class stop.
    #[cfg(test)]
    pub(crate) fn look_up(
        log: &impl crate::log::Log,
        names: &[String],
        timeout: std::time::Duration,
    ) -> crate::error::Result<Self> {
        let mut known = Self::new();
        for (name, found) in names.iter().zip(log.identify_topics(names, timeout)?) {
            known.add(name, found.ok_or_else(|| crate::Error::stop(format!("there is no topic '{name}'")))?);
        }
        Ok(known)
    }

    /// Adds a topic. One that is known already stays as it was known first.
    pub(crate) fn add(&mut self, name: &str, identity: TopicIdentity) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
            self.identities.push(identity);
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Name and identity of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, TopicIdentity)> {
        self.names.iter().map(String::as_str).zip(self.identities.iter().copied())
    }
}
