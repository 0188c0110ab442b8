//! A sub-topology's nodes, made for one task: children first, so that parents can hold them.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::processor::{self, Edge, Lifecycle, Port, Processor, ProcessorNode, SinkNode, Source, SourceNode, Target};
use crate::store::{KeyValueStore, Options, Stores};

use super::builder::{Output, Store};
use super::{Kind, SubTopologySpec, Topic, Topology};

/// The nodes of one task.
pub struct Instance {
    /// Entries of the task's records.
    pub sources: Vec<Box<dyn Source>>,
    /// For each input of the task: which of the sources takes it.
    pub source_of: Vec<usize>,
    /// Processors with their node index, parents before children.
    pub processors: Vec<(usize, Rc<RefCell<dyn Lifecycle>>)>,
}

/// Makes one node, given what reads it.
pub(crate) type Make = Box<dyn Fn(&Wiring<'_>) -> Result<Made> + Send + Sync>;

/// A node, and how it is to be reached.
pub(crate) enum Made {
    Source(Box<dyn Source>),
    /// `edge` holds an `Edge<K, V>` of the node's own types.
    Processor {
        edge: Box<dyn Any>,
        lifecycle: Rc<RefCell<dyn Lifecycle>>,
    },
    Sink {
        edge: Box<dyn Any>,
    },
}

/// What a supplier can ask for while its processor is made: stores and side outputs that the processor was given.
pub struct Wiring<'a> {
    spec: &'a SubTopologySpec,
    node: usize,
    stores: &'a Rc<RefCell<Stores>>,
    sink_topics: &'a [String],
    /// For each node already made: its edge.
    edges: &'a [Option<Box<dyn Any>>],
}

impl Wiring<'_> {
    /// A handle to a store.
    pub fn store<K: Codec, V: Codec>(&self, store: &Store<K, V>) -> Result<KeyValueStore<K, V>> {
        let name = &store.name;
        let node = &self.spec.nodes[self.node];
        let declared = matches!(&node.kind, Kind::Processor { stores, .. } if stores.contains(name));
        let index = self.spec.stores.iter().position(|spec| &spec.name == name);
        match index {
            Some(index) if declared => {
                Ok(KeyValueStore::new(Rc::clone(self.stores), index, store.key.clone(), store.value.clone())?)
            }
            _ => Err(Error::stop(format!("processor '{}' uses store '{name}' without with_store", node.name))),
        }
    }

    /// A side output, connected to what reads it.
    pub fn output<K: Codec, V: Codec>(&self, output: &Output<K, V>) -> Result<Port<K, V>> {
        let node = &self.spec.nodes[self.node];
        let position = match &node.kind {
            Kind::Processor { outputs, .. } => outputs.iter().position(|name| name.id == output.id),
            _ => None,
        };
        let position = position.ok_or_else(|| {
            let name = &output.name;
            Error::stop(format!("processor '{}' uses side output '{name}' without with_output", node.name))
        })?;
        Ok(Port { children: self.children(position + 1)? })
    }

    fn children<K: Codec, V: Codec>(&self, port: usize) -> Result<Vec<Edge<K, V>>> {
        let mut children = Vec::new();
        for (node, edge) in self.spec.nodes.iter().zip(self.edges) {
            if !node.parent.is_some_and(|parent| parent.node == self.node && parent.port == port) {
                continue;
            }
            let edge = edge.as_ref().and_then(|edge| edge.downcast_ref::<Edge<K, V>>());
            let edge = edge.ok_or_else(|| {
                let parent = &self.spec.nodes[self.node].name;
                Error::stop(format!("node '{}' does not take what '{parent}' gives: other codecs", node.name))
            })?;
            children.push(Rc::clone(edge));
        }
        Ok(children)
    }
}

impl Topology {
    /// Makes the nodes of a sub-topology over these stores.
    pub fn instantiate(&self, sub_topology: usize, stores: &Rc<RefCell<Stores>>) -> Result<Instance> {
        let spec = &self.sub_topologies[sub_topology];
        let sink_topics = spec.sink_topics();
        let mut edges: Vec<Option<Box<dyn Any>>> = spec.nodes.iter().map(|_| None).collect();
        let mut sources = Vec::new();
        let mut processors = Vec::new();
        // A node is always drawn after its parent.
        for (index, node) in spec.nodes.iter().enumerate().rev() {
            let wiring = Wiring { spec, node: index, stores, sink_topics: &sink_topics, edges: &edges };
            match (node.make)(&wiring)? {
                Made::Source(made) => sources.push(made),
                Made::Sink { edge } => edges[index] = Some(edge),
                Made::Processor { edge, lifecycle } => {
                    edges[index] = Some(edge);
                    processors.push((index, lifecycle));
                }
            }
        }
        processors.reverse();
        sources.reverse();
        let read = spec.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Source { topics } => Some(topics.len()),
            _ => None,
        });
        let source_of = read.enumerate().flat_map(|(source, count)| std::iter::repeat_n(source, count)).collect();
        Ok(Instance { sources, source_of, processors })
    }
}

/// Makes a sub-topology once over empty stores in memory, for its errors.
pub(super) fn dry_run(topology: &Topology, sub_topology: usize) -> Result<()> {
    let specs = &topology.sub_topologies[sub_topology].stores;
    let stores = Stores::in_memory(specs.clone(), [0; 32], &Options::default())?;
    let stores = Rc::new(RefCell::new(stores));
    topology.instantiate(sub_topology, &stores).map(|_| ())
}

pub(super) fn make_source<K: Codec, V: Codec>(key: K, value: V) -> Make {
    Box::new(move |wiring| {
        let children = wiring.children(0)?;
        Ok(Made::Source(Box::new(SourceNode { key: key.clone(), value: value.clone(), children })))
    })
}

pub(super) fn make_sink<K: Codec, V: Codec>(key: K, value: V, topic: &Topic) -> Make {
    // By number: a partition that somebody adds must not get what belongs into the only one.
    let partition = (topic.partition_count() == Some(1)).then_some(0);
    let topic = topic.name().to_owned();
    Box::new(move |wiring| {
        let target = wiring.sink_topics.iter().position(|name| *name == topic);
        let target = Target(target.ok_or_else(|| Error::stop(format!("no sink topic '{topic}'")))?);
        let sink = SinkNode { key: key.clone(), value: value.clone(), target, partition };
        let edge: Edge<K, V> = Rc::new(RefCell::new(sink));
        Ok(Made::Sink { edge: Box::new(edge) })
    })
}

pub(super) fn make_processor<P: Processor>(
    supplier: impl Fn(&Wiring<'_>) -> processor::Result<P> + Send + Sync + 'static,
    node: usize,
    reads_source: bool,
) -> Make {
    Box::new(move |wiring| {
        let name: Rc<str> = wiring.spec.nodes[node].name.as_str().into();
        let processor = supplier(wiring)?;
        let children = wiring.children(0)?;
        let made = Rc::new(RefCell::new(ProcessorNode { name, processor, node, reads_source, children }));
        let edge: Edge<P::Key, P::Value> = Rc::clone(&made) as Edge<P::Key, P::Value>;
        Ok(Made::Processor { edge: Box::new(edge), lifecycle: made })
    })
}
