//! Drawing a graph with typed handles.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::codec::Codec;
use crate::error::Result;
use crate::processor::{self, Processor};
use crate::store;

use super::instance::{self, Wiring};
use super::topic::{Topic, Topics};
use super::{Kind, Node, OutputName, Parent, SubTopologySpec, Topology, check};

/// Draws a graph. Mistakes are collected and reported together by [`Builder::build`].
pub struct Builder {
    /// Unlike that of any other builder.
    id: usize,
    sub_topologies: Vec<SubTopologySpec>,
    mistakes: Vec<String>,
}

/// A stream of records inside a sub-topology: the output of a source or a processor.
pub struct Stream<K, V> {
    builder: usize,
    sub_topology: usize,
    parent: Parent,
    types: PhantomData<fn() -> (K, V)>,
}

/// A side output of a processor, by name.
pub struct Output<K, V> {
    pub(super) id: usize,
    pub(super) name: String,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Output<K, V> {
    /// A side output, to be given to a processor ([`ProcessorBuilder::with_output`]).
    pub fn new(name: impl Into<String>) -> Self {
        Self { id: next_id(), name: name.into(), types: PhantomData }
    }
}

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<K, V> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), types: PhantomData }
    }
}

/// A key-value store: its mandatory name, what it is kept in, and its codecs. Every store has a changelog.
#[derive(Clone)]
pub struct Store<K: Codec, V: Codec> {
    pub(super) name: String,
    medium: store::Medium,
    pub(super) key: K,
    pub(super) value: V,
}

impl<K: Codec, V: Codec> Store<K, V> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn key_codec(&self) -> K {
        self.key.clone()
    }

    pub(crate) fn value_codec(&self) -> V {
        self.value.clone()
    }

    /// Kept in RocksDB: may be larger than memory, and after a restart only the newest changes are restored.
    pub fn rocksdb(name: impl Into<String>, key: K, value: V) -> Self {
        Self { name: name.into(), medium: store::Medium::RocksDb, key, value }
    }

    /// Kept in memory: restored whole from its changelog at every start.
    pub fn memory(name: impl Into<String>, key: K, value: V) -> Self {
        Self { name: name.into(), medium: store::Medium::Memory, key, value }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self { id: next_id(), sub_topologies: Vec::new(), mistakes: Vec::new() }
    }
}

impl Builder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a sub-topology: what runs as one task per partition of the topics that it reads. The name is part of its tasks' ids and so
    /// of state directories; changing it leaves the old state behind.
    pub fn sub_topology(&mut self, name: impl Into<String>) -> SubTopology<'_> {
        let index = self.sub_topologies.len();
        self.sub_topologies.push(SubTopologySpec {
            name: name.into(),
            single_writer: None,
            nodes: Vec::new(),
            stores: Vec::new(),
        });
        SubTopology { builder: self, index }
    }

    /// Checks the graph. The error names every mistake, one a line.
    pub fn build(mut self) -> Result<Topology> {
        for sub_topology in &mut self.sub_topologies {
            sub_topology.stores.sort_by(|a, b| a.name.cmp(&b.name));
        }
        check::check(&mut self.sub_topologies, self.mistakes)?;
        let topology = Topology { sub_topologies: Arc::new(self.sub_topologies) };
        for index in 0..topology.sub_topologies.len() {
            instance::dry_run(&topology, index)?;
        }
        Ok(topology)
    }
}

/// A sub-topology being drawn.
pub struct SubTopology<'b> {
    builder: &'b mut Builder,
    index: usize,
}

impl SubTopology<'_> {
    /// Gives the sub-topology a producer of its own under this transactional id. Whoever takes the task over fences the
    /// predecessor, wherever it runs and whatever its application id.
    pub fn single_writer(&mut self, transactional_id: impl Into<String>) {
        self.spec().single_writer = Some(transactional_id.into());
    }

    /// Declares a store. Processors that use it say so with [`ProcessorBuilder::with_store`].
    pub fn store<K: Codec, V: Codec>(&mut self, store: Store<K, V>) -> Store<K, V> {
        match store::Spec::new(store.name.clone(), store.medium) {
            Ok(spec) => self.spec().stores.push(spec),
            Err(error) => self.builder.mistakes.push(error.to_string()),
        }
        store
    }

    /// Reads a topic, or several. What cannot be decoded becomes a dead letter, in `<topic>-dead-letters`.
    ///
    /// All topics that a sub-topology reads, by this source and by others, must have the same number of partitions: its task
    /// number `p` reads partition `p` of each. Their records come in the order of their timestamps, as far as they are there (see
    /// [`max_task_idle_ms`](crate::client::Config::max_task_idle_ms)); of equal ones that of the topic named first comes first.
    pub fn source<K: Codec, V: Codec>(
        &mut self,
        name: &str,
        topics: impl Into<Topics>,
        key: K,
        value: V,
    ) -> Stream<K, V> {
        let make = instance::make_source(key, value);
        let Topics(topics) = topics.into();
        let node = self.add(Node { name: name.to_owned(), kind: Kind::Source { topics }, parent: None, make });
        self.stream(Parent { node, port: 0 })
    }

    /// Begins a processor that reads `input`.
    pub fn processor<K: Codec, V: Codec>(&mut self, name: &str, input: &Stream<K, V>) -> ProcessorBuilder<'_, K, V> {
        let parent = self.parent_of(name, input);
        ProcessorBuilder {
            index: self.index,
            builder: &mut *self.builder,
            name: name.to_owned(),
            parent,
            stores: Vec::new(),
            outputs: Vec::new(),
            types: PhantomData,
        }
    }

    /// Writes a stream to a topic, with keys partitioned as Java's clients do.
    pub fn sink<K: Codec, V: Codec>(&mut self, name: &str, input: &Stream<K, V>, topic: Topic, key: K, value: V) {
        let parent = self.parent_of(name, input);
        let make = instance::make_sink(key, value, &topic);
        self.add(Node { name: name.to_owned(), kind: Kind::Sink { topic }, parent: Some(parent), make });
    }

    /// The stream of a side output, of the processor that was given it.
    pub fn side_output<K, V>(&mut self, output: &Output<K, V>) -> Stream<K, V> {
        let port = |node: &Node| match &node.kind {
            Kind::Processor { outputs, .. } => outputs.iter().position(|name| name.id == output.id),
            _ => None,
        };
        let mut nodes = self.spec().nodes.iter().enumerate();
        let parent = nodes.find_map(|(index, node)| port(node).map(|port| Parent { node: index, port: port + 1 }));
        let parent = parent.unwrap_or_else(|| {
            let mistake =
                format!("side output '{}' is read before a processor is given it with with_output", output.name);
            self.builder.mistakes.push(mistake);
            Parent { node: 0, port: 0 }
        });
        self.stream(parent)
    }

    fn spec(&mut self) -> &mut SubTopologySpec {
        &mut self.builder.sub_topologies[self.index]
    }

    fn add(&mut self, node: Node) -> usize {
        self.spec().nodes.push(node);
        self.spec().nodes.len() - 1
    }

    fn stream<K, V>(&self, parent: Parent) -> Stream<K, V> {
        Stream { builder: self.builder.id, sub_topology: self.index, parent, types: PhantomData }
    }

    fn parent_of<K, V>(&mut self, name: &str, input: &Stream<K, V>) -> Parent {
        if input.builder != self.builder.id {
            let to = self.spec().name.clone();
            self.builder.mistakes.push(format!(
                "node '{name}' of sub-topology '{to}' reads a stream of another builder: draw one graph with one builder"
            ));
        } else if input.sub_topology != self.index {
            let from = self.builder.sub_topologies[input.sub_topology].name.clone();
            let to = self.spec().name.clone();
            self.builder.mistakes.push(format!(
                "node '{name}' of sub-topology '{to}' reads a stream of sub-topology '{from}': connect them by a topic"
            ));
        }
        input.parent
    }
}

/// A processor being connected; [`ProcessorBuilder::supply`] finishes it.
pub struct ProcessorBuilder<'b, K, V> {
    builder: &'b mut Builder,
    index: usize,
    name: String,
    parent: Parent,
    stores: Vec<String>,
    outputs: Vec<OutputName>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Codec, V: Codec> ProcessorBuilder<'_, K, V> {
    /// The processor uses this store.
    #[must_use]
    pub fn with_store<SK: Codec, SV: Codec>(mut self, store: &Store<SK, SV>) -> Self {
        self.stores.push(store.name.clone());
        self
    }

    /// The processor has this side output; read it with [`SubTopology::side_output`].
    #[must_use]
    pub fn with_output<OK, OV>(mut self, output: &Output<OK, OV>) -> Self {
        self.outputs.push(OutputName { id: output.id, name: output.name.clone() });
        self
    }

    /// Finishes the processor. `supplier` makes one, whenever a task starts or rewinds; it is called once at build time, to
    /// find mis-wiring before anything runs.
    pub fn supply<P>(
        self,
        supplier: impl Fn(&Wiring<'_>) -> processor::Result<P> + Send + Sync + 'static,
    ) -> Stream<P::KeyOut, P::ValueOut>
    where
        P: Processor<Key = K, Value = V>,
    {
        let spec = &mut self.builder.sub_topologies[self.index];
        let node = spec.nodes.len();
        let reads_source =
            spec.nodes.get(self.parent.node).is_some_and(|parent| matches!(parent.kind, Kind::Source { .. }));
        let make = instance::make_processor(supplier, node, reads_source);
        let kind = Kind::Processor { stores: self.stores, outputs: self.outputs };
        spec.nodes.push(Node { name: self.name, kind, parent: Some(self.parent), make });
        let parent = Parent { node, port: 0 };
        Stream { builder: self.builder.id, sub_topology: self.index, parent, types: PhantomData }
    }
}
