//! What is committed, for readers on other threads: they never stop the stream thread, and it never stops them.
//!
//! May use `segments`, `scan`, `chunk`, `backends`' bounds and `changelog`'s formats.

#[cfg(test)]
#[cfg(feature = "rocksdb")]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::log::{Offset, TopicPartition};
use crate::store::backends::{Bounds, Direction, no_such_store, prefix_end};
use crate::store::changelog::{Covered, Timed};
use crate::store::chunk::{self, Chunk};
use crate::store::error::{Error, Kind, Result};
use crate::store::scan::Scan;
use crate::store::segments::{Door, Layers, Look};

/// Reads the stores of one task, from any thread, for as long as the task is here. Cheap to clone. After the task's
/// stores were closed each call is an error of kind [`Kind::Closed`]: ask the instance that has the task now.
///
/// What a restore has not brought back yet is not there: ask only for tasks that run.
///
/// ```
/// use topology::store::{Medium, StoreOptions, Resources, Spec, Stores};
///
/// # let resources = Resources::without_thread(StoreOptions::default());
/// let specs = vec![Spec::new("counts", Medium::Memory)?];
/// let mut stores = Stores::in_memory(specs, [0; 32], &resources)?;
/// let reader = stores.reader();
/// stores.begin_changelog(0, [7; 16])?;
/// stores.put(0, b"apple", b"1")?;
///
/// let apples = || Ok(reader.get(0, b"apple")?.map(|found| found.value));
/// assert_eq!(apples()?, None, "nothing is committed yet");
/// stores.commit(&[(0, 2)], 1_000)?;
/// assert_eq!(std::thread::scope(|scope| scope.spawn(apples).join().unwrap())?, Some(b"1".to_vec()));
///
/// let view = reader.view()?; // stays as it is
/// stores.delete(0, b"apple")?;
/// stores.commit(&[(0, 3)], 2_000)?;
/// assert!(view.get(0, b"apple")?.is_some() && apples()?.is_none());
///
/// drop(stores);
/// assert!(apples().is_err() && view.get(0, b"apple").is_err());
/// # Ok::<(), topology::store::Error>(())
/// ```
#[derive(Clone)]
pub struct Reader {
    door: Arc<Door>,
    names: Arc<[String]>,
}

/// What one commit had made of all stores of a task. Commits that come later do not change it. Cheap to clone.
///
/// It keeps no stores open: when they are closed, its calls are errors of kind [`Kind::Closed`] from then on. Until it
/// is dropped it keeps what it shows: of stores in RocksDB, values that were replaced since, on the disk; of stores in
/// memory, the pages of 4 KiB that were replaced since; and what was committed and not yet written when it was made, at
/// most [`Budget::segment_bytes`](crate::store::Budget).
#[derive(Clone)]
pub struct View {
    look: Arc<Look>,
    names: Arc<[String]>,
}

/// A value, and the event time that it was put with, ms since 1970 (-1: none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// When what it says happened.
    pub time_ms: i64,
    /// The value's bytes.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("names", &self.names).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Reader {
    pub(in crate::store) fn new(door: Arc<Door>) -> Self {
        Self { names: Arc::clone(door.names()), door }
    }

    /// The stores' names, by number.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a store, by its name.
    pub fn store(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The value of a key, as committed last. Several of these may be of different commits: a [`View`] is of one.
    pub fn get(&self, store: usize, key: &[u8]) -> Result<Option<Value>> {
        let name = name(&self.names, store)?;
        let mut bytes = Vec::new();
        let found = self.door.enter(|committed| committed.get(store, key, &mut bytes)).ok_or_else(closed)??;
        if found { value(name, bytes).map(Some) } else { Ok(None) }
    }

    /// What is committed now, of all stores.
    pub fn view(&self) -> Result<View> {
        let look = self.door.look()?.ok_or_else(closed)?;
        Ok(View { look, names: Arc::clone(&self.names) })
    }
}

impl View {
    /// The value of a key.
    pub fn get(&self, store: usize, key: &[u8]) -> Result<Option<Value>> {
        let name = name(&self.names, store)?;
        let mut bytes = Vec::new();
        let found = self.read(|layers| match layers.list.get(store, key) {
            None => layers.snapshot.get(store, key, &mut bytes),
            Some(found) => {
                bytes.extend_from_slice(found.unwrap_or_default());
                Ok(found.is_some())
            }
        })?;
        if found { value(name, bytes).map(Some) } else { Ok(None) }
    }

    /// Shows the visitor the entries within bounds with their event times, in this direction, until it breaks.
    pub fn range(
        &self,
        store: usize,
        bounds: Bounds<'_>,
        direction: Direction,
        mut visitor: impl FnMut(&[u8], i64, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let fill = |chunk: &mut Chunk, rest: Bounds<'_>| self.fill(store, rest, direction, chunk);
        chunk::visit(bounds, direction, fill, |(key, value, time_ms)| Ok(visitor(key, time_ms, value)))
    }

    /// Copies the first entries within bounds, in this direction.
    pub(crate) fn fill(&self, store: usize, bounds: Bounds<'_>, direction: Direction, chunk: &mut Chunk) -> Result<()> {
        let name = name(&self.names, store)?;
        if bounds.are_empty() {
            return chunk.fill(|_| Ok(()));
        }
        self.read(|layers| {
            chunk.fill(|take| {
                let scan = Scan::new(layers.list.within(store, bounds, direction), direction);
                scan.over(name, |visitor| layers.snapshot.range(store, bounds, direction, visitor), take)
            })
        })
    }

    /// As [`View::range`]: all entries.
    pub fn all(
        &self,
        store: usize,
        direction: Direction,
        visitor: impl FnMut(&[u8], i64, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.range(store, Bounds::ALL, direction, visitor)
    }

    /// As [`View::range`]: the entries whose keys begin with `prefix`.
    pub fn prefix(
        &self,
        store: usize,
        prefix: &[u8],
        direction: Direction,
        visitor: impl FnMut(&[u8], i64, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let end = prefix_end(prefix);
        self.range(store, Bounds::of_prefix(prefix, end.as_deref()), direction, visitor)
    }

    /// Up to which offset of its changelog a store's commits are in this view; `None`: nothing was ever committed to
    /// it.
    pub fn position(&self, store: usize) -> Result<Option<Offset>> {
        name(&self.names, store)?;
        self.read(|layers| Ok(layers.meta(store)?.map(|meta| meta.position)))
    }

    /// How far the task's inputs are taken in this view: of each the offset of the next record. Before a task has begun
    /// over the stores it is the last commit that wrote any of them that tells, or none.
    pub fn inputs(&self) -> Result<Vec<(TopicPartition, Offset)>> {
        self.read(|layers| {
            if let Some(inputs) = layers.list.inputs() {
                return Ok(inputs.to_vec());
            }
            let mut newest = Covered::default();
            for store in 0..self.names.len() {
                match layers.meta(store)? {
                    Some(meta) if meta.covered.sequence >= newest.sequence => newest = meta.covered,
                    _ => {}
                }
            }
            Ok(newest.inputs)
        })
    }

    /// How far the inputs are taken in stores that follow those of another instance, at least; `None` before that is
    /// known.
    pub(crate) fn reached(&self) -> Result<Option<Vec<(TopicPartition, Offset)>>> {
        self.read(|layers| Ok(layers.list.inputs().map(|inputs| inputs.to_vec())))
    }

    fn read<R>(&self, read: impl FnOnce(&Layers<'_>) -> Result<R>) -> Result<R> {
        self.look.read(read).ok_or_else(closed)?
    }
}

fn name(names: &[String], store: usize) -> Result<&str> {
    names.get(store).map(String::as_str).ok_or_else(|| no_such_store(store))
}

/// What a store holds under a key, without the head.
fn value(store: &str, mut bytes: Vec<u8>) -> Result<Value> {
    let time_ms = Timed::decode(store, &bytes)?.time_ms;
    bytes.drain(..Timed::HEAD_BYTES);
    Ok(Value { time_ms, value: bytes })
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the task's stores are not here any more: ask the instance that has the task now")
}
