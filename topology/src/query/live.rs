//! A store as it is committed now, over the tasks that are here: which of them has a key.
//!
//! ```text
//! how keys are partitioned         tasks asked, one after the other                  nothing found in them
//! the graph knows: by key          where the log's default partitioner puts the key  no value; or: that one is absent
//! partitioned_like_input           the same                                          no value; or: that one is absent
//! partitioned_by                   where the function says                           no value; or: that one is absent
//! not said                         where the log's default partitioner puts the key, no value, if all are here;
//!                                  then all others that are here                     else: undecided, others may have it
//! ```
//! A store's keys need not be those of its input, and producers may partition as they like: so where nothing is said a
//! value that is here is found wherever it is, and that there is none is certain only where all tasks are here. The
//! graph knows where keys are that come from a topic partitioned by key, and stay as they are
//! ([`Topic::partitioned_by_key`](crate::graph::Topic::partitioned_by_key),
//! [`Repartition`](crate::graph::Repartition)).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entries::Part;
use super::error::Result;
use super::key_value::Source;
use super::registry::{Readable, Registry};
use super::snapshot::Snapshot;
use crate::codec::Data;
use crate::log::partition_for_key;
use crate::store::{Direction, Value};
use crate::task::TaskId;

/// A store's entries as committed last, in all tasks that are here. A [`Source`] of [`KeyValue`](super::KeyValue).
pub struct Live<K: Data + ?Sized> {
    registry: Arc<Registry>,
    sub_topology: usize,
    store: usize,
    partitioning: Partitioning<K>,
    with_standbys: bool,
}

/// Says in which partition a key is, of so many.
type Partition<K> = dyn Fn(&<K as Data>::Item<'_>, i32) -> i32 + Send + Sync;

enum Partitioning<K: Data + ?Sized> {
    Unknown,
    ByKey,
    By(Arc<Partition<K>>),
}

impl<K: Data + ?Sized> Clone for Partitioning<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::ByKey => Self::ByKey,
            Self::By(partition) => Self::By(Arc::clone(partition)),
        }
    }
}

impl<K: Data + ?Sized> Clone for Live<K> {
    fn clone(&self) -> Self {
        let Self { sub_topology, store, with_standbys, .. } = *self;
        let (registry, partitioning) = (Arc::clone(&self.registry), self.partitioning.clone());
        Self { registry, sub_topology, store, partitioning, with_standbys }
    }
}

impl<K: Data + ?Sized> Live<K> {
    pub(super) fn new(registry: &Arc<Registry>, store: &str) -> Result<Self> {
        let (sub_topology, store) = registry.store(store)?;
        let is_by_key = registry.is_by_key(sub_topology, store);
        let partitioning = if is_by_key { Partitioning::ByKey } else { Partitioning::Unknown };
        Ok(Self { registry: Arc::clone(registry), sub_topology, store, partitioning, with_standbys: false })
    }

    pub(super) fn with_standbys(self) -> Self {
        Self { with_standbys: true, ..self }
    }

    pub(super) fn partitioned_like_input(self) -> Self {
        Self { partitioning: Partitioning::ByKey, ..self }
    }

    pub(super) fn partitioned_by(self, partition: impl Fn(&K::Item<'_>, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioning: Partitioning::By(Arc::new(partition)), ..self }
    }

    /// The partition that a key is in, or would be by default. `None`: it is not known yet how many there are.
    fn partition(&self, key: &K::Item<'_>, bytes: &[u8]) -> Option<i32> {
        let count = self.registry.partition_count(self.sub_topology)?;
        match &self.partitioning {
            Partitioning::By(partition) => Some(partition(key, count)),
            Partitioning::Unknown | Partitioning::ByKey => {
                i32::try_from(partition_for_key(bytes, usize::try_from(count).ok()?)?).ok()
            }
        }
    }

    pub(super) fn task_for(&self, key: &K::Item<'_>, bytes: &[u8]) -> Option<TaskId> {
        let partition = self.partition(key, bytes)?;
        Some(self.registry.task(self.sub_topology, partition))
    }

    pub(super) fn snapshot_for(&self, key: &K::Item<'_>, bytes: &[u8]) -> Result<Snapshot> {
        let at = match &self.partitioning {
            Partitioning::Unknown => self.search(key, bytes)?.map(|(at, _)| at),
            Partitioning::ByKey | Partitioning::By(_) => None,
        };
        // One that is nowhere would come to its home.
        let partition = at.map_or_else(|| self.home(key, bytes), Ok)?;
        match self.registry.find(self.sub_topology, partition, self.with_standbys) {
            Some(readable) => Snapshot::of(Arc::clone(&self.registry), readable),
            None => Err(self.registry.absent(self.sub_topology, partition)),
        }
    }

    pub(super) fn snapshots(&self, direction: Direction) -> Result<Vec<Snapshot>> {
        let tasks = self.tasks(direction)?.into_iter();
        tasks.map(|readable| Snapshot::of(Arc::clone(&self.registry), readable)).collect()
    }

    /// The tasks that are here, by partition; an error where none is.
    fn tasks(&self, direction: Direction) -> Result<Vec<Arc<Readable>>> {
        let tables = self.registry.tables();
        let tasks = tables.get(self.sub_topology).into_iter().flat_map(|table| table.values());
        let mut tasks: Vec<Arc<Readable>> = tasks.filter(|readable| self.asks(readable)).cloned().collect();
        if tasks.is_empty() {
            return Err(self.registry.all_absent(self.sub_topology));
        }
        if direction == Direction::Reverse {
            tasks.reverse();
        }
        Ok(tasks)
    }

    fn asks(&self, readable: &Readable) -> bool {
        self.with_standbys || readable.is_active()
    }

    fn value_in(&self, readable: &Readable, key: &[u8]) -> Result<Option<Value>> {
        readable.read(|reader| reader.get(self.store, key))
    }

    /// As [`Live::partition`]; an error before it is known how many there are.
    fn home(&self, key: &K::Item<'_>, bytes: &[u8]) -> Result<i32> {
        self.partition(key, bytes).ok_or_else(|| self.registry.all_absent(self.sub_topology))
    }

    /// The value of a key, and in which partition's task it is; `None` where it is certain that there is none.
    fn search(&self, key: &K::Item<'_>, bytes: &[u8]) -> Result<Option<(i32, Value)>> {
        let home = self.home(key, bytes)?;
        let tables = self.registry.tables();
        let Some(table) = tables.get(self.sub_topology) else { return Ok(None) };
        let at_home = table.get(&home).filter(|readable| self.asks(readable));
        if let Some(readable) = at_home
            && let Some(found) = self.value_in(readable, bytes)?
        {
            return Ok(Some((home, found)));
        }
        match self.registry.partition_count(self.sub_topology) {
            Some(count) if count > 1 && matches!(self.partitioning, Partitioning::Unknown) => {
                self.search_others(home, count, table, bytes)
            }
            _ if at_home.is_some() => Ok(None),
            _ => Err(self.registry.absent(self.sub_topology, home)),
        }
    }

    /// The same, behind a search at home. That there is none is certain where all tasks are here.
    fn search_others(
        &self,
        home: i32,
        count: i32,
        table: &BTreeMap<i32, Arc<Readable>>,
        key: &[u8],
    ) -> Result<Option<(i32, Value)>> {
        for (at, readable) in table.iter().filter(|(at, readable)| **at != home && self.asks(readable)) {
            if let Some(found) = self.value_in(readable, key)? {
                return Ok(Some((*at, found)));
            }
        }
        let was_asked = |at: &i32| table.get(at).is_some_and(|readable| self.asks(readable));
        match (0..count).all(|at| was_asked(&at)) {
            true => Ok(None),
            false => Err(self.registry.undecided(self.sub_topology, (0..count).filter(|at| !was_asked(at)))),
        }
    }
}

impl<K: Data + ?Sized> Source<K> for Live<K> {
    fn value(&self, key: &K::Item<'_>, bytes: &[u8]) -> Result<Option<Value>> {
        Ok(self.search(key, bytes)?.map(|(_, found)| found))
    }

    fn parts(&self, direction: Direction) -> Result<Vec<Part>> {
        self.tasks(direction)?.into_iter().map(|readable| Part::of(readable, self.store)).collect()
    }
}
