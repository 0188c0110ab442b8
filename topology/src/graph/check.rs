//! What makes a graph unfit.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::store::is_plain_name;

use super::topic::DEAD_LETTERS;
use super::{Kind, SubTopologySpec, Topic};

/// The longest name of a sub-topology or a node.
const NAME_BYTES_MAX: usize = 100;
/// The longest name of a topic that Kafka takes.
const TOPIC_BYTES_MAX: usize = 249;

/// All mistakes at once, one a line. Afterwards all nodes ask the same of a topic.
pub(super) fn check(sub_topologies: &mut [SubTopologySpec], mut mistakes: Vec<String>) -> Result<()> {
    join_topics(sub_topologies, &mut mistakes);
    if sub_topologies.is_empty() {
        mistakes.push("the topology is empty: add a sub-topology with a source".to_owned());
    }
    let stores = sub_topologies.iter().flat_map(|sub| sub.stores.iter().map(|s| s.name.as_str()));
    let nodes = sub_topologies.iter().flat_map(|sub| sub.nodes.iter().map(|n| n.name.as_str()));
    let names = sub_topologies.iter().map(|sub| sub.name.as_str());
    legal("sub-topology", names.clone(), &mut mistakes);
    legal("node", nodes.clone(), &mut mistakes);
    unique("sub-topology", names, &mut mistakes);
    unique("store", stores, &mut mistakes);
    unique("node", nodes, &mut mistakes);
    let mut sources = BTreeSet::new();
    for sub_topology in &*sub_topologies {
        check_sources(sub_topology, &mut sources, &mut mistakes);
        check_stores(sub_topology, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Error::stop(mistakes.join("\n"))) }
}

/// Makes all that is asked of a topic, by whichever node, asked by every node that uses it.
fn join_topics(sub_topologies: &mut [SubTopologySpec], mistakes: &mut Vec<String>) {
    let mut joined: BTreeMap<String, Topic> = BTreeMap::new();
    for node in sub_topologies.iter().flat_map(|sub| &sub.nodes) {
        for topic in node.kind.topics() {
            let all = joined.entry(topic.name().to_owned()).or_insert_with(|| Topic::new(topic.name()));
            if let Err(conflict) = all.join(topic) {
                let (name, node) = (topic.name(), &node.name);
                mistakes.push(format!(
                    "topic '{name}' cannot have {conflict} (node '{node}'): ask the same of it everywhere"
                ));
            }
        }
    }
    for topic in sub_topologies.iter_mut().flat_map(|sub| &mut sub.nodes).flat_map(|node| node.kind.topics_mut()) {
        if let Some(all) = joined.get(topic.name()) {
            topic.clone_from(all);
        }
    }
}

fn legal<'a>(what: &str, names: impl Iterator<Item = &'a str>, mistakes: &mut Vec<String>) {
    for name in names.filter(|name| !is_plain_name(name, NAME_BYTES_MAX)) {
        mistakes.push(format!(
            "the {what} name '{name}' is not made of a-z, A-Z, 0-9, '.', '_' and '-' (1 to {NAME_BYTES_MAX} of them)"
        ));
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>, mistakes: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            mistakes.push(format!("there are two {what}s named '{name}': names must be unique"));
        }
    }
}

fn check_sources<'a>(sub: &'a SubTopologySpec, sources: &mut BTreeSet<&'a str>, mistakes: &mut Vec<String>) {
    for node in &sub.nodes {
        if matches!(&node.kind, Kind::Source { topics } if topics.is_empty()) {
            mistakes.push(format!("source '{}' of sub-topology '{}' reads no topic", node.name, sub.name));
        }
    }
    let topics = sub.source_topics();
    if topics.is_empty() {
        mistakes.push(format!("sub-topology '{}' has no source", sub.name));
    }
    for topic in &topics {
        if !sources.insert(topic.name()) {
            mistakes
                .push(format!("topic '{}' is read by two sources: read it once and share the stream", topic.name()));
        }
    }
    if let Err(mistake) = sub.partition_count() {
        mistakes.push(mistake);
    }
    for (node, topic) in sub.nodes.iter().flat_map(|node| node.kind.topics().iter().map(move |topic| (node, topic))) {
        let length_max = match &node.kind {
            // The name of its dead letters must be one too.
            Kind::Source { .. } => TOPIC_BYTES_MAX - DEAD_LETTERS.len(),
            Kind::Sink { .. } | Kind::Processor { .. } => TOPIC_BYTES_MAX,
        };
        if !is_plain_name(topic.name(), length_max) {
            let (name, node) = (topic.name(), &node.name);
            mistakes.push(format!(
                "'{name}' (node '{node}') is not a topic name that Kafka takes: use 1 to {length_max} of a-z, A-Z, 0-9, '.', '_' and '-'"
            ));
        }
    }
}

fn check_stores(sub: &SubTopologySpec, mistakes: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    for node in &sub.nodes {
        let Kind::Processor { stores, .. } = &node.kind else { continue };
        for store in stores {
            if !sub.stores.iter().any(|spec| &spec.name == store) {
                mistakes.push(format!(
                    "processor '{}' uses store '{store}', which sub-topology '{}' does not declare",
                    node.name, sub.name
                ));
            }
            used.insert(store.as_str());
        }
    }
    for spec in &sub.stores {
        if !used.contains(spec.name.as_str()) {
            mistakes.push(format!("no processor uses store '{}': connect it with with_store, or remove it", spec.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Bytes;
    use crate::graph::{Builder, SubTopology, Topology};

    fn copy(sub: &mut SubTopology<'_>, from: Topic, to: Topic) {
        let (source, sink) = (format!("from-{}", from.name()), format!("to-{}-from-{}", to.name(), from.name()));
        let input = sub.source(&source, from, Bytes, Bytes);
        sub.sink(&sink, &input, to, Bytes, Bytes);
    }

    /// Two stages, tied by a topic of which each asks something.
    fn tied(written: Topic, read: Topic) -> Result<Topology> {
        let mut builder = Builder::new();
        copy(&mut builder.sub_topology("one"), Topic::new("in"), written);
        copy(&mut builder.sub_topology("two"), read, Topic::new("out"));
        builder.build()
    }

    fn mistakes<T>(built: Result<T>) -> String {
        built.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_nodes_ask_of_one_topic_is_asked_by_all_of_them() {
        let topology = tied(Topic::new("tie").config("retention.ms", "-1"), Topic::new("tie").partitions(1)).unwrap();
        let all = Topic::new("tie").config("retention.ms", "-1").partitions(1);
        let of = |topics: Vec<&Topic>| topics.into_iter().find(|topic| topic.name() == "tie").cloned();
        assert_eq!((of(topology.source_topics()), of(topology.sink_topics())), (Some(all.clone()), Some(all)));
    }

    #[test]
    fn contradictory_wishes_for_one_topic_are_a_mistake_that_names_it() {
        let partitions = mistakes(tied(Topic::new("tie").partitions(2), Topic::new("tie").partitions(1)));
        assert!(partitions.contains("'tie' cannot have 2 and 1 partitions"), "{partitions}");
        let policy = |value| Topic::new("tie").config("cleanup.policy", value);
        let policies = mistakes(tied(policy("compact"), policy("delete")));
        assert!(policies.contains("cleanup.policy=compact and cleanup.policy=delete"), "{policies}");
        let itself = Topic::new("tie").config("retention.ms", "1").config("retention.ms", "2");
        assert!(mistakes(tied(itself, Topic::new("tie"))).contains("retention.ms=1 and retention.ms=2"));
    }

    #[test]
    fn a_sub_topology_reads_several_topics_with_one_source_or_several_but_each_once() {
        let build = |second: &[&str]| {
            let mut builder = Builder::new();
            let mut sub = builder.sub_topology("sub");
            sub.source("one", [Topic::new("a"), Topic::new("b")], Bytes, Bytes);
            let topics: Vec<Topic> = second.iter().map(|name| Topic::new(*name)).collect();
            sub.source("two", topics, Bytes, Bytes);
            builder.build()
        };
        let topology = build(&["c"]).unwrap();
        assert_eq!(topology.source_topics().iter().map(|topic| topic.name()).collect::<Vec<_>>(), ["a", "b", "c"]);
        let described = topology.to_string();
        assert!(described.contains("Source: one (topics: a, b)") && described.contains("Source: two (topic: c)"));
        for name in ["a", "b"] {
            assert!(topology.to_dot().contains(&format!("\"topic:{name}\" -> \"one\"")));
        }
        assert!(mistakes(build(&["b"])).contains("topic 'b' is read by two sources"));
        assert!(mistakes(build(&[])).contains("source 'two' of sub-topology 'sub' reads no topic"));
    }

    #[test]
    fn topics_that_one_sub_topology_reads_cannot_be_asked_for_with_other_partitions() {
        let mut builder = Builder::new();
        let mut sub = builder.sub_topology("sub");
        sub.source("one", [Topic::new("a").partitions(2), Topic::new("b")], Bytes, Bytes);
        sub.source("two", Topic::new("c").partitions(3), Bytes, Bytes);
        let mistakes = mistakes(builder.build());
        assert!(mistakes.contains("topic 'a' with 2 partitions and topic 'c' with 3"), "{mistakes}");
    }

    #[test]
    fn a_topic_name_may_be_as_long_as_kafka_takes_it_with_its_dead_letters() {
        let named = |from: usize, to: usize| {
            let mut builder = Builder::new();
            let mut sub = builder.sub_topology("sub");
            let input = sub.source("in", Topic::new("i".repeat(from)), Bytes, Bytes);
            sub.sink("out", &input, Topic::new("o".repeat(to)), Bytes, Bytes);
            mistakes(builder.build())
        };
        assert_eq!(named(236, 249), "");
        assert!(named(237, 249).contains("node 'in'"));
        assert!(named(236, 250).contains("node 'out'"));
    }

    #[test]
    fn a_stream_of_another_graph_is_a_mistake() {
        let mut other = Builder::new();
        other.sub_topology("first");
        let foreign = other.sub_topology("second").source("input", Topic::new("in"), Bytes, Bytes);
        let mut builder = Builder::new();
        let mut sub = builder.sub_topology("sub");
        sub.source("own-input", Topic::new("own"), Bytes, Bytes);
        sub.sink("output", &foreign, Topic::new("out"), Bytes, Bytes);
        let mistakes = mistakes(builder.build());
        assert!(mistakes.contains("node 'output'") && mistakes.contains("another builder"), "{mistakes}");
    }
}
