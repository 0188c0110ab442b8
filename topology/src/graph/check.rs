//! What makes a graph unfit.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::store::is_plain_name;

use super::topic::DEAD_LETTERS;
use super::{Kind, SubTopologySpec, order, plan};

/// The longest name of a sub-topology, which is a part of paths.
const SUB_TOPOLOGY_BYTES_MAX: usize = 100;
/// The longest name of a node, which may be that of a topic and what is done with it.
const NODE_BYTES_MAX: usize = 400;
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
    legal("sub-topology", names.clone(), SUB_TOPOLOGY_BYTES_MAX, &mut mistakes);
    legal("node", nodes.clone(), NODE_BYTES_MAX, &mut mistakes);
    unique("sub-topologies", names, &mut mistakes);
    unique("stores", stores, &mut mistakes);
    unique("nodes", nodes, &mut mistakes);
    let mut sources = BTreeSet::new();
    for sub_topology in &*sub_topologies {
        check_sources(sub_topology, &mut sources, &mut mistakes);
        check_stores(sub_topology, &mut mistakes);
    }
    check_repartitions(sub_topologies, &sources, &mut mistakes);
    mistakes.extend(plan::mistakes(sub_topologies));
    if mistakes.is_empty() { Ok(()) } else { Err(Error::stop(mistakes.join("\n"))) }
}

/// Makes all that is asked of a topic, by whichever node, asked by every node that uses it.
fn join_topics(sub_topologies: &mut [SubTopologySpec], mistakes: &mut Vec<String>) {
    let mut joined = BTreeMap::new();
    let nodes = sub_topologies.iter().flat_map(|sub| &sub.nodes);
    for (node, topic) in nodes.flat_map(|node| node.kind.topics().iter().map(move |topic| (node, topic))) {
        let all = joined.entry(topic.id()).or_insert_with(|| topic.bare());
        if let Err(conflict) = all.join(topic) {
            let (topic, node) = (topic.label(), &node.name);
            mistakes.push(format!("{topic} cannot have {conflict} (node '{node}'): ask the same of it everywhere"));
        }
        if let Some(count) = topic.partition_count().filter(|count| *count < 1) {
            mistakes.push(format!("{} cannot have {count} partitions: ask for one at least", topic.label()));
        }
    }
    let nodes = sub_topologies.iter().flat_map(|sub| &sub.nodes);
    let choosing = nodes.filter(|node| matches!(node.kind, Kind::Sink { chooses_partitions: true, .. }));
    for (node, topic) in choosing.flat_map(|node| node.kind.topics().iter().map(move |topic| (node, topic))) {
        if joined.get(&topic.id()).is_some_and(|all| all.is_by_key() && !all.is_repartition()) {
            let (topic, node) = (topic.label(), &node.name);
            mistakes.push(format!(
                "{topic} is said to be partitioned by key, and sink '{node}' chooses partitions itself: leave out one of the two"
            ));
        }
    }
    let nodes = sub_topologies.iter_mut().flat_map(|sub| &mut sub.nodes);
    for topic in nodes.flat_map(|node| node.kind.topics_mut()) {
        if let Some(all) = joined.get(&topic.id()) {
            topic.clone_from(all);
        }
    }
}

fn legal<'a>(what: &str, names: impl Iterator<Item = &'a str>, bytes_max: usize, mistakes: &mut Vec<String>) {
    for name in names.filter(|name| !is_plain_name(name, bytes_max)) {
        mistakes.push(format!(
            "the {what} name '{name}' is not made of a-z, A-Z, 0-9, '.', '_' and '-' (1 to {bytes_max} of them)"
        ));
    }
}

fn unique<'a>(several: &str, names: impl Iterator<Item = &'a str>, mistakes: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            mistakes.push(format!("there are two {several} named '{name}': names must be unique"));
        }
    }
}

fn check_sources(sub: &SubTopologySpec, sources: &mut BTreeSet<(bool, String)>, mistakes: &mut Vec<String>) {
    for node in &sub.nodes {
        if matches!(&node.kind, Kind::Source { topics, pattern: None } if topics.is_empty()) {
            mistakes.push(format!("source '{}' of sub-topology '{}' reads no topic", node.name, sub.name));
        }
    }
    let topics = sub.source_topics();
    if !sub.nodes.iter().any(|node| matches!(node.kind, Kind::Source { .. })) {
        mistakes.push(format!("sub-topology '{}' has no source", sub.name));
    }
    for topic in &topics {
        if !sources.insert(topic.id()) {
            mistakes.push(format!("{} is read by two sources: read it once and share the stream", topic.label()));
        }
    }
    for node in &sub.nodes {
        let length_max = match &node.kind {
            // The name of its dead letters must be one too.
            Kind::Source { .. } => TOPIC_BYTES_MAX - DEAD_LETTERS.len(),
            _ => TOPIC_BYTES_MAX,
        };
        for topic in node.kind.topics() {
            if !is_plain_name(topic.name(), length_max) {
                let (name, node) = (topic.name(), &node.name);
                mistakes.push(format!(
                    "'{name}' (node '{node}') is not a topic name that Kafka takes: use 1 to {length_max} of a-z, A-Z, 0-9, '.', '_' and '-'"
                ));
            }
        }
        if matches!(&node.kind, Kind::Sink { topics, .. } if topics.is_empty()) {
            mistakes.push(format!("sink '{}' has no topic to choose from: name all that there may be", node.name));
        }
    }
}

/// What lies in a repartition topic comes from the graph, and is deleted when the graph has read it.
fn check_repartitions(sub_topologies: &[SubTopologySpec], read: &BTreeSet<(bool, String)>, mistakes: &mut Vec<String>) {
    let written: BTreeSet<(bool, String)> = sub_topologies.iter().flat_map(order::written).collect();
    for (_, name) in written.difference(read).filter(|(is_repartition, _)| *is_repartition) {
        mistakes.push(format!(
            "repartition topic '{name}' is written and never read: read it with source_of, or write to a sink"
        ));
    }
    for (_, name) in read.difference(&written).filter(|(is_repartition, _)| *is_repartition) {
        mistakes.push(format!(
            "repartition topic '{name}' is read and never written: write it with repartition, or read a topic with source"
        ));
    }
}

fn check_stores(sub: &SubTopologySpec, mistakes: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    for node in &sub.nodes {
        let Kind::Processor { stores, .. } = &node.kind else { continue };
        for store in stores {
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
    use crate::graph::{Builder, Store, SubTopology, Topic, Topology};

    fn copy(sub: &SubTopology, from: Topic, to: Topic) {
        sub.source::<[u8], [u8]>(from).sink(to);
    }

    /// Two stages, tied by a topic of which each asks something.
    fn tied(written: Topic, read: Topic) -> Result<Topology> {
        let builder = Builder::new();
        copy(&builder.sub_topology("one"), Topic::new("in"), written);
        copy(&builder.sub_topology("two"), read, Topic::new("out"));
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
            let builder = Builder::new();
            let sub = builder.sub_topology("sub");
            let _ = sub.source::<[u8], [u8]>(["a", "b"]).named("one");
            let _ = sub.source::<[u8], [u8]>(second.to_vec()).named("two");
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
        let builder = Builder::new();
        let sub = builder.sub_topology("sub");
        sub.source::<[u8], [u8]>([Topic::new("a").partitions(2), Topic::new("b")]);
        sub.source::<[u8], [u8]>(Topic::new("c").partitions(3));
        let mistakes = mistakes(builder.build());
        assert!(mistakes.contains("topic 'a' with 2 partitions and topic 'c' with 3"), "{mistakes}");
    }

    #[test]
    fn a_topic_name_may_be_as_long_as_kafka_takes_it_with_its_dead_letters() {
        let named = |from: usize, to: usize| {
            let builder = Builder::new();
            let input = builder.sub_topology("sub").source::<[u8], [u8]>(Topic::new("i".repeat(from))).named("in");
            input.sink(Topic::new("o".repeat(to))).named("out");
            mistakes(builder.build())
        };
        assert_eq!(named(236, 249), "");
        assert!(named(237, 249).contains("node 'in'"));
        assert!(named(236, 250).contains("node 'out'"));
    }

    #[test]
    fn streams_are_merged_within_one_sub_topology_alone() {
        let other = Builder::new();
        let foreign = other.sub_topology("first").source::<[u8], [u8]>("foreign");
        let builder = Builder::new();
        let elsewhere = builder.sub_topology("elsewhere").source::<[u8], [u8]>("elsewhere");
        let own = builder.sub_topology("sub").source::<[u8], [u8]>("own");
        own.merge(&foreign).merge(&elsewhere).sink("out");
        let mistakes = mistakes(builder.build());
        assert!(mistakes.contains("another builder"), "{mistakes}");
        assert!(mistakes.contains("of sub-topology 'elsewhere' is used in sub-topology 'sub'"), "{mistakes}");
    }

    #[test]
    fn a_store_belongs_to_one_sub_topology_and_its_name_to_one_store() {
        let (counts, same_name): (Store<str, i64>, Store<str, i64>) =
            (Store::memory("counts"), Store::memory("counts"));
        let count_in = |builder: &Builder, name: &str, store: &Store<str, i64>| {
            builder.sub_topology(name).source::<str, str>(name).count(store);
        };
        let builder = Builder::new();
        count_in(&builder, "one", &counts);
        count_in(&builder, "two", &counts);
        let shared = mistakes(builder.build());
        assert!(shared.contains("store 'counts' is used in the sub-topologies 'one' and 'two'"), "{shared}");
        let builder = Builder::new();
        count_in(&builder, "one", &counts);
        count_in(&builder, "two", &same_name);
        let doubled = mistakes(builder.build());
        assert!(doubled.contains("two stores named 'counts'"), "{doubled}");
    }

    #[test]
    fn two_sub_topologies_of_one_name_are_named_in_the_plural() {
        let builder = Builder::new();
        copy(&builder.sub_topology("twice"), Topic::new("a"), Topic::new("b"));
        copy(&builder.sub_topology("twice"), Topic::new("c"), Topic::new("d"));
        let mistakes = mistakes(builder.build());
        assert!(mistakes.contains("there are two sub-topologies named 'twice'"), "{mistakes}");
    }

    #[test]
    fn names_of_nodes_come_from_what_they_do_and_can_be_chosen() {
        let builder = Builder::new();
        let words = builder.sub_topology("sub").source::<str, str>("words");
        let long = words.filter(|_| true).filter_not(|_| false).map_values(|word| word.len() as i64);
        long.named("lengths").filter(|_| true).sink("out");
        let topology = builder.build().unwrap().to_string();
        for name in ["words-filter\n", "words-filter-2\n", "lengths\n", "lengths-filter\n", "to-out (topic"] {
            assert!(topology.contains(&format!(": {name}")), "{name:?}: {topology}");
        }
    }
}
