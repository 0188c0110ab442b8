//! A graph as text and as DOT, both in an order that depends on the graph alone.

use std::fmt;

use crate::store::Medium;

use super::{Kind, Node, SubTopologySpec, Topology};

impl fmt::Display for Topology {
    /// ```text
    /// Sub-topology: counting
    ///   Source: words (topic: words)
    ///     --> count
    ///   Processor: count (stores: counts)
    ///     --> totals
    ///     <-- words
    ///   Sink: totals (topic: totals)
    ///     <-- count
    ///   Store: counts (rocksdb, changelog)
    /// ```
    /// Inputs of a processor beside its main one stand on lines of their own: `<-- customers [input 2]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sub_topology in self.sub_topologies.iter() {
            write!(f, "Sub-topology: {}", sub_topology.name)?;
            match &sub_topology.single_writer {
                Some(id) => writeln!(f, " (single writer: {id})")?,
                None => writeln!(f)?,
            }
            for (index, node) in sub_topology.nodes.iter().enumerate() {
                write_node(f, sub_topology, index, node)?;
            }
            for store in &sub_topology.stores {
                let changelog = if store.has_changelog { "changelog" } else { "no changelog" };
                writeln!(f, "  Store: {} ({}, {changelog})", store.name, medium(store.medium))?;
            }
        }
        Ok(())
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, sub: &SubTopologySpec, index: usize, node: &Node) -> fmt::Result {
    match &node.kind {
        Kind::Source { topics, pattern } => {
            let names: Vec<&str> = topics.iter().map(super::Topic::name).collect();
            let what = if names.len() == 1 { "topic" } else { "topics" };
            let matching = pattern.iter().map(|pattern| format!("topics that match: {pattern}"));
            let named = (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
            let read: Vec<String> = matching.chain(named).collect();
            writeln!(f, "  Source: {} ({})", node.name, read.join("; "))?;
        }
        Kind::Sink { topics, .. } => {
            let names: Vec<&str> = topics.iter().map(super::Topic::name).collect();
            let label = if let [_] = names[..] { "topic" } else { "one of the topics" };
            writeln!(f, "  Sink: {} ({label}: {})", node.name, names.join(", "))?;
        }
        Kind::Processor { stores, .. } if stores.is_empty() => writeln!(f, "  Processor: {}", node.name)?,
        Kind::Processor { stores, .. } => writeln!(f, "  Processor: {} (stores: {})", node.name, stores.join(", "))?,
    }
    let children: Vec<String> = edges(sub)
        .filter(|edge| edge.from == index)
        .map(|edge| match edge.output {
            Some(output) => format!("{} [{output}]", sub.nodes[edge.to].name),
            None => sub.nodes[edge.to].name.clone(),
        })
        .collect();
    if !children.is_empty() {
        writeln!(f, "    --> {}", children.join(", "))?;
    }
    for (input, parents) in node.inputs.iter().enumerate() {
        let names: Vec<&str> = parents.iter().map(|parent| sub.nodes[parent.node].name.as_str()).collect();
        let label = input_label(input).map(|label| format!(" [{label}]")).unwrap_or_default();
        writeln!(f, "    <-- {}{label}", names.join(", "))?;
    }
    Ok(())
}

/// What an input is called beside the main one.
fn input_label(input: usize) -> Option<String> {
    (input > 0).then(|| format!("input {}", input + 1))
}

struct EdgeView<'a> {
    from: usize,
    to: usize,
    /// Name of the side output, if it is one.
    output: Option<&'a str>,
    /// Which of the inputs it leads to; 0 is the main one.
    input: usize,
}

fn edges(sub: &SubTopologySpec) -> impl Iterator<Item = EdgeView<'_>> {
    let inputs = |to: usize| sub.nodes[to].inputs.iter().enumerate().map(move |(input, parents)| (to, input, parents));
    let into = (0..sub.nodes.len()).flat_map(inputs);
    into.flat_map(|(to, input, parents)| parents.iter().map(move |parent| (to, input, *parent))).filter_map(
        |(to, input, parent)| {
            let output = match &sub.nodes.get(parent.node)?.kind {
                Kind::Processor { outputs, .. } if parent.port > 0 => {
                    outputs.get(parent.port - 1).map(|output| output.name.as_str())
                }
                _ => None,
            };
            Some(EdgeView { from: parent.node, to, output, input })
        },
    )
}

impl Topology {
    /// The graph for Graphviz: `dot -Tsvg`.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph topology {\n  rankdir=LR;\n  node [fontname=\"Helvetica\"];\n");
        for (cluster, sub) in self.sub_topologies.iter().enumerate() {
            dot += &format!("  subgraph cluster_{cluster} {{\n    label=\"{}\";\n", sub.name);
            for node in &sub.nodes {
                let shape = match node.kind {
                    Kind::Processor { .. } => "box",
                    _ => "ellipse",
                };
                dot += &format!("    \"{}\" [shape={shape}];\n", node.name);
            }
            for store in &sub.stores {
                dot += &format!("    \"store:{0}\" [shape=cylinder, label=\"{0}\"];\n", store.name);
            }
            dot += "  }\n";
            for edge in edges(sub) {
                let labels: Vec<String> =
                    edge.output.map(str::to_owned).into_iter().chain(input_label(edge.input)).collect();
                let label =
                    if labels.is_empty() { String::new() } else { format!(" [label=\"{}\"]", labels.join(", ")) };
                dot += &format!("  \"{}\" -> \"{}\"{label};\n", sub.nodes[edge.from].name, sub.nodes[edge.to].name);
            }
            for node in &sub.nodes {
                match &node.kind {
                    Kind::Source { topics, pattern } => {
                        if let (Some(pattern), true) = (pattern, topics.is_empty()) {
                            let quoted = pattern.to_string().replace('\\', "\\\\").replace('"', "\\\"");
                            dot += &format!("  \"topics:{quoted}\" -> \"{}\";\n", node.name);
                        }
                        for topic in topics {
                            dot += &format!("  \"topic:{0}\" -> \"{1}\";\n", topic.name(), node.name);
                        }
                    }
                    Kind::Sink { topics, .. } => {
                        for topic in topics {
                            dot += &format!("  \"{1}\" -> \"topic:{0}\";\n", topic.name(), node.name);
                        }
                    }
                    Kind::Processor { stores, .. } => {
                        for store in stores {
                            dot += &format!("  \"{}\" -> \"store:{store}\" [dir=both, style=dashed];\n", node.name);
                        }
                    }
                }
            }
        }
        let topics = self.source_topics().into_iter().chain(self.sink_topics());
        let mut names: Vec<&str> = topics.map(super::Topic::name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            dot += &format!("  \"topic:{name}\" [shape=cds, label=\"{name}\"];\n");
        }
        dot + "}\n"
    }
}

fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Memory => "memory",
        Medium::RocksDb => "rocksdb",
    }
}
