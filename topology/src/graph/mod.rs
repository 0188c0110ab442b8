//! The graph: sources -> processors (+ stores) -> sinks, in named sub-topologies.
//!
//! ```text
//! builder             sub-topologies, sources
//! stream              what can be done with a stream: filter, map, count, sink, ...
//! processor_builder   a processor being connected
//! input_ports         a processor's inputs beside its main one, of other types
//! functions           a processor made of functions
//! sink                sinks that were drawn
//! hand_over           the stores and side outputs that a processor is given, as types
//! store               stores and side outputs, as they are declared
//! topic               what is asked of the topics a graph reads and writes
//! repartition         topics of the application's own between sub-topologies
//! pattern             sources of all topics whose names match
//! drawing             a graph while it is drawn
//! check               what makes a graph unfit, with the name of the node
//! order               sub-topologies in the order in which records pass through them
//! resolve             the names that topics have for a run
//! plan                which topics a run needs, and how many partitions each has
//! keys                which stores have each key where the log's default partitioner puts it
//! instance            a sub-topology's nodes, made for one task
//! describe            as text and as DOT
//! description         as data
//! ```
//! A mis-wired edge, a store of other types, or one that was not handed over is a compile error; any other mistake is
//! an error of [`Builder::build`]. May use `processor` and what that may use.
//!
//! ```
//! use topology::graph::{Builder, Store};
//!
//! let builder = Builder::new();
//! let counts = Store::rocksdb("counts");
//! builder.sub_topology("counting").source::<str, [u8]>("words").count(&counts).sink("totals");
//! let topology = builder.build().unwrap();
//! assert!(topology.to_string().contains("Store: counts (rocksdb, changelog)"));
//! ```

mod builder;
mod check;
mod describe;
mod description;
mod drawing;
mod functions;
mod hand_over;
mod input_ports;
mod instance;
mod keys;
mod order;
mod pattern;
pub(crate) mod plan;
mod processor_builder;
mod repartition;
mod resolve;
mod sink;
mod store;
mod stream;
mod topic;

pub use builder::{Builder, SubTopology};
pub use description::{Description, NodeDescription, StoreDescription, SubTopologyDescription};
pub use functions::Functions;
pub use input_ports::WithInputs;
pub(crate) use instance::Instance;
pub use pattern::Pattern;
pub use processor_builder::ProcessorBuilder;
pub use repartition::Repartition;
pub use sink::Sink;
pub use store::{Output, Store};
pub use stream::Stream;
pub use topic::{Topic, Topics, changelog_topic, dead_letter_topic, repartition_topic};

use std::sync::Arc;

use crate::processor::{Handlers, Target};

/// A checked graph. Cheap to clone; every thread makes its tasks from it.
#[derive(Clone)]
pub struct Topology {
    pub(crate) sub_topologies: Arc<Vec<SubTopologySpec>>,
    pub(crate) handlers: Handlers,
}

/// One sub-topology: what is run as one task per partition.
#[derive(Clone)]
pub(crate) struct SubTopologySpec {
    pub(crate) name: String,
    /// The transactional id of its own producer, if it has one.
    pub(crate) single_writer: Option<String>,
    pub(crate) nodes: Vec<Node>,
    /// Sorted by name.
    pub(crate) stores: Vec<crate::store::Spec>,
}

/// The topics that a task produces to.
pub(crate) struct OutputTopics {
    /// A [`Target`] is an index into them.
    pub(crate) names: Vec<String>,
    /// For each input.
    pub(crate) dead_letters: Vec<Target>,
    /// For each store; `None` for one without.
    pub(crate) changelogs: Vec<Option<Target>>,
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// For each of its inputs, the main one first: the nodes and the ports that it reads from. A source has none.
    pub(crate) inputs: Vec<Vec<Parent>>,
    pub(crate) make: instance::Make,
}

impl Node {
    /// The nodes and the ports that it reads from, those of its main input first.
    pub(crate) fn parents(&self) -> impl Iterator<Item = Parent> {
        self.inputs.iter().flatten().copied()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Source {
        topics: Vec<Topic>,
        /// What says which topics those are, once a run knows them.
        pattern: Option<Pattern>,
    },
    Processor {
        stores: Vec<String>,
        outputs: Vec<OutputName>,
        has_own_name: bool,
        /// What it hands on is under the key of the record that it comes from, and so is what it keeps.
        keeps_keys: bool,
    },
    /// With more than one topic each record chooses its own.
    Sink {
        topics: Vec<Topic>,
        /// Whether a function says the partition of each record.
        chooses_partitions: bool,
    },
}

/// A processor's side output.
#[derive(Clone, Debug)]
pub(crate) struct OutputName {
    pub(crate) id: usize,
    pub(crate) name: String,
}

/// Port 0 is the main output, the others are side outputs in the order in which they were connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) node: usize,
    pub(crate) port: usize,
}

impl Topology {
    /// Names of the sub-topologies, in graph order.
    pub fn sub_topology_names(&self) -> impl Iterator<Item = &str> {
        self.sub_topologies.iter().map(|sub| sub.name.as_str())
    }

    /// Topics that sources read, each once, by name.
    pub fn source_topics(&self) -> Vec<&Topic> {
        self.topics(|kind| matches!(kind, Kind::Source { .. }))
    }

    /// Topics that sinks write, each once, by name.
    pub fn sink_topics(&self) -> Vec<&Topic> {
        self.topics(|kind| matches!(kind, Kind::Sink { .. }))
    }

    /// The topics of all changelogs.
    pub(crate) fn changelog_topics(&self, application_id: &str) -> impl Iterator<Item = String> {
        let stores = self.sub_topologies.iter().flat_map(|sub| &sub.stores).filter(|store| store.has_changelog);
        stores.map(move |store| changelog_topic(application_id, &store.name))
    }

    /// The repartition topics, under their names on the log.
    pub(crate) fn repartition_topics(&self, application_id: &str) -> Vec<String> {
        let names = self.topics(|_| true).into_iter().filter_map(Topic::repartition_name);
        names.map(|name| repartition_topic(application_id, name)).collect()
    }

    /// All topics that tasks produce to, each once.
    pub(crate) fn written_topics(&self, application_id: &str) -> Vec<String> {
        let mut all: Vec<String> =
            self.sub_topologies.iter().flat_map(|sub| sub.outputs(application_id).names).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn topics(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<&Topic> {
        let nodes = self.sub_topologies.iter().flat_map(|sub| &sub.nodes);
        let mut topics: Vec<&Topic> =
            nodes.filter(|node| wanted(&node.kind)).flat_map(|node| node.kind.topics()).collect();
        topics.sort_by_key(|topic| (topic.name(), topic.is_repartition()));
        // All nodes ask the same of a topic: `check` made it so.
        topics.dedup_by_key(|topic| (topic.name(), topic.is_repartition()));
        topics
    }
}

impl Kind {
    /// The topics that it reads or writes.
    pub(crate) fn topics(&self) -> &[Topic] {
        match self {
            Kind::Source { topics, .. } | Kind::Sink { topics, .. } => topics,
            Kind::Processor { .. } => &[],
        }
    }

    /// Whether it was given this store.
    fn has_store(&self, name: &str) -> bool {
        matches!(self, Kind::Processor { stores, .. } if stores.iter().any(|store| store == name))
    }

    fn topics_mut(&mut self) -> &mut [Topic] {
        match self {
            Kind::Source { topics, .. } | Kind::Sink { topics, .. } => topics,
            Kind::Processor { .. } => &mut [],
        }
    }
}

impl SubTopologySpec {
    /// The topics it reads: the inputs of its tasks, in this order, which is that in which the graph names them.
    pub(crate) fn source_topics(&self) -> Vec<&Topic> {
        let sources = self.nodes.iter().filter(|node| matches!(node.kind, Kind::Source { .. }));
        sources.flat_map(|node| node.kind.topics()).collect()
    }

    /// How many partitions the topics that it reads have, in a graph that was planned ([`plan`]): as many tasks it has.
    pub(crate) fn partition_count(&self) -> i32 {
        self.source_topics().iter().find_map(|topic| topic.partition_count()).unwrap_or(1)
    }

    /// All topics that its task produces to.
    pub(crate) fn outputs(&self, application_id: &str) -> OutputTopics {
        let mut names = self.sink_topics();
        let inputs = self.source_topics();
        let dead_letters = (0..inputs.len()).map(|input| Target(names.len() + input)).collect();
        names.extend(inputs.iter().map(|topic| dead_letter_topic(topic.name())));
        let mut changelogs = Vec::with_capacity(self.stores.len());
        for store in &self.stores {
            changelogs.push(store.has_changelog.then_some(Target(names.len())));
            names.extend(store.has_changelog.then(|| changelog_topic(application_id, &store.name)));
        }
        OutputTopics { names, dead_letters, changelogs }
    }

    /// The topics that its sinks write, each once, in node order. A sink's [`Target`] is an index into them, and into
    /// [`OutputTopics::names`].
    pub(crate) fn sink_topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        let sinks = self.nodes.iter().filter(|node| matches!(node.kind, Kind::Sink { .. }));
        for topic in sinks.flat_map(|node| node.kind.topics()) {
            if !topics.iter().any(|name| name == topic.name()) {
                topics.push(topic.name().to_owned());
            }
        }
        topics
    }
}
