//! Sinks that were drawn.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::Codec;
use crate::processor::{Partition, Record, Route};

use super::drawing::Drawing;
use super::{Kind, Node, Parent, Topic, instance};

/// A sink that was drawn, and may be told more.
pub struct Sink<K: ?Sized, V: ?Sized, R> {
    drawing: Drawing,
    sub_topology: usize,
    node: usize,
    route: R,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: Codec + ?Sized, V: Codec + ?Sized, R: Route<K, V> + Clone> Sink<K, V, R> {
    pub(super) fn draw(
        drawing: Drawing,
        sub_topology: usize,
        parents: Vec<Parent>,
        name: &str,
        topics: Vec<Topic>,
        route: R,
    ) -> Self {
        let (name, make) = (drawing.free_name(name), instance::make_sink::<K, V, R>(route.clone()));
        let kind = Kind::Sink { topics, chooses_partitions: false };
        let node = drawing.add(sub_topology, Node { name, kind, inputs: vec![parents], make });
        Self { drawing, sub_topology, node, route, types: PhantomData }
    }

    /// Gives the node a name of its own.
    #[allow(clippy::must_use_candidate, reason = "a sink is drawn, whatever becomes of this")]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.drawing.rename(self.sub_topology, self.node, name.into());
        self
    }

    /// Puts each record into the partition that the function says, of as many as the topic has. Without it a record
    /// goes where Java's clients would put its key.
    ///
    /// ```
    /// # use topology::graph::{Builder, Topic};
    /// # let builder = Builder::new();
    /// # let readings = builder.sub_topology("sorting").source::<u64, i64>("readings");
    /// let by_station = |station: u64, count: i32| (station % count as u64) as i32;
    /// readings
    ///     .sink(Topic::new("by-station").partitions(8))
    ///     .partitioned(move |record, count| by_station(record.key.unwrap_or(0), count));
    /// # assert!(builder.build().is_ok());
    /// ```
    #[allow(clippy::must_use_candidate, reason = "a sink is drawn, whatever becomes of this")]
    pub fn partitioned<F>(self, partition: F) -> Sink<K, V, Arc<Partition<R, F>>>
    where
        F: Fn(&Record<'_, K, V>, i32) -> i32 + Send + Sync + 'static,
    {
        let Self { drawing, sub_topology, node, route, types } = self;
        let route = Arc::new(Partition(route, partition));
        let make = instance::make_sink::<K, V, _>(Arc::clone(&route));
        drawing.change(sub_topology, |spec| {
            if let Some(node) = spec.nodes.get_mut(node) {
                node.make = make;
                if let Kind::Sink { chooses_partitions, .. } = &mut node.kind {
                    *chooses_partitions = true;
                }
            }
        });
        Sink { drawing, sub_topology, node, route, types }
    }
}
