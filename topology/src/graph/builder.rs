//! Drawing a graph with typed handles.

use std::sync::Arc;

use crate::codec::{Codec, Data};
use crate::error::Result;

use super::drawing::Drawing;
use super::stream::Stream;
use super::{Kind, Node, Output, Parent, Topic, Topics, Topology, check, instance};

/// Draws a graph. Mistakes are collected and reported together by [`Builder::build`].
#[derive(Default)]
pub struct Builder {
    drawing: Drawing,
}

impl Builder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a sub-topology: what runs as one task per partition of the topics that it reads. The name is part of its tasks' ids and so
    /// of state directories; changing it leaves the old state behind.
    pub fn sub_topology(&self, name: impl Into<String>) -> SubTopology {
        SubTopology { drawing: self.drawing.clone(), index: self.drawing.add_sub_topology(name.into()) }
    }

    /// Checks the graph. The error names every mistake, one a line.
    pub fn build(self) -> Result<Topology> {
        let mut drawn = self.drawing.take();
        for sub_topology in &mut drawn.sub_topologies {
            sub_topology.stores.sort_by(|a, b| a.name.cmp(&b.name));
        }
        check::check(&mut drawn.sub_topologies, drawn.mistakes)?;
        let topology = Topology { sub_topologies: Arc::new(drawn.sub_topologies) };
        for index in 0..topology.sub_topologies.len() {
            instance::dry_run(&topology, index)?;
        }
        Ok(topology)
    }
}

/// A sub-topology being drawn.
pub struct SubTopology {
    drawing: Drawing,
    index: usize,
}

impl SubTopology {
    /// Gives the sub-topology a producer of its own under this transactional id. Whoever takes the task over fences the
    /// predecessor, wherever it runs and whatever its application id.
    pub fn single_writer(&self, transactional_id: impl Into<String>) {
        self.drawing.change(self.index, |spec| spec.single_writer = Some(transactional_id.into()));
    }

    /// Reads a topic, or several. What cannot be decoded becomes a dead letter, in `<topic>-dead-letters`. The node is called as the
    /// first topic is.
    ///
    /// All topics that a sub-topology reads, by this source and by others, must have the same number of partitions: its task
    /// number `p` reads partition `p` of each. Their records come in the order of their timestamps, as far as they are there (see
    /// [`max_task_idle_ms`](crate::client::Config::max_task_idle_ms)); of equal ones that of the topic named first comes first.
    pub fn source<K: Codec + ?Sized, V: Codec + ?Sized>(&self, topics: impl Into<Topics>) -> Stream<K, V> {
        let Topics(topics) = topics.into();
        let name = self.drawing.free_name(topics.first().map_or("source", Topic::name));
        let make = instance::make_source::<K, V>();
        let node =
            self.drawing.add(self.index, Node { name, kind: Kind::Source { topics }, parents: Vec::new(), make });
        self.stream(Parent { node, port: 0 })
    }

    /// The stream of a side output, of the processor that was given it.
    pub fn side_output<K: Data + ?Sized, V: Data + ?Sized>(&self, output: &Output<K, V>) -> Stream<K, V> {
        let parent = self.drawing.output(self.index, output.id);
        let parent = parent.unwrap_or_else(|| {
            self.drawing.mistake(format!(
                "side output '{}' is read before a processor is given it with with_output",
                output.name
            ));
            Parent { node: 0, port: 0 }
        });
        self.stream(parent)
    }

    fn stream<K: Data + ?Sized, V: Data + ?Sized>(&self, parent: Parent) -> Stream<K, V> {
        Stream::of(self.drawing.clone(), self.index, vec![parent])
    }
}
