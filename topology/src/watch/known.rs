//! What a run knew of its topics when it began.

use std::fmt;
use std::sync::Arc;

use crate::log::TopicIdentity;

/// Tells of the name of a topic whether the run would read it, had it been there at its start.
pub(crate) type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The topics of a run, as they were at its start.
#[derive(Clone, Default)]
pub(crate) struct Known {
    names: Vec<String>,
    identities: Vec<TopicIdentity>,
    /// `None` where it reads topics by their names alone.
    wanted: Option<Wanted>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("names", &self.names)
            .field("identities", &self.identities)
            .finish_non_exhaustive()
    }
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

    /// Has it told which other topics the run would read.
    pub(crate) fn want(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Whether there may be other topics that the run would read.
    pub(super) fn wants_others(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether the run would read the topic of this name.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted(name))
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
