//! What is committed, for readers on other threads: they never stop the stream thread, and it never stops them.
//!
//! May use `segments`, `scan`, `backends`' bounds and `changelog`'s formats.

#[cfg(test)]
mod tests;

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::log::Offset;
use crate::store::backends::{Bounds, Direction, Snapshot, no_such_store, prefix_end};
use crate::store::changelog::Timed;
use crate::store::error::{Error, Kind, Result};
use crate::store::scan::Scan;
use crate::store::segments::{Door, List};

/// Opens views on the stores of one task, from any thread, for as long as the task is here. Cheap to clone.
///
/// ```
/// use topology::store::{Medium, Options, Resources, Spec, Stores};
///
/// # let resources = Resources::without_thread(Options::default());
/// let specs = vec![Spec::new("counts", Medium::Memory)?];
/// let mut stores = Stores::in_memory(specs, [0; 32], &resources)?;
/// let reader = stores.reader();
/// stores.begin_changelog(0, [7; 16])?;
/// stores.put(0, b"apple", b"1")?;
///
/// let apples = || reader.read(|view| Ok(view.get(0, b"apple")?.map(|found| found.value)));
/// assert_eq!(apples()?, None, "nothing is committed yet");
/// stores.commit(&[(0, 2)], 1_000)?;
/// assert_eq!(std::thread::scope(|scope| scope.spawn(apples).join().unwrap())?, Some(b"1".to_vec()));
///
/// drop(stores);
/// assert!(apples().is_err());
/// # Ok::<(), topology::store::Error>(())
/// ```
#[derive(Clone)]
pub struct Reader {
    door: Arc<Door>,
    names: Arc<[String]>,
}

/// What one commit had made of all stores of a task. Commits that come later do not change it. Keep it for one question: as
/// long as it lives, RocksDB keeps what it shows, and the task's stores cannot be closed.
pub struct View<'a> {
    door: &'a Door,
    names: &'a [String],
    list: Arc<List>,
    snapshot: Box<dyn Snapshot + 'a>,
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

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Reader {
    pub(in crate::store) fn new(door: Arc<Door>, names: Arc<[String]>) -> Self {
        Self { door, names }
    }

    /// The number of a store, by its name.
    pub fn store(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Looks at what is committed now. An error of kind [`Kind::Closed`]: the task is not here any more, or moves away.
    ///
    /// What a restore has not brought back yet is not there: ask only for tasks that run.
    pub fn read<R>(&self, look: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        let entered = self.door.enter(|committed| {
            let (list, snapshot) = committed.read()?;
            look(&View { door: &self.door, names: &self.names, list, snapshot })
        });
        entered.unwrap_or_else(|| Err(closed()))
    }
}

impl View<'_> {
    /// The value of a key.
    pub fn get(&self, store: usize, key: &[u8]) -> Result<Option<Value>> {
        let name = self.name(store)?;
        let mut bytes = Vec::new();
        let found = match self.list.get(store, key) {
            Some(found) => found,
            None => self.snapshot.get(store, key, &mut bytes)?.then_some(&bytes[..]),
        };
        let timed = found.map(|found| Timed::decode(name, found)).transpose()?;
        Ok(timed.map(|Timed { time_ms, value }| Value { time_ms, value: value.to_vec() }))
    }

    /// Shows the visitor the entries within bounds with their event times, in this direction, until it breaks.
    pub fn range(
        &self,
        store: usize,
        bounds: Bounds<'_>,
        direction: Direction,
        mut visitor: impl FnMut(&[u8], i64, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let name = self.name(store)?;
        if bounds.are_empty() {
            return Ok(());
        }
        let mut was_closed = false;
        let scan = Scan::new(self.list.within(store, bounds, direction), direction);
        let below = |visitor: crate::store::Visitor<'_>| self.snapshot.range(store, bounds, direction, visitor);
        scan.over(name, below, &mut |key, Timed { time_ms, value }| {
            was_closed = self.door.is_closed();
            if was_closed { ControlFlow::Break(()) } else { visitor(key, time_ms, value) }
        })?;
        if was_closed { Err(closed()) } else { Ok(()) }
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
        let mut end = Vec::new();
        let end = if prefix_end(prefix, &mut end) { Bound::Excluded(&end[..]) } else { Bound::Unbounded };
        self.range(store, Bounds { start: Bound::Included(prefix), end }, direction, visitor)
    }

    /// Up to which offset of its changelog a store's commits are in this view; `None`: nothing was ever committed to it.
    pub fn position(&self, store: usize) -> Result<Option<Offset>> {
        self.name(store)?;
        let meta = match self.list.meta(store) {
            Some(meta) => Some(meta),
            None => self.snapshot.meta(store)?,
        };
        Ok(meta.map(|meta| meta.position))
    }

    fn name(&self, store: usize) -> Result<&str> {
        self.names.get(store).map(String::as_str).ok_or_else(|| no_such_store(store))
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the task's stores are not here any more: ask the instance that has the task now")
}
