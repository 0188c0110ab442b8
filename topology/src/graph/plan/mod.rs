//! The plan of a run's topics: which there must be, how many partitions each has, and which are to be made. Pure: from
//! a resolved graph and what the log says of its topics, before anything is made.
//!
//! ```text
//! counts   how many partitions each topic has
//! topics   all topics of a graph, and what is asked of each
//! lines    a plan in words
//! checked  each topic beside what there is, for those who want to know before a run
//! ```
//! Topics are made in stages, and a plan is made anew after each with what the log says then: somebody else may have
//! made a topic meanwhile, and one may have been there all the time, unknown to a broker that was behind. So what
//! follows from the number of partitions of another is not made before that one is seen.
//!
//! ```text
//!   topics that the graph names ──> repartition topics ──> changelogs, dead letters
//! ```

mod checked;
mod counts;
mod lines;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::log::TopicDescription;

use super::{Topic, Topology};
pub(crate) use checked::check;
pub use checked::{CheckedTopic, Difference, TopicState};
use counts::Counts;
pub(super) use counts::mistakes;
pub(crate) use topics::needed;
use topics::{Purpose, unfit};

/// What the log says of the topics that are there, by name.
pub(crate) type Found = BTreeMap<String, TopicDescription>;

/// What a run does with topics. It says so in words, a line for each sub-topology.
pub(crate) struct Plan {
    /// The graph: each of its topics says how many partitions it has.
    pub(crate) topology: Topology,
    topics: Vec<Planned>,
    counts: Counts,
}

/// A topic of a run.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) topic: Topic,
    purpose: Purpose,
    is_there: bool,
}

impl Plan {
    /// The plan for a graph whose names are those of the application, with what is there. The error says what does not
    /// fit, and what to do.
    pub(crate) fn new(topology: &Topology, application_id: &str, found: &Found) -> Result<Self> {
        let missing = needed(topology, application_id)?.into_iter();
        let missing = missing.filter(|topic| !topic.may_create() && !found.contains_key(topic.name()));
        let missing: Vec<String> =
            missing.map(|topic| format!("there is no topic '{}': create it first", topic.name())).collect();
        all_fit(missing)?;
        let there = |name: &str| found.get(name).map(|topic| topic.partition_count);
        let counts = Counts::find(&topology.sub_topologies, &there).map_err(|mistakes| refused(&mistakes))?;
        let topology = topology.with_counts(&counts);
        let topics = topics::of(&topology, application_id)?;
        let unfit = topics.iter().filter_map(|(topic, purpose)| unfit(topic, purpose, found.get(topic.name())?));
        all_fit(unfit.collect())?;
        let topics = topics.into_iter().map(|(topic, purpose)| {
            let is_there = found.contains_key(topic.name());
            Planned { topic, purpose, is_there }
        });
        Ok(Self { topics: topics.collect(), topology, counts })
    }

    /// All topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().map(|planned| &planned.topic)
    }

    /// Those to be made next; none where all are there.
    pub(crate) fn missing(&self) -> Vec<&Topic> {
        let missing = || self.topics.iter().filter(|planned| !planned.is_there);
        let stage = missing().map(|planned| planned.purpose.stage()).min();
        missing().filter(|planned| Some(planned.purpose.stage()) == stage).map(|planned| &planned.topic).collect()
    }
}

fn all_fit(mistakes: Vec<String>) -> Result<()> {
    if mistakes.is_empty() { Ok(()) } else { Err(refused(&mistakes)) }
}

fn refused(mistakes: &[String]) -> Error {
    Error::stop(mistakes.join("; "))
}
