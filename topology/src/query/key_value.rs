//! A store to be read, typed.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::entries::{Entries, Part, Within};
use super::error::Result;
use super::fixed::Fixed;
use super::live::Live;
use super::registry::Registry;
use super::snapshot::Snapshot;
use super::typed::Typed;
use crate::codec::{Codec, Data};
use crate::graph::Store;
use crate::log::{Offset, TopicPartition};
use crate::store::{Direction, Value};

/// A key-value store, read-only: what is committed in it, never what is not. Cheap to clone, for any thread; reading it
/// neither stops the stream thread nor waits for it, and waits for no network.
///
/// By its source it is of now ([`Live`]; from [`Client::store`](crate::client::Client::store)), where each call sees
/// the last commit, or of one commit ([`Fixed`]; from [`Snapshot::store`]).
///
/// ```
/// # use std::sync::Arc;
/// # use topology::client::{Client, Config};
/// # use topology::graph::{Builder, Store, Topic};
/// # use topology::log::memory::MemoryLog;
/// # use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};
/// use topology::store::Direction;
///
/// # fn main() -> topology::Result<()> {
/// let words = Store::<str, i64>::rocksdb("counts");
/// # let builder = Builder::new();
/// builder.sub_topology("counting").source::<str, ()>("words").count(&words).sink("totals");
/// # let (topology, log) = (builder.build()?, MemoryLog::new(Arc::new(|| 0)));
/// # log.create_topics(&[TopicSpec { name: "words".to_owned(), partition_count: 1, replication_factor: None, config: Vec::new() }])?;
/// # let mut producer = log.producer(&ProducerOptions {
/// #     transactional_id: "producer".to_owned(), transaction_timeout_ms: 10_000, client_id: "p".to_owned(), track_topics: Vec::new(),
/// # })?;
/// # let timeout = std::time::Duration::from_secs(10);
/// # producer.init_transactions(timeout)?;
/// # producer.begin()?;
/// # for key in ["tea", "milk", "tea", "sugar"] {
/// #     producer.send(&ProducerRecord { topic: "words", partition: None, timestamp_ms: 0, key: Some(key.as_bytes()), value: Some(&[]), headers: &[] })?;
/// # }
/// # producer.commit(timeout)?;
/// let client = Client::start_blocking(&topology, log, Config::new("app"))?;
/// let counts = client.store(&words)?;
/// // Until the task is here and has committed: somebody else would answer "try again".
/// while counts.get(&"tea") != Ok(Some(2)) {
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// }
///
/// let mut entries = counts.all(Direction::Forward)?;
/// let mut found = Vec::new();
/// while let Some(entry) = entries.next_entry()? {
///     found.push((entry.key.to_owned(), entry.value));
/// }
/// assert_eq!(found, [("milk".to_owned(), 1), ("sugar".to_owned(), 1), ("tea".to_owned(), 2)]);
///
/// // Several questions to one commit, and how far that has read.
/// let snapshot = counts.snapshot_for(&"tea")?;
/// assert_eq!(snapshot.store(&words)?.get(&"tea")?, Some(2));
/// assert_eq!(snapshot.position()[0].0.topic, "words");
/// # Ok(())
/// # }
/// ```
pub struct KeyValue<K: Data + ?Sized, V: Data + ?Sized, S = Live<K>> {
    typed: Typed<K, V>,
    source: S,
}

/// Where a [`KeyValue`] finds its entries: [`Live`] or [`Fixed`].
pub trait Source<K: Data + ?Sized>: Clone {
    /// The value of a key, which is also given as bytes.
    #[doc(hidden)]
    fn value(&self, key: &K::Item<'_>, bytes: &[u8]) -> Result<Option<Value>>;

    /// All its parts, one after the other, in this direction.
    #[doc(hidden)]
    fn parts(&self, direction: Direction) -> Result<Vec<Part>>;
}

impl<K: Data + ?Sized, V: Data + ?Sized, S: Clone> Clone for KeyValue<K, V, S> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone(), source: self.source.clone() }
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized, S> fmt::Debug for KeyValue<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue").field("name", &self.typed.name()).finish_non_exhaustive()
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> KeyValue<K, V> {
    pub(super) fn live(registry: &Arc<Registry>, store: &Store<K, V>) -> Result<Self> {
        Ok(Self { typed: Typed::new(store.name()), source: Live::new(registry, store.name())? })
    }

    /// Also asks standbys, which lag behind: where a task does not run here, and its stores are kept warm here.
    /// [`Queries::tasks`](super::Queries::tasks) and [`Snapshot::role`] tell by how much.
    #[must_use]
    pub fn with_standbys(self) -> Self {
        Self { source: self.source.with_standbys(), ..self }
    }

    /// Says that a key's entry is in the task of the partition where the log's default partitioner (murmur2, as Java's
    /// clients) puts a record of that key, as it is where the store's keys are those of its input and producers
    /// partition like that. Then no other task is asked, and "no value" is answered where that one is here. Of what is
    /// counted or aggregated from a [`Repartition`](crate::graph::Repartition), or from a topic that the graph says it
    /// of ([`Topic::partitioned_by_key`](crate::graph::Topic::partitioned_by_key)), it is known without this.
    #[must_use]
    pub fn partitioned_like_input(self) -> Self {
        Self { source: self.source.partitioned_like_input(), ..self }
    }

    /// Says in which partition's task a key's entry is, of as many as there are. Then no other task is asked.
    #[must_use]
    pub fn partitioned_by(self, partition: impl Fn(&K::Item<'_>, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { source: self.source.partitioned_by(partition), ..self }
    }

    /// Which task a key belongs to, by the partitioner; whether it is here is not asked. `None` until the instance
    /// knows how many partitions there are. Where nothing says how keys are partitioned it is the first one to ask: the
    /// default partitioner's.
    pub fn task_for(&self, key: &K::Item<'_>) -> Result<Option<super::TaskId>> {
        Ok(self.source.task_for(key, &self.typed.key_bytes(key)?))
    }

    /// All stores of the task that a key belongs to, at its last commit. Where nothing says how keys are partitioned it
    /// is the task that has a value for it; if none has, and not all tasks are here,
    /// [`Error::Undecided`](super::Error::Undecided).
    pub fn snapshot_for(&self, key: &K::Item<'_>) -> Result<Snapshot> {
        self.source.snapshot_for(key, &self.typed.key_bytes(key)?)
    }

    /// All stores of each task of this store's sub-topology that is here, at its last commit, by partition. An error
    /// where none is.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.source.snapshots(Direction::Forward)
    }

    /// How far the tasks of this store's sub-topology that are here have taken their inputs: of each the offset of the
    /// next record. What is asked afterwards takes all before that into account, at least; [`Snapshot::position`] says
    /// it exactly. An error where no task is here.
    pub fn position(&self) -> Result<Vec<(TopicPartition, Offset)>> {
        let snapshots = self.snapshots()?;
        Ok(snapshots.iter().flat_map(Snapshot::position).cloned().collect())
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> KeyValue<K, V, Fixed> {
    pub(super) fn fixed(store: &Store<K, V>, source: Fixed) -> Self {
        Self { typed: Typed::new(store.name()), source }
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized, S: Source<K>> KeyValue<K, V, S> {
    /// The value of a key, where values do not borrow: numbers, JSON. "No value" is certain: where a task that is not
    /// here may have the key this is an error, which names those who can be asked.
    pub fn get<T>(&self, key: &K::Item<'_>) -> Result<Option<T>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        Ok(self.get_timed(key)?.map(|(value, _)| value))
    }

    /// The value of a key with the event time that it was put with, ms since 1970; -1: it was put without one.
    pub fn get_timed<T>(&self, key: &K::Item<'_>) -> Result<Option<(T, i64)>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        let Some(found) = self.source.value(key, &self.typed.key_bytes(key)?)? else { return Ok(None) };
        Ok(Some((self.typed.value(&found.value)?, found.time_ms)))
    }

    /// Shows `read` the value of a key, borrowed.
    pub fn get_with<R>(&self, key: &K::Item<'_>, read: impl FnOnce(Option<V::Item<'_>>) -> R) -> Result<R> {
        let found = self.source.value(key, &self.typed.key_bytes(key)?)?;
        Ok(read(found.as_ref().map(|found| self.typed.value(&found.value)).transpose()?))
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &K::Item<'_>) -> Result<bool> {
        Ok(self.source.value(key, &self.typed.key_bytes(key)?)?.is_some())
    }

    /// All entries: of one task after the other, by partition, and of each task in the order of the keys' bytes, or all
    /// of that in reverse. What each task shows is of one commit.
    pub fn all(&self, direction: Direction) -> Result<Entries<K, V>> {
        self.entries(Within::all(), direction)
    }

    /// As [`KeyValue::all`], the entries within bounds.
    pub fn range(
        &self,
        start: Bound<&K::Item<'_>>,
        end: Bound<&K::Item<'_>>,
        direction: Direction,
    ) -> Result<Entries<K, V>> {
        self.entries(Within { start: self.typed.bound(start)?, end: self.typed.bound(end)? }, direction)
    }

    /// As [`KeyValue::all`], the entries whose keys' bytes begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8], direction: Direction) -> Result<Entries<K, V>> {
        self.entries(Within::prefix(prefix), direction)
    }

    fn entries(&self, within: Within, direction: Direction) -> Result<Entries<K, V>> {
        Ok(Entries::new(self.typed.clone(), self.source.parts(direction)?, within, direction))
    }
}
