//! Repartition topics: on them records move to the task of their key.

use std::marker::PhantomData;

use super::Topic;
use super::store::next_id;
use crate::log::{ANY_TIME, TIMESTAMP_BOUNDS};

/// A topic of the application's own between two sub-topologies: one writes it, the other reads it. There all records of
/// a key are in one partition, and so come to one task, whatever partitions they were read from.
///
/// Its name is mandatory, its types are its codecs. On the log it is called `<application id>-<name>-repartition`
/// ([`repartition_topic`](super::repartition_topic)). It is made when a run starts. Its records are kept until the
/// sub-topology that reads it has committed behind them, and are deleted then, now and again
/// ([`repartition_purge_interval_ms`](crate::client::Config::repartition_purge_interval_ms)).
///
/// ```
/// use topology::graph::{Builder, Repartition, Store};
/// use topology::test_driver::TestDriver;
///
/// let builder = Builder::new();
/// let by_word = Repartition::<str, ()>::new("by-word").partitions(3);
/// let lines = builder.sub_topology("splitting").source::<[u8], str>("lines");
/// lines
///     .flat_map::<str, ()>(|line, out| line.value.unwrap_or_default().split(' ').for_each(|word| out.emit(word, ())))
///     .repartition(&by_word);
/// let counts = Store::rocksdb("counts");
/// builder.sub_topology("counting").source_of(&by_word).count(&counts).sink("totals");
///
/// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
/// driver.input::<[u8], str>("lines").pipe(b"", "to be or not to be")?;
/// driver.commit()?; // the words are there
/// driver.commit()?; // they are counted, each by the task that has all of its kind
/// assert_eq!(driver.read("app-by-word-repartition").len(), 6);
/// let be = (0..3).filter_map(|partition| driver.store_of(&counts, partition).ok()?.get(&"be").ok()?);
/// assert_eq!(be.collect::<Vec<_>>(), [2]);
/// # Ok::<(), topology::Error>(())
/// ```
pub struct Repartition<K: ?Sized, V: ?Sized> {
    /// Unlike that of any other; clones are the same topic.
    pub(super) id: usize,
    topic: Topic,
    types: PhantomData<fn(&K, &V)>,
}

/// Nothing but a purge takes records out.
const MANDATORY: [(&str, &str); 2] = [("cleanup.policy", "delete"), ("retention.ms", "-1")];
/// Unless the application has other wishes: records keep their event times, whatever those are and whatever the
/// broker's clock says; and files are small, so that what was purged leaves the disk soon.
const DEFAULTS: [(&str, &str); 4] = [
    ("message.timestamp.type", "CreateTime"),
    (TIMESTAMP_BOUNDS[0], ANY_TIME),
    (TIMESTAMP_BOUNDS[1], ANY_TIME),
    ("segment.bytes", "52428800"),
];

impl<K: ?Sized, V: ?Sized> Repartition<K, V> {
    /// With as many partitions as the largest of the topics that the sub-topologies read which write it, or as those
    /// that are read beside it; one, where a single writer reads it. A topic that is there already keeps those that it
    /// has.
    pub fn new(name: impl Into<String>) -> Self {
        let topic = Topic::repartition(name.into());
        let topic = MANDATORY.into_iter().fold(topic, |topic, (name, value)| topic.config(name, value));
        Self { id: next_id(), topic, types: PhantomData }
    }

    /// With so many partitions: as many tasks read it. It cannot be changed while the topic is there, for the records
    /// of a key, and what is kept of it, would be in two partitions.
    #[must_use]
    pub fn partitions(self, count: i32) -> Self {
        Self { id: next_id(), topic: self.topic.partitions(count), ..self }
    }

    /// With a topic setting under Kafka's name, such as `max.message.bytes`, for when it is made. Another cleanup
    /// policy or retention time than its own is a mistake that [`Builder::build`](super::Builder::build) reports.
    #[must_use]
    pub fn config(self, name: &str, value: impl Into<String>) -> Self {
        Self { id: next_id(), topic: self.topic.config(name, value), ..self }
    }

    /// Its name in the graph.
    pub fn name(&self) -> &str {
        self.topic.name()
    }

    pub(super) fn topic(&self) -> Topic {
        let add = |topic: Topic, (name, value): (&str, &str)| match topic.setting(name) {
            None => topic.config(name, value),
            Some(_) => topic,
        };
        DEFAULTS.into_iter().fold(self.topic.clone(), add)
    }
}

impl<K: ?Sized, V: ?Sized> Clone for Repartition<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, topic: self.topic.clone(), types: PhantomData }
    }
}
