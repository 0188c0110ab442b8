//! Streams, and what can be done with them.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::{Codec, Data};
use crate::processor::{
    self, Aggregate, Choose, Context, Emit, Filter, FlatMap, ForEach, Map, Only, Processor, Record,
};

use super::drawing::{Drawing, origin};
use super::hand_over::One;
use super::processor_builder::ProcessorBuilder;
use super::sink::Sink;
use super::{Parent, Repartition, Store, Topic};

/// A stream of records inside a sub-topology: the output of a source or a processor.
///
/// Functions given here are compiled into the node; they take whole runs of records where that makes no difference.
/// What a function borrows from a record it may hand on. That nothing reads what `filter` gives is a warning:
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # let names = topology::graph::Builder::new().sub_topology("calling").source::<str, str>("names");
/// names.filter(|record| record.value.is_some());
/// ```
///
/// ```
/// use topology::graph::Builder;
/// use topology::test_driver::TestDriver;
///
/// let builder = Builder::new();
/// let calling = builder.sub_topology("calling");
/// calling
///     .source::<str, str>("names")
///     .filter(|record| record.value.is_some_and(|name| name.len() > 2))
///     .flat_map::<str, str>(|record, out| {
///         for name in record.value.unwrap_or_default().split(' ') {
///             out.emit(name, "hello");
///         }
///     })
///     .map_values(|greeting| greeting.to_uppercase())
///     .sink("greetings");
///
/// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
/// driver.pipe("names", None, Some(b"ann bob"), 0)?;
/// driver.commit()?;
/// let last = &driver.read("greetings")[1];
/// assert_eq!((last.key.as_deref(), last.value.as_deref()), (Some(&b"bob"[..]), Some(&b"HELLO"[..])));
/// # Ok::<(), topology::Error>(())
/// ```
pub struct Stream<K: ?Sized, V: ?Sized> {
    drawing: Drawing,
    sub_topology: usize,
    /// Several where streams were merged.
    parents: Vec<Parent>,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: ?Sized, V: ?Sized> Clone for Stream<K, V> {
    fn clone(&self) -> Self {
        Self {
            drawing: self.drawing.clone(),
            sub_topology: self.sub_topology,
            parents: self.parents.clone(),
            types: PhantomData,
        }
    }
}

impl<K: Data + ?Sized, V: Data + ?Sized> Stream<K, V> {
    pub(super) fn of(drawing: Drawing, sub_topology: usize, parents: Vec<Parent>) -> Self {
        Self { drawing, sub_topology, parents, types: PhantomData }
    }

    /// Gives the node that this stream comes from a name of its own. Nothing that is kept depends on the names of
    /// nodes: they are for people.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        if let [parent] = self.parents[..] {
            self.drawing.rename(self.sub_topology, parent.node, name.into());
        }
        self
    }

    /// The records that the predicate holds of.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn filter(&self, keep: impl Fn(&Record<'_, K, V>) -> bool + Send + Sync + 'static) -> Stream<K, V> {
        let keep = Arc::new(keep);
        let kept = self.plain("filter", move || {
            let keep = Arc::clone(&keep);
            Filter::new(move |record: &Record<'_, K, V>| keep(record))
        });
        kept.keeping_keys()
    }

    /// The records that the predicate does not hold of.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn filter_not(&self, drop: impl Fn(&Record<'_, K, V>) -> bool + Send + Sync + 'static) -> Stream<K, V> {
        self.filter(move |record| !drop(record))
    }

    /// Another key and value for each record, with the same time and headers.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn map<K2: 'static, V2: 'static>(
        &self,
        map: impl Fn(&Record<'_, K, V>) -> (K2, V2) + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        self.try_map(move |record| Ok(map(record)))
    }

    /// As [`Stream::map`], of a function that can fail: its error stops the task as a processor's does.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn try_map<K2: 'static, V2: 'static>(
        &self,
        map: impl Fn(&Record<'_, K, V>) -> processor::Result<(K2, V2)> + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        let map = Arc::new(map);
        self.plain("map", move || {
            let map = Arc::clone(&map);
            Map::<_, K, V, K2, V2>::new(move |record| {
                map(record).map(|(key, value)| record.with(Some(key), Some(value)))
            })
        })
    }

    /// Another value for each record that has one. A tombstone stays a tombstone.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn map_values<V2: 'static>(&self, map: impl Fn(&V::Item<'_>) -> V2 + Send + Sync + 'static) -> Stream<K, V2>
    where
        for<'a> K::Item<'a>: Clone,
    {
        self.try_map_values(move |value| Ok(map(value)))
    }

    /// As [`Stream::map_values`], of a function that can fail.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn try_map_values<V2: 'static>(
        &self,
        map: impl Fn(&V::Item<'_>) -> processor::Result<V2> + Send + Sync + 'static,
    ) -> Stream<K, V2>
    where
        for<'a> K::Item<'a>: Clone,
    {
        let map = Arc::new(map);
        let mapped = self.plain("map-values", move || {
            let map = Arc::clone(&map);
            Map::<_, K, V, K, V2>::new(move |record| {
                let value = record.value.as_ref().map(|value| map(value)).transpose()?;
                Ok(record.with(record.key.clone(), value))
            })
        });
        mapped.keeping_keys()
    }

    /// Any number of records for each: what the function emits. It may emit what it borrows from the record.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn flat_map<K2: Data + ?Sized, V2: Data + ?Sized>(
        &self,
        map: impl for<'r, 'a> Fn(&'r Record<'a, K, V>, &mut Emit<'_, 'a, K2, V2>) + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        let map = Arc::new(map);
        self.plain("flat-map", move || {
            let map = Arc::clone(&map);
            FlatMap::<_, K, V, K2, V2>::new(move |record, out| map(record, out))
        })
    }

    /// Calls a function for each record, for its effect outside: no transaction takes that back, and after a failure a
    /// record comes again.
    pub fn for_each(&self, act: impl Fn(&Record<'_, K, V>) -> processor::Result + Send + Sync + 'static) {
        let act = Arc::new(act);
        self.plain("for-each", move || {
            let act = Arc::clone(&act);
            ForEach::new(move |record: &Record<'_, K, V>| act(record))
        });
    }

    /// This stream's records and another's of the same types and sub-topology.
    #[must_use = "nothing reads what comes of it: draw on, as with a sink"]
    pub fn merge(&self, other: &Stream<K, V>) -> Stream<K, V> {
        let mut merged = self.clone();
        let others = other.parents_in(&self.drawing, self.sub_topology, "a merged stream");
        merged.parents.extend(others.iter().filter(|parent| !self.parents.contains(parent)));
        merged
    }

    /// Keeps a value for each key in a store, and forwards it whenever it changes: what the function makes of the value
    /// so far and the record. `None` deletes it. Records without a key are passed over.
    ///
    /// Nothing is repartitioned for it: behind what changes keys it works within each partition of the input. So
    /// [`repartition`](Self::repartition) first, unless each new key has the old one in it.
    pub fn aggregate<A>(
        &self,
        values: &Store<K, A>,
        fold: impl Fn(Option<A>, &Record<'_, K, V>) -> Option<A> + Send + Sync + 'static,
    ) -> Stream<K, A>
    where
        A: Codec + for<'a> Data<Item<'a> = A>,
        K: Codec,
        for<'a> K::Item<'a>: Clone,
    {
        self.drawing.require_changelog(values);
        let fold = Arc::new(fold);
        let name = self.operation("aggregate");
        let folded = self.builder(name, false).with_store(values).supply_plain(move |values| {
            let fold = Arc::clone(&fold);
            Aggregate::new(values, move |value: Option<A>, record: &Record<'_, K, V>| fold(value, record))
        });
        folded.keeping_keys()
    }

    /// Counts the records of each key in a store, and forwards each new count. Records without a key are passed over.
    /// As with [`aggregate`](Self::aggregate), nothing is repartitioned for it.
    pub fn count(&self, counts: &Store<K, i64>) -> Stream<K, i64>
    where
        K: Codec,
        for<'a> K::Item<'a>: Clone,
    {
        self.aggregate(counts, |count, _| Some(count.unwrap_or(0) + 1))
    }

    /// A function with a context: for all that the others cannot say. What it captures each task begins with anew, as
    /// with a processor's fields; with stores, see [`ProcessorBuilder::process_fn`].
    pub fn process_fn<K2: Data + ?Sized, V2: Data + ?Sized>(
        &self,
        mut process: impl FnMut(&Record<'_, K, V>, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Stream<K2, V2> {
        let name = self.operation("process");
        self.builder(name, false).process_fn(move |record, (), context| process(record, context))
    }

    /// Begins a processor that reads this stream.
    pub fn processor(&self, name: impl Into<String>) -> ProcessorBuilder<K, V, ()> {
        self.builder(name.into(), true)
    }

    /// As [`Stream::processor`], of one that has a store.
    pub fn with_store<SK: Codec + ?Sized, SV: Codec + ?Sized>(
        &self,
        store: &Store<SK, SV>,
    ) -> ProcessorBuilder<K, V, One<Store<SK, SV>>> {
        let name = self.operation("process");
        self.builder(name, false).with_store(store)
    }

    /// Writes the stream to a topic, with keys partitioned as Java's clients do. The node is called `to-<topic>`.
    pub fn sink(&self, topic: impl Into<Topic>) -> Sink<K, V, Only>
    where
        K: Codec,
        V: Codec,
    {
        let topic = topic.into();
        let name = format!("to-{}", topic.name());
        Sink::draw(self.drawing.clone(), self.sub_topology, self.parents.clone(), &name, vec![topic], Only)
    }

    /// Writes the stream to a repartition topic, on which each record comes to the task of its key: a sub-topology
    /// reads it with [`SubTopology::source_of`](super::SubTopology::source_of). A record without a key comes to any.
    /// The node is called `to-<name>`.
    pub fn repartition(&self, topic: &Repartition<K, V>) -> Sink<K, V, Only>
    where
        K: Codec,
        V: Codec,
    {
        self.drawing.use_repartition(topic);
        self.sink(topic.topic())
    }

    /// Writes each record to one of these topics: the function says which, as its place among them. All must be named
    /// here, since topics are made and checked before anything runs.
    ///
    /// ```
    /// # use topology::graph::Builder;
    /// # use topology::test_driver::TestDriver;
    /// let builder = Builder::new();
    /// let orders = builder.sub_topology("sorting").source::<str, i64>("orders");
    /// orders.sink_choosing(["small", "large"], |record| usize::from(record.value >= Some(100)));
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # driver.input::<str, i64>("orders").pipe("tea", 100)?;
    /// # driver.commit()?;
    /// # assert_eq!((driver.read("small").len(), driver.read("large").len()), (0, 1));
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn sink_choosing<F>(
        &self,
        topics: impl IntoIterator<Item = impl Into<Topic>>,
        choose: F,
    ) -> Sink<K, V, Arc<Choose<F>>>
    where
        F: Fn(&Record<'_, K, V>) -> usize + Send + Sync + 'static,
        K: Codec,
        V: Codec,
    {
        let topics = topics.into_iter().map(Into::into).collect();
        let (name, route) = (self.operation("sink"), Arc::new(Choose(choose)));
        Sink::draw(self.drawing.clone(), self.sub_topology, self.parents.clone(), &name, topics, route)
    }

    /// A name for a node that does this with the stream.
    fn operation(&self, operation: &str) -> String {
        let (sub_topology, parents) = (self.sub_topology, &self.parents);
        let parent = self.drawing.change(sub_topology, |spec| {
            parents
                .first()
                .and_then(|parent| spec.nodes.get(parent.node))
                .map(|node| origin(&spec.nodes, node).to_owned())
        });
        self.drawing.free_name(&format!("{}-{operation}", parent.unwrap_or_default()))
    }

    fn builder(&self, name: String, has_own_name: bool) -> ProcessorBuilder<K, V, ()> {
        ProcessorBuilder::new(self.drawing.clone(), self.sub_topology, self.parents.clone(), name, has_own_name)
    }

    fn plain<P>(&self, operation: &str, make: impl Fn() -> P + Send + Sync + 'static) -> Stream<P::KeyOut, P::ValueOut>
    where
        P: Processor<Key = K, Value = V>,
    {
        let name = self.operation(operation);
        self.builder(name, false).supply_plain(move |()| make())
    }

    /// Of a node that hands on, and keeps, what comes of a record under the record's own key.
    fn keeping_keys(self) -> Self {
        self.parents.iter().for_each(|parent| self.drawing.keep_keys(self.sub_topology, parent.node));
        self
    }

    /// Where it comes out, for a node of this sub-topology; a mistake where it is of another.
    pub(super) fn parents_in(&self, drawing: &Drawing, sub_topology: usize, what: &str) -> Vec<Parent> {
        match self.misplaced(drawing, sub_topology, what) {
            None => self.parents.clone(),
            Some(mistake) => {
                drawing.mistake(mistake);
                Vec::new()
            }
        }
    }

    fn misplaced(&self, drawing: &Drawing, sub_topology: usize, what: &str) -> Option<String> {
        if !self.drawing.is(drawing) {
            return Some(format!("{what} is of another builder: draw one graph with one builder"));
        }
        let name = |index| drawing.change(index, |spec| spec.name.clone());
        let (from, to) = (name(self.sub_topology), name(sub_topology));
        (self.sub_topology != sub_topology)
            .then(|| format!("{what} of sub-topology '{from}' is used in sub-topology '{to}': connect them by a topic"))
    }
}
