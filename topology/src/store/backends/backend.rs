//! The committed state of one task's stores.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow, Range};

use crate::store::changelog::Meta;
use crate::store::error::Result;
use crate::store::segments::Run;

/// The committed state of ALL stores of ONE task. Stores are numbered as in the task's list of specs. Any thread may
/// read while one writes.
///
/// Law: a batch given to [`Backend::apply`] is there as a whole or not at all, data and metas, after any crash; what
/// [`Backend::flush`] returned for is there after any crash. Who reads while a batch is being applied may see a part of
/// it; before and after that, a snapshot stays as it is.
pub(crate) trait Backend: Send + Sync {
    /// Puts the value of a key into `value` and returns true; false if there is none, and `value` is as it was or
    /// empty.
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool>;

    /// Shows the visitor what lies within bounds, in this direction, until it breaks.
    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()>;

    /// Where the store stands; `None` if nothing was ever applied to it.
    fn meta(&self, store: usize) -> Result<Option<Meta>>;

    /// What is there now, for as long as the snapshot is kept.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>>;

    /// Applies the writes and metas of all stores named, in one step. One thread at a time calls this.
    fn apply(&self, writes: &[Writes<'_>]) -> Result<()>;

    /// Empties a store and forgets its meta. After a crash in the middle there is no meta.
    fn wipe(&self, store: usize) -> Result<()>;

    /// Waits until everything applied so far is safe from a crash of the machine.
    fn flush(&self) -> Result<()>;

    /// Starts what [`Backend::flush`] does, and does not wait for it.
    fn start_flush(&self) -> Result<()> {
        self.flush()
    }

    /// What a store on the disk tells of itself; `None` of one that is elsewhere.
    fn on_disk(&self, _store: usize) -> Option<OnDisk> {
        None
    }
}

/// What RocksDB tells of a store, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnDisk {
    /// Keys, and perhaps some that were deleted lately, or written several times.
    pub key_count: u64,
    /// Its files, bytes.
    pub file_bytes: u64,
    /// What is in no file yet, bytes.
    pub memtable_bytes: u64,
    /// What open files keep in memory beside the block cache, bytes.
    pub reader_bytes: u64,
    /// What compactions are behind with, bytes.
    pub pending_compaction_bytes: u64,
    /// Flushes and compactions that failed since it was opened, of all stores of the task.
    pub error_count: u64,
}

/// A backend as it was at one moment.
pub(crate) trait Snapshot: Send + Sync {
    /// As [`Backend::get`].
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool>;

    /// As [`Backend::range`].
    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()>;

    /// As [`Backend::meta`].
    fn meta(&self, store: usize) -> Result<Option<Meta>>;
}

/// Shown a key and its value; breaks to end the scan.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// What one or more commits change in one store.
#[derive(Clone, Debug)]
pub(crate) struct Writes<'a> {
    /// Which store.
    pub store: usize,
    /// Its writes.
    pub run: &'a Run,
    /// Where it stands with them, as of the last of these commits.
    pub meta: Meta,
}

/// In which order a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key on.
    Forward,
    /// From the largest key on.
    Reverse,
}

impl Direction {
    /// How two keys follow each other in this direction.
    pub(in crate::store) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Direction::Forward => a.cmp(b),
            Direction::Reverse => b.cmp(a),
        }
    }
}

/// Between which keys, as bytes, a scan goes. Bounds that cross hold nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<'a> {
    /// Where it begins, in key order.
    pub start: Bound<&'a [u8]>,
    /// Where it ends, in key order.
    pub end: Bound<&'a [u8]>,
}

impl<'a> Bounds<'a> {
    /// What begins with `prefix`; `end` is [`prefix_end`] of it.
    pub(crate) fn of_prefix(prefix: &'a [u8], end: Option<&'a [u8]>) -> Self {
        Self { start: Bound::Included(prefix), end: end.map_or(Bound::Unbounded, Bound::Excluded) }
    }

    /// What lies within these behind a key, in this direction.
    pub(crate) fn behind(self, key: &'a [u8], direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self { start: Bound::Excluded(key), ..self },
            Direction::Reverse => Self { end: Bound::Excluded(key), ..self },
        }
    }
}

impl Bounds<'_> {
    /// Everything.
    pub const ALL: Self = Self { start: Bound::Unbounded, end: Bound::Unbounded };

    /// Which of `count` sorted keys lie within.
    pub(in crate::store) fn slice<'k>(&self, count: usize, key: impl Fn(usize) -> &'k [u8]) -> Range<usize> {
        let first = |wanted: &dyn Fn(&[u8]) -> bool| {
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low + (high - low) / 2;
                if wanted(key(middle)) { high = middle } else { low = middle + 1 }
            }
            low
        };
        let start = match self.start {
            Bound::Unbounded => 0,
            Bound::Included(start) => first(&|key| key >= start),
            Bound::Excluded(start) => first(&|key| key > start),
        };
        let end = match self.end {
            Bound::Unbounded => count,
            Bound::Included(end) => first(&|key| key > end),
            Bound::Excluded(end) => first(&|key| key >= end),
        };
        start..end.max(start)
    }

    /// Whether nothing can lie within.
    pub(in crate::store) fn are_empty(&self) -> bool {
        match (self.start, self.end) {
            (Bound::Unbounded, Bound::Excluded(end)) => end.is_empty(),
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
        }
    }
}

/// The smallest key above all that begin with `prefix`, if there is one.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}
