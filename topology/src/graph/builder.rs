//! Drawing a graph with typed handles.

use std::cell::RefCell;
use std::sync::Arc;

use crate::codec::{Codec, Data};
use crate::error::Result;
use crate::processor::{Handlers, ProcessingError, ProductionError, Reaction, Record, Timestamp};

use super::drawing::Drawing;
use super::stream::Stream;
use super::{Kind, Node, Output, Parent, Pattern, Repartition, Topics, Topology, check, instance, order};

/// Draws a graph. Mistakes are collected and reported together by [`Builder::build`].
#[derive(Default)]
pub struct Builder {
    drawing: Drawing,
    handlers: RefCell<Handlers>,
}

impl Builder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a sub-topology: what runs as one task per partition of the topics that it reads. The name is part of its
    /// tasks' ids and so of state directories; changing it leaves the old state behind.
    pub fn sub_topology(&self, name: impl Into<String>) -> SubTopology {
        SubTopology { drawing: self.drawing.clone(), index: self.drawing.add_sub_topology(name.into()) }
    }

    /// Says what becomes of a record on which a processor fails: with an error of the user's own, one of class input,
    /// or by handing on what cannot be encoded. Without a handler, and where it says [`Reaction::Fail`], the thread
    /// stops.
    ///
    /// Before the handler is asked, all that the record did in its task is undone: outputs, store writes, dead letters,
    /// and what was held or suspended. Fields of processors, schedules and effects outside are not: a processor changes
    /// its fields after what can fail. A task that holds input
    /// ([`Context::hold_from`](crate::processor::Context::hold_from)) stops all the same. Errors that are not the
    /// record's fault, such as those of stores and logs, never come here, nor do those of punctuations and commits,
    /// which belong to no record. With a handler records are processed one by one, also where a processor takes
    /// batches.
    ///
    /// ```
    /// use topology::graph::Builder;
    /// use topology::processor::Reaction;
    /// use topology::test_driver::TestDriver;
    ///
    /// let builder = Builder::new();
    /// builder.on_processing_error(|_| Reaction::DeadLetter);
    /// let prices = builder.sub_topology("reading").source::<str, str>("prices");
    /// prices.try_map_values(|price| Ok(price.parse::<i64>()?)).sink("numbers");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.input::<str, str>("prices").pipe("tea", "much")?;
    /// driver.input::<str, str>("prices").pipe("tea", "7")?;
    /// driver.commit()?;
    /// assert_eq!(driver.output::<str, i64>("numbers").read()?, [(Some("tea"), Some(7))]);
    /// assert_eq!(driver.output::<str, str>("prices-dead-letters").read()?, [(Some("tea"), Some("much"))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn on_processing_error(&self, handler: impl Fn(&ProcessingError<'_>) -> Reaction + Send + Sync + 'static) {
        self.handlers.borrow_mut().processing = Some(Arc::new(handler));
    }

    /// Says what becomes of a sink's record that its topic would refuse: because it is larger than the topic's
    /// `max.message.bytes`, or because its time is too far from the clock. That is found out before it is sent, from
    /// the settings that the topic had when the run began, so the transaction goes on without it. Without a handler,
    /// and where it says [`Reaction::Fail`], the thread stops.
    ///
    /// As a dead letter the record is kept among those of the input that caused it, cut to what that topic takes, with
    /// the header [`HEADER_TARGET`](crate::processor::HEADER_TARGET). A topic that refuses a record all the same,
    /// because it was changed meanwhile or its broker's clock differs, stops the thread; a new start knows better.
    ///
    /// ```
    /// use topology::graph::{Builder, Topic};
    /// use topology::processor::Reaction;
    /// use topology::test_driver::TestDriver;
    ///
    /// let builder = Builder::new();
    /// builder.on_production_error(|error| if error.topic == "short" { Reaction::GoOn } else { Reaction::Fail });
    /// let texts = builder.sub_topology("copying").source::<str, str>("texts");
    /// texts.sink(Topic::new("short").config("max.message.bytes", "200"));
    ///
    /// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.input::<str, str>("texts").pipe("one", &"long".repeat(100))?;
    /// driver.input::<str, str>("texts").pipe("two", "short")?;
    /// driver.commit()?;
    /// assert_eq!(driver.output::<str, str>("short").read()?, [(Some("two"), Some("short"))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn on_production_error(&self, handler: impl Fn(&ProductionError<'_>) -> Reaction + Send + Sync + 'static) {
        self.handlers.borrow_mut().production = Some(Arc::new(handler));
    }

    /// Checks the graph. The error names every mistake, one a line. What depends on the topics that are there is
    /// checked when a run starts.
    ///
    /// Sub-topologies are put in the order in which records pass through them, as far as they do not feed each other in
    /// a circle.
    pub fn build(self) -> Result<Topology> {
        let mut drawn = self.drawing.take();
        for sub_topology in &mut drawn.sub_topologies {
            sub_topology.stores.sort_by(|a, b| a.name.cmp(&b.name));
        }
        check::check(&mut drawn.sub_topologies, drawn.mistakes)?;
        let sub_topologies = Arc::new(order::sorted(drawn.sub_topologies));
        let topology = Topology { sub_topologies, handlers: self.handlers.into_inner() };
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
    /// Gives the sub-topology a producer of its own under this transactional id. The instance that takes the task over
    /// fences the predecessor, wherever it runs and whatever its application id.
    ///
    /// So there is one task, and the topics that it reads must have one partition each: what lies in several is brought
    /// into one by a [`Repartition`] topic.
    pub fn single_writer(&self, transactional_id: impl Into<String>) {
        self.drawing.change(self.index, |spec| spec.single_writer = Some(transactional_id.into()));
    }

    /// Reads a topic, or several, or all that match a [`Pattern`]. What cannot be decoded becomes a dead letter, in
    /// `<topic>-dead-letters`. The node is called as the first topic is.
    ///
    /// All topics that a sub-topology reads, by this source and by others, must have the same number of partitions: its
    /// task number `p` reads partition `p` of each. Their records come in the order of their timestamps, as far as they
    /// are there (see [`max_task_idle_ms`](crate::client::Config::max_task_idle_ms)); of equal ones that of the topic
    /// named first comes first.
    pub fn source<K: Codec + ?Sized, V: Codec + ?Sized>(&self, topics: impl Into<Topics>) -> Stream<K, V> {
        self.draw_source(topics.into(), None)
    }

    /// As [`SubTopology::source`], with the event time of each record, in ms since 1970, told by a function of it
    /// instead of its timestamp. Stream time, the order of several inputs, punctuations, store values and what is
    /// forwarded go by it, and so does the timestamp that a dead letter tells. The function is called whenever a record
    /// arrives, also a second time, so it must depend on the record alone.
    ///
    /// A negative time is none: the record is one that cannot be processed
    /// ([`Builder::on_processing_error`]).
    ///
    /// ```
    /// use topology::codec::Json;
    /// use topology::graph::Builder;
    /// use topology::test_driver::TestDriver;
    ///
    /// #[derive(serde::Deserialize, serde::Serialize)]
    /// struct Order {
    ///     placed_ms: i64,
    /// }
    ///
    /// let builder = Builder::new();
    /// builder
    ///     .sub_topology("copying")
    ///     .source_with_time::<str, Json<Order>>("orders", |record| {
    ///         record.value.as_ref().map_or(record.timestamp_ms, |order| order.placed_ms)
    ///     })
    ///     .sink("copies");
    /// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.pipe("orders", None, Some(br#"{"placed_ms":7}"#), 1_000)?;
    /// driver.commit()?;
    /// assert_eq!(driver.read("copies")[0].timestamp_ms, 7);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn source_with_time<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        topics: impl Into<Topics>,
        time: impl Fn(&Record<'_, K, V>) -> i64 + Send + Sync + 'static,
    ) -> Stream<K, V> {
        self.draw_source(topics.into(), Some(Arc::new(time)))
    }

    /// Reads a repartition topic, which this or another sub-topology writes ([`Stream::repartition`]). All else is as
    /// with [`SubTopology::source`], to which it is a topic as others.
    pub fn source_of<K: Codec + ?Sized, V: Codec + ?Sized>(&self, topic: &Repartition<K, V>) -> Stream<K, V> {
        self.drawing.use_repartition(topic);
        self.draw_source(topic.topic().into(), None)
    }

    fn draw_source<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        Topics { topics, pattern }: Topics,
        timestamp: Option<Timestamp<K, V>>,
    ) -> Stream<K, V> {
        let name = self.drawing.free_name(match (topics.first(), &pattern) {
            (Some(topic), _) => topic.name(),
            (None, Some(_)) => "pattern",
            (None, None) => "source",
        });
        let make = instance::make_source::<K, V>(timestamp);
        if let Some(mistake) = pattern.as_ref().and_then(Pattern::mistake) {
            self.drawing.mistake(mistake);
        }
        let kind = Kind::Source { topics, pattern };
        let node = self.drawing.add(self.index, Node { name, kind, inputs: Vec::new(), make });
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
