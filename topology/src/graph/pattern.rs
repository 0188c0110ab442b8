//! Sources of all topics whose names match.
//!
//! ```text
//!   drawn      Kind::Source { topics: [],     pattern }      what the graph says
//!   resolved   Kind::Source { topics: [a, b], pattern }      what a run reads: the topics that were there at its start
//! ```

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use crate::error::{Error, Result};

use super::topic::DEAD_LETTERS;
use super::{Kind, Topic, Topology};

/// All topics of the cluster whose whole name matches a regular expression (of the crate `regex`, over bytes), as a
/// source.
///
/// Which topics these are is found out when a run starts, and stays so until it ends: with another one that is made
/// meanwhile an error line says every few minutes that a restart takes it in. They belong to others: they are never
/// created here. None that matches is an error of the start.
///
/// Never among them are topics that begin with `__`, topics that end with `-dead-letters`, what the application itself
/// writes or keeps (sinks, changelogs), and topics that a source of the graph names. As with all topics that a
/// sub-topology reads, those that match must have as many partitions as each other: one, unless [`Pattern::partitions`]
/// says more.
///
/// ```
/// use topology::graph::{Builder, Pattern};
/// use topology::test_driver::TestDriver;
///
/// let builder = Builder::new();
/// builder.sub_topology("merging").source::<str, str>(Pattern::new("orders-.*")).sink("all-orders");
/// let mut driver = TestDriver::with_topics(&builder.build()?, "app", 0, &["orders-north", "orders-south", "others"])?;
/// driver.input::<str, str>("orders-north").pipe("1", "tea")?;
/// driver.input::<str, str>("orders-south").pipe("2", "rice")?;
/// driver.commit()?;
/// assert_eq!(driver.read("all-orders").len(), 2);
/// # assert!(driver.input::<str, str>("others").pipe("1", "tea").is_err());
/// # Ok::<(), topology::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// Or why there is none.
    regex: Result<Regex, String>,
    partition_count: Option<i32>,
}

impl Pattern {
    /// A pattern. One that is no regular expression is a mistake that [`Builder::build`](super::Builder::build)
    /// reports.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        // Names of topics are ASCII.
        let regex = RegexBuilder::new(&format!("^(?:{text})$")).unicode(false).build();
        Self { text, regex: regex.map_err(|error| error.to_string()), partition_count: None }
    }

    /// The topics must have this many partitions.
    #[must_use]
    pub fn partitions(self, count: i32) -> Self {
        Self { partition_count: Some(count), ..self }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.regex.as_ref().is_ok_and(|regex| regex.is_match(name.as_bytes()))
    }

    /// What is wrong with it.
    pub(super) fn mistake(&self) -> Option<String> {
        let error = self.regex.as_ref().err()?;
        Some(format!("'{}' is no regular expression for names of topics: {error}", self.text))
    }

    pub(super) fn topic(&self, name: &str) -> Topic {
        let topic = Topic::new(name).must_exist();
        self.partition_count.map_or(topic.clone(), |count| topic.partitions(count))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Topology {
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let nodes = self.sub_topologies.iter().flat_map(|sub| &sub.nodes);
        nodes.filter_map(|node| match &node.kind {
            Kind::Source { pattern, .. } => pattern.as_ref(),
            _ => None,
        })
    }

    pub(crate) fn has_patterns(&self) -> bool {
        self.patterns().next().is_some()
    }

    /// An error where a pattern of a resolved graph matches no topic.
    pub(crate) fn check_matched(&self) -> Result<()> {
        for node in self.sub_topologies.iter().flat_map(|sub| &sub.nodes) {
            if let Kind::Source { topics, pattern: Some(pattern) } = &node.kind
                && topics.is_empty()
            {
                let name = &node.name;
                return Err(Error::stop(format!(
                    "no topic matches '{pattern}', which source '{name}' reads: create one first"
                )));
            }
        }
        Ok(())
    }

    /// Whether a topic matches a pattern, and is not one that the application writes, keeps or names.
    pub(crate) fn wanted(&self, application_id: &str) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
        let (topology, application_id) = (self.clone(), application_id.to_owned());
        Arc::new(move |name| {
            topology.patterns().any(|pattern| pattern.matches(name)) && !topology.is_own(&application_id, name)
        })
    }

    /// Whether a pattern means no such topic, though it may match.
    pub(super) fn is_own(&self, application_id: &str, name: &str) -> bool {
        let kept = name.strip_prefix(application_id).and_then(|rest| rest.strip_prefix('-'));
        let is_kept = kept.is_some_and(|rest| rest.ends_with("-changelog") || rest.ends_with("-repartition"));
        let nodes = self.sub_topologies.iter().flat_map(|sub| &sub.nodes);
        let mut named = nodes.filter(|node| !matches!(node.kind, Kind::Source { pattern: Some(_), .. }));
        let is_this = |topic: &Topic| topic.name() == name && !topic.is_repartition();
        let mut is_named = || named.any(|node| node.kind.topics().iter().any(is_this));
        name.starts_with("__") || name.ends_with(DEAD_LETTERS) || is_kept || is_named()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Builder, Store};

    fn reading(pattern: Pattern) -> Result<Topology> {
        let builder = Builder::new();
        let sub = builder.sub_topology("sub");
        let all = sub.source::<str, ()>(pattern);
        sub.source::<str, ()>("orders-named").for_each(|_| Ok(()));
        all.count(&Store::memory("orders")).sink("orders-out");
        builder.build()
    }

    fn read(topology: &Topology) -> Vec<&str> {
        topology.source_topics().into_iter().map(Topic::name).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_pattern_means_the_whole_name_and_nothing_that_the_application_writes_keeps_or_names() {
        let topology = reading(Pattern::new("(__|app-)?orders-?.*")).unwrap();
        let there = names(&[
            "orders-b",
            "orders-a",
            "orders",
            "my-orders",
            "orders-out",
            "orders-named",
            "__orders-x",
            "orders-a-dead-letters",
            "app-orders-changelog",
            "app-orders-repartition",
            "app-orders",
        ]);
        let resolved = topology.resolve("app", &there).unwrap();
        assert_eq!(read(&resolved), ["app-orders", "orders", "orders-a", "orders-b", "orders-named"]);
        let wanted = topology.wanted("app");
        assert!(wanted("orders-c") && !wanted("orders-out") && !wanted("my-orders") && !wanted("orders-named"));
        // Of another application it is a topic as any other.
        assert!(topology.wanted("other")("app-orders-changelog"));
    }

    #[test]
    fn a_pattern_that_matches_nothing_and_one_that_is_no_expression_are_mistakes_that_name_it() {
        let topology = reading(Pattern::new("orders-.*")).unwrap();
        let error = topology.resolve("app", &names(&["others"])).unwrap().check_matched().unwrap_err().to_string();
        assert!(error.contains("no topic matches 'orders-.*', which source 'pattern' reads"), "{error}");
        let error = reading(Pattern::new("orders-(")).err().unwrap().to_string();
        assert!(error.contains("'orders-(' is no regular expression for names of topics"), "{error}");
    }

    #[test]
    fn two_patterns_that_match_one_topic_are_a_mistake_that_names_it() {
        let builder = Builder::new();
        builder.sub_topology("one").source::<str, str>(Pattern::new("orders-.*")).sink("first");
        builder.sub_topology("two").source::<str, str>(Pattern::new(".*-north")).sink("second");
        let topology = builder.build().unwrap();
        let error = topology.resolve("app", &names(&["orders-north"])).err().unwrap().to_string();
        assert!(error.contains("topic 'orders-north' is read by two sources"), "{error}");
    }

    #[test]
    fn a_description_says_the_pattern_and_once_they_are_known_the_topics() {
        let topology = reading(Pattern::new(r"orders\..*")).unwrap();
        assert!(topology.to_string().contains(r"Source: pattern (topics that match: orders\..*)"), "{topology}");
        assert!(topology.to_dot().contains(r#""topics:orders\\..*" -> "pattern";"#), "{}", topology.to_dot());
        let resolved = topology.resolve("app", &names(&["orders.a", "orders.b"])).unwrap();
        let text = resolved.to_string();
        assert!(
            text.contains(r"Source: pattern (topics that match: orders\..*; topics: orders.a, orders.b)"),
            "{text}"
        );
    }

    #[test]
    fn all_that_match_are_asked_for_with_the_partitions_of_the_pattern() {
        let builder = Builder::new();
        builder.sub_topology("sub").source::<str, str>(Pattern::new("orders-.*").partitions(3)).sink("out");
        let resolved = builder.build().unwrap().resolve("app", &names(&["orders-a", "orders-b"])).unwrap();
        assert!(resolved.source_topics().iter().all(|topic| topic.partition_count() == Some(3) && !topic.may_create()));
        assert_eq!(resolved.sub_topologies[0].partition_count(), 3);
    }
}
