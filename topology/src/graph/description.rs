//! A graph for programs: what it is made of, as data.

use serde::Serialize;

use super::describe::medium;
use super::{Kind, SubTopologySpec, Topic, Topology};

/// A graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// In graph order.
    pub sub_topologies: Vec<SubTopologyDescription>,
}

/// One of its parts: what is run as one task per partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubTopologyDescription {
    /// Its name.
    pub name: String,
    /// The transactional id of its own producer, if it has one.
    pub single_writer: Option<String>,
    /// In graph order.
    pub nodes: Vec<NodeDescription>,
    /// By name.
    pub stores: Vec<StoreDescription>,
}

/// A source, a processor or a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeDescription {
    /// Its name.
    pub name: String,
    /// `source`, `processor` or `sink`.
    pub kind: &'static str,
    /// What a source reads, or a sink may write to.
    pub topics: Vec<String>,
    /// What a source reads beside them: all topics that this matches.
    pub pattern: Option<String>,
    /// What a processor keeps.
    pub stores: Vec<String>,
    /// For each of its inputs, the main one first, the nodes that it comes from.
    pub inputs: Vec<Vec<String>>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreDescription {
    /// Its name.
    pub name: String,
    /// `rocksdb` or `memory`.
    pub medium: &'static str,
    /// Whether what is written goes to a changelog, too.
    pub changelog: bool,
}

impl Topology {
    /// The graph as data.
    pub fn describe(&self) -> Description {
        Description { sub_topologies: self.sub_topologies.iter().map(describe).collect() }
    }
}

fn describe(sub: &SubTopologySpec) -> SubTopologyDescription {
    let name = |node: usize| sub.nodes.get(node).map(|node| node.name.clone()).unwrap_or_default();
    let nodes = sub.nodes.iter().map(|node| {
        let names = |topics: &[Topic]| topics.iter().map(|topic| topic.name().to_owned()).collect();
        let (kind, topics, pattern, stores) = match &node.kind {
            Kind::Source { topics, pattern } => {
                ("source", names(topics), pattern.as_ref().map(ToString::to_string), Vec::new())
            }
            Kind::Processor { stores, .. } => ("processor", Vec::new(), None, stores.clone()),
            Kind::Sink { topics, .. } => ("sink", names(topics), None, Vec::new()),
        };
        let inputs = node.inputs.iter().map(|parents| parents.iter().map(|parent| name(parent.node)).collect());
        NodeDescription { name: node.name.clone(), kind, topics, pattern, stores, inputs: inputs.collect() }
    });
    let stores = sub.stores.iter().map(|store| StoreDescription {
        name: store.name.clone(),
        medium: medium(store.medium),
        changelog: store.has_changelog,
    });
    SubTopologyDescription {
        name: sub.name.clone(),
        single_writer: sub.single_writer.clone(),
        nodes: nodes.collect(),
        stores: stores.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Store};

    #[test]
    fn a_graph_is_told_as_data_with_what_leads_where() {
        let builder = Builder::new();
        let counts = Store::rocksdb("counts");
        builder.sub_topology("counting").source::<str, [u8]>("words").count(&counts).sink("totals");
        let described = serde_json::to_value(builder.build().unwrap().describe()).unwrap();
        let sub = &described["sub_topologies"][0];
        assert_eq!(sub["stores"][0], serde_json::json!({ "name": "counts", "medium": "rocksdb", "changelog": true }));
        let nodes = sub["nodes"].as_array().unwrap();
        let of = |field: &str| nodes.iter().map(|node| node[field].clone()).collect::<Vec<_>>();
        assert_eq!(of("kind"), ["source", "processor", "sink"]);
        assert_eq!(nodes[0]["topics"][0], "words");
        assert_eq!((&nodes[1]["inputs"][0][0], &nodes[1]["stores"][0]), (&nodes[0]["name"], &"counts".into()));
        assert_eq!((&nodes[2]["inputs"][0][0], &nodes[2]["topics"][0]), (&nodes[1]["name"], &"totals".into()));
    }
}
