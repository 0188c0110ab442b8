//! What makes a graph unfit.

use std::collections::BTreeSet;

use crate::error::{Error, Result};

use super::{Kind, SubTopologySpec, Topic};

/// All mistakes at once, one a line.
pub(super) fn check(sub_topologies: &[SubTopologySpec], mut mistakes: Vec<String>) -> Result<()> {
    if sub_topologies.is_empty() {
        mistakes.push("the topology is empty: add a sub-topology with a source".to_owned());
    }
    unique("sub-topology", sub_topologies.iter().map(|sub| sub.name.as_str()), &mut mistakes);
    unique("store", sub_topologies.iter().flat_map(|sub| sub.stores.iter().map(|s| s.name.as_str())), &mut mistakes);
    unique("node", sub_topologies.iter().flat_map(|sub| sub.nodes.iter().map(|n| n.name.as_str())), &mut mistakes);
    let mut sources = BTreeSet::new();
    for sub_topology in sub_topologies {
        check_sources(sub_topology, &mut sources, &mut mistakes);
        check_stores(sub_topology, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Error::stop(mistakes.join("\n"))) }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>, mistakes: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_legal(name) {
            mistakes.push(format!(
                "the {what} name '{name}' is not made of a-z, A-Z, 0-9, '.', '_' and '-' (1 to 100 of them)"
            ));
        }
        if !seen.insert(name) {
            mistakes.push(format!("there are two {what}s named '{name}': names must be unique"));
        }
    }
}

/// What Kafka takes in a topic's name, and a file system in a directory's.
fn is_legal(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=100).contains(&name.len()) && name.chars().all(legal) && name != "." && name != ".."
}

fn check_sources<'a>(sub: &'a SubTopologySpec, sources: &mut BTreeSet<&'a str>, mistakes: &mut Vec<String>) {
    let topics: Vec<&Topic> = sub
        .nodes
        .iter()
        .filter_map(|node| match &node.kind {
            Kind::Source { topic } => Some(topic),
            _ => None,
        })
        .collect();
    match topics.as_slice() {
        [] => mistakes.push(format!("sub-topology '{}' has no source", sub.name)),
        [topic] => {
            if !sources.insert(topic.name()) {
                mistakes.push(format!("topic '{}' is read by two sources: read it once and share the stream", topic.name()));
            }
        }
        _ => mistakes.push(format!(
            "sub-topology '{}' reads {} topics; reading more than one is not supported yet: split it into sub-topologies",
            sub.name,
            topics.len()
        )),
    }
    for node in &sub.nodes {
        let (Kind::Source { topic } | Kind::Sink { topic }) = &node.kind else { continue };
        if !is_legal(topic.name()) {
            mistakes.push(format!("'{}' (node '{}') is not a topic name that Kafka takes", topic.name(), node.name));
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
