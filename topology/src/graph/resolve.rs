//! The topics of a graph under the names that they have for a run: those of one application, of those that are there.
//!
//! ```text
//!   drawn      by-word, Pattern("orders-.*")                          what the graph says
//!   resolved   app-by-word-repartition, [orders-north, orders-south]  what a run reads and writes
//! ```
//! All that comes later works on the resolved graph, and knows nothing of patterns and of names within a graph.

use std::sync::Arc;

use crate::error::{Error, Result};

use super::{Kind, Topic, Topology, check};

impl Topology {
    /// The graph for this application, with the topics that its patterns match, of these.
    pub(crate) fn resolve(&self, application_id: &str, names: &[String]) -> Result<Self> {
        let mut sub_topologies = (*self.sub_topologies).clone();
        for node in sub_topologies.iter_mut().flat_map(|sub| &mut sub.nodes) {
            if let Kind::Source { topics, pattern: Some(pattern) } = &mut node.kind {
                let matching = names.iter().filter(|name| pattern.matches(name) && !self.is_own(application_id, name));
                *topics = matching.map(|name| pattern.topic(name)).collect();
                topics.sort_by(|a, b| a.name().cmp(b.name()));
                topics.dedup_by(|a, b| a.name() == b.name());
            }
            node.kind.topics_mut().iter_mut().for_each(|topic| topic.resolve(application_id));
        }
        check::check(&mut sub_topologies, Vec::new())?;
        let resolved = Self { sub_topologies: Arc::new(sub_topologies), handlers: self.handlers.clone() };
        resolved.check_names()?;
        Ok(resolved)
    }

    /// An error where a topic of others is called as a repartition topic is.
    fn check_names(&self) -> Result<()> {
        let nodes = self.sub_topologies.iter().flat_map(|sub| &sub.nodes);
        let topics: Vec<&Topic> = nodes.flat_map(|node| node.kind.topics()).collect();
        let own: Vec<&str> = topics.iter().filter(|topic| topic.is_repartition()).map(|topic| topic.name()).collect();
        match topics.iter().find(|topic| !topic.is_repartition() && own.contains(&topic.name())) {
            None => Ok(()),
            Some(topic) => Err(Error::stop(format!(
                "topic '{}' is a repartition topic of the application: give the other one another name",
                topic.name()
            ))),
        }
    }
}
