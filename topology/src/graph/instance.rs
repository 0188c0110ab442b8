//! A sub-topology's nodes, made for one task: children first, so that parents can hold them.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use std::marker::PhantomData;

use crate::codec::{Codec, Data};
use crate::error::{Class, Error, Result};
use crate::processor::{
    self, Context, Edge, FurtherInput, Lifecycle, Port, Processor, ProcessorNode, Record, Route, SinkNode, SinkTopic,
    Source, SourceNode, Target, Timestamp,
};
use crate::store::{KeyValueStore, Resources, StoreOptions, Stores};

use super::hand_over::Parts;
use super::store::{Output, Store};
use super::{Kind, Parent, SubTopologySpec, Topic, Topology};

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
pub(crate) type Make = Arc<dyn Fn(&Wiring<'_>) -> Result<Made> + Send + Sync>;

/// A node, and how it is to be reached.
pub(crate) enum Made {
    Source(Box<dyn Source>),
    /// `edges` holds for each of its inputs an `Edge<K, V>` of that input's types.
    Processor {
        edges: Vec<Box<dyn Any>>,
        lifecycle: Rc<RefCell<dyn Lifecycle>>,
    },
    Sink {
        edge: Box<dyn Any>,
    },
}

/// What a node is connected to while it is made.
pub struct Wiring<'a> {
    spec: &'a SubTopologySpec,
    node: usize,
    stores: &'a Rc<RefCell<Stores>>,
    sink_topics: &'a [String],
    /// For each node already made: the edges to its inputs.
    edges: &'a [Vec<Box<dyn Any>>],
}

impl Wiring<'_> {
    /// A handle to a store.
    pub(super) fn store<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        store: &Store<K, V>,
    ) -> Result<KeyValueStore<K, V>> {
        let index = self.spec.stores.iter().position(|spec| spec.name == store.name());
        let index = index.ok_or_else(|| Error::stop(format!("there is no store '{}'", store.name())))?;
        Ok(KeyValueStore::new(Rc::clone(self.stores), index)?)
    }

    /// A side output, connected to what reads it.
    pub(super) fn output<K: Data + ?Sized, V: Data + ?Sized>(&self, output: &Output<K, V>) -> Result<Port<K, V>> {
        let position = match &self.spec.nodes[self.node].kind {
            Kind::Processor { outputs, .. } => outputs.iter().position(|name| name.id == output.id),
            _ => None,
        };
        let position = position.ok_or_else(|| Error::stop(format!("there is no side output '{}'", output.name)))?;
        Ok(Port { children: self.children(position + 1)? })
    }

    fn children<K: Data + ?Sized, V: Data + ?Sized>(&self, port: usize) -> Result<Vec<Edge<K, V>>> {
        let mut children = Vec::new();
        for (node, edges) in self.spec.nodes.iter().zip(self.edges) {
            let reading = |(input, parents): (usize, &Vec<Parent>)| {
                parents.contains(&Parent { node: self.node, port }).then(|| edges.get(input))
            };
            for edge in node.inputs.iter().enumerate().filter_map(reading) {
                let edge = edge.and_then(|edge| edge.downcast_ref::<Edge<K, V>>());
                let edge = edge.ok_or_else(|| {
                    let parent = &self.spec.nodes[self.node].name;
                    Error::stop(format!("node '{}' does not take what '{parent}' gives: other types", node.name))
                })?;
                children.push(Rc::clone(edge));
            }
        }
        Ok(children)
    }
}

impl Topology {
    /// Makes the nodes of a sub-topology over these stores.
    pub fn instantiate(&self, sub_topology: usize, stores: &Rc<RefCell<Stores>>) -> Result<Instance> {
        let spec = &self.sub_topologies[sub_topology];
        let sink_topics = spec.sink_topics();
        let mut edges: Vec<Vec<Box<dyn Any>>> = spec.nodes.iter().map(|_| Vec::new()).collect();
        let mut sources = Vec::new();
        let mut processors = Vec::new();
        // A node is always drawn after its parent.
        for (index, node) in spec.nodes.iter().enumerate().rev() {
            let wiring = Wiring { spec, node: index, stores, sink_topics: &sink_topics, edges: &edges };
            match (node.make)(&wiring)? {
                Made::Source(made) => sources.push(made),
                Made::Sink { edge } => edges[index] = vec![edge],
                Made::Processor { edges: made, lifecycle } => {
                    edges[index] = made;
                    processors.push((index, lifecycle));
                }
            }
        }
        processors.reverse();
        sources.reverse();
        let read = spec.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Source { topics, .. } => Some(topics.len()),
            _ => None,
        });
        let source_of = read.enumerate().flat_map(|(source, count)| std::iter::repeat_n(source, count)).collect();
        Ok(Instance { sources, source_of, processors })
    }
}

/// Makes a sub-topology once over empty stores in memory, for its errors.
pub(super) fn dry_run(topology: &Topology, sub_topology: usize) -> Result<()> {
    let specs = &topology.sub_topologies[sub_topology].stores;
    let stores = Stores::in_memory(specs.clone(), [0; 32], &Resources::without_thread(StoreOptions::default()))?;
    let stores = Rc::new(RefCell::new(stores));
    topology.instantiate(sub_topology, &stores).map(|_| ())
}

pub(super) fn make_source<K: Codec + ?Sized, V: Codec + ?Sized>(timestamp: Option<Timestamp<K, V>>) -> Make {
    Arc::new(move |wiring| {
        let children = wiring.children(0)?;
        Ok(Made::Source(Box::new(SourceNode::<K, V> { children, timestamp: timestamp.clone() })))
    })
}

pub(super) fn make_sink<K: Codec + ?Sized, V: Codec + ?Sized, R: Route<K, V> + Clone>(route: R) -> Make {
    Arc::new(move |wiring| {
        let node = &wiring.spec.nodes[wiring.node];
        let target = |topic: &Topic| {
            let target = wiring.sink_topics.iter().position(|name| name == topic.name());
            let target = target.ok_or_else(|| Error::stop(format!("no sink topic '{}'", topic.name())))?;
            Ok(SinkTopic { target: Target(target), partition_count: topic.partition_count() })
        };
        let topics = node.kind.topics().iter().map(target).collect::<Result<_>>()?;
        let sink = SinkNode { name: node.name.clone(), topics, route: route.clone(), types: PhantomData };
        let edge: Edge<K, V> = Rc::new(RefCell::new(sink));
        Ok(Made::Sink { edge: Box::new(edge) })
    })
}

/// Makes a node's edge for one of its further inputs.
pub(super) type MakeInput<Q> = Box<dyn Fn(&Rc<RefCell<ProcessorNode<Q>>>) -> Box<dyn Any> + Send + Sync>;

/// An input of a processor beside its main one, with what the processor does with its runs of records.
pub(super) fn make_input<Q, K, V, F>(process: F) -> MakeInput<Q>
where
    Q: Processor,
    K: Data + ?Sized,
    V: Data + ?Sized,
    F: FnMut(&mut Q, &[Record<'_, K, V>], &mut Context<'_, Q::KeyOut, Q::ValueOut>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
{
    Box::new(move |node| {
        let edge: Edge<K, V> = Rc::new(RefCell::new(FurtherInput::new(Rc::clone(node), process.clone())));
        Box::new(edge)
    })
}

pub(super) fn make_processor<P: Parts, Q: Processor>(
    parts: P,
    supplier: impl Fn(P::Handles) -> processor::Result<Q> + Send + Sync + 'static,
    is_plain: bool,
    further: Vec<MakeInput<Q>>,
) -> Make {
    Arc::new(move |wiring| {
        let node = wiring.node;
        let name: Rc<str> = wiring.spec.nodes[node].name.as_str().into();
        let handles = parts.connect(wiring)?;
        let processor = supplier(handles).map_err(|error| processor::named_after(&name, error, Class::Stop))?;
        let children = wiring.children(0)?;
        let reader_takes_runs = processor::reader_takes_runs(&children);
        let made = ProcessorNode { name, processor, node, is_plain, reader_takes_runs, children };
        let made = Rc::new(RefCell::new(made));
        let main: Edge<Q::Key, Q::Value> = Rc::clone(&made) as Edge<Q::Key, Q::Value>;
        let further = further.iter().map(|make| make(&made));
        let edges = std::iter::once(Box::new(main) as Box<dyn Any>).chain(further).collect();
        Ok(Made::Processor { edges, lifecycle: made })
    })
}
