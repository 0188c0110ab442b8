//! A graph as text and as DOT, both in an order that depends on the graph alone.

use std::fmt;

use crate::store::Medium;

use super::{Kind, Node, SubTopologySpec, Topic, Topology};

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
            let matching = pattern.iter().map(|pattern| format!("topics that match: {pattern}"));
            let named = (!topics.is_empty()).then(|| named(topics, "topics"));
            let read: Vec<String> = matching.chain(named).collect();
            writeln!(f, "  Source: {} ({})", node.name, read.join("; "))?;
        }
        Kind::Sink { topics, .. } => writeln!(f, "  Sink: {} ({})", node.name, named(topics, "one of the topics"))?,
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

/// Topics with their names, and with what several of them are called.
fn named(topics: &[Topic], several: &str) -> String {
    match topics {
        [topic] if topic.is_repartition() => {
            let count = topic.partition_count().map(|count| format!(", partitions: {count}")).unwrap_or_default();
            format!("repartition topic: {}{count}", topic.name())
        }
        [topic] => format!("topic: {}", topic.name()),
        _ => format!("{several}: {}", topics.iter().map(Topic::name).collect::<Vec<_>>().join(", ")),
    }
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
                            dot += &format!("  \"{}\" -> \"{}\";\n", dot_id(topic), node.name);
                        }
                    }
                    Kind::Sink { topics, .. } => {
                        for topic in topics {
                            dot += &format!("  \"{}\" -> \"{}\";\n", node.name, dot_id(topic));
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
        let mut shapes: Vec<String> = topics.map(dot_shape).collect();
        shapes.sort_unstable();
        shapes.dedup();
        dot + &shapes.concat() + "}\n"
    }
}

/// What a topic is called in DOT, unlike any node.
fn dot_id(topic: &Topic) -> String {
    let kind = if topic.is_repartition() { "repartition" } else { "topic" };
    format!("{kind}:{}", topic.name())
}

fn dot_shape(topic: &Topic) -> String {
    let style = if topic.is_repartition() { "style=dashed, " } else { "" };
    format!("  \"{}\" [shape=cds, {style}label=\"{}\"];\n", dot_id(topic), topic.name())
}

pub(super) fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Memory => "memory",
        Medium::RocksDb => "rocksdb",
    }
}
