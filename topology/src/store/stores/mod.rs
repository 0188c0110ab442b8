//! All stores of one task, as its stream thread sees them: uncommitted writes over committed state.
//!
//! ```text
//! mod              reads and writes
//! opening          over which backend, and in which directory
//! prepare          what a commit sends to the log
//! commit           what happens to writes when the log has committed them
//! staging          what a restore does with stores
//! undo             taking back the writes of one input record
//! flush_schedule   when to write down what is committed
//! ```
//! May use all other rooms of the store but `handles`.

mod commit;
mod flush_schedule;
mod opening;
mod prepare;
mod staging;
#[cfg(test)]
mod tests;
mod undo;

use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use crate::log::Offset;
#[cfg(test)]
use crate::mutant::{self, Mutant};
use crate::store::backends::{Bounds, Direction, Visitor, no_such_store};
use crate::store::changelog::{Covered, Fingerprint, Meta, Timed};
use crate::store::error::Result;
use crate::store::folding::Resources;
use crate::store::layers::{Place, Slot};
use crate::store::scan::{Scan, merge};
use crate::store::segments::{Closed, Committed, Door};
use crate::store::spec::Spec;
use crate::store::stores::flush_schedule::FlushSchedule;
use crate::store::stores::undo::Undo;
use crate::store::view::Reader;

pub use prepare::ChangelogRecord;

/// All stores of one task. It can move between threads; one at a time uses it.
///
/// ```text
///            put, delete             changelog_records          (the log commits)          commit
///   clean -----------------> dirty ---------------------> dirty -----------------> dirty ----------> clean
///                              |  discard: the work since the last commit is void                      ^
///                              +-----------------------------------------------------------------------+
/// ```
///
/// ```
/// use topology::store::{Medium, StoreOptions, Resources, Spec, Stores};
///
/// let specs = vec![Spec::new("counts", Medium::Memory).unwrap()];
/// let resources = Resources::without_thread(StoreOptions::default());
/// let mut stores = Stores::in_memory(specs, [0; 32], &resources).unwrap();
/// stores.begin_changelog(0, [7; 16]).unwrap(); // its changelog is empty: this will be its first record
/// stores.put(0, b"apple", b"1").unwrap();
///
/// let mut records = Vec::new();
/// stores.changelog_records(|record| Ok::<_, ()>(records.push((record.key.to_vec(), record.value.is_some())))).unwrap();
/// assert_eq!(records[1], (b"\x01apple".to_vec(), true));
///
/// stores.commit(&[(0, 2)], 1_000).unwrap(); // the records were delivered at offsets 0 and 1
/// assert!(!stores.has_uncommitted());
/// assert_eq!(stores.meta(0).unwrap().position, 2);
/// ```
pub struct Stores {
    specs: Vec<Spec>,
    slots: Vec<Slot>,
    door: Arc<Door>,
    committed: Arc<Committed>,
    /// Dropped behind what it waits for.
    _closed: Closed,
    resources: Resources,
    /// How many commits were published.
    commit_count: u64,
    fingerprint: Fingerprint,
    hasher: DefaultHashBuilder,
    flush: FlushSchedule,
    causes: Causes,
    undo: Undo,
    /// What the commit that is being prepared covers.
    covering: Option<Covered>,
    /// Event time of what is written.
    time_ms: i64,
    /// Whether one may hold something else than what a task left, since one last began over them: it was opened empty,
    /// or a restore has read into it or emptied it.
    is_read_into: bool,
    scratch: (Vec<u8>, Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
struct Causes {
    current: Offset,
    highest: Option<Offset>,
}

const NO_CAUSE: Causes = Causes { current: -1, highest: None };

#[cfg(test)]
thread_local! {
    /// How many keys this thread has hashed.
    pub(in crate::store) static HASH_COUNT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("specs", &self.specs).finish_non_exhaustive()
    }
}

impl Stores {
    /// Reads what is committed, from any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.door))
    }

    /// Whether a call has found the files damaged ([`Kind::Damaged`](crate::store::Kind)): to go on, close these stores
    /// and open them anew.
    pub fn is_damaged(&self) -> bool {
        self.committed.is_damaged()
    }

    /// The stores, by number.
    pub fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// The application's fingerprint, as given.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Puts a key's value into `value` and returns true; false if there is none. Uncommitted writes are seen.
    pub fn get(&mut self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        Ok(self.get_timed(store, key, value)?.is_some())
    }

    /// Puts a key's value into `value` and returns its event time; `None` if there is none.
    pub fn get_timed(&mut self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<Option<i64>> {
        Ok(self.get_hashed(store, self.hash(key), key, value)?.0)
    }

    /// Sets a key's value, as of the event time set last ([`Stores::set_time`]); not committed yet.
    pub fn put(&mut self, store: usize, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_timed(store, key, value, self.time_ms)
    }

    /// Sets a key's value as of an event time, ms since 1970; not committed yet.
    pub fn put_timed(&mut self, store: usize, key: &[u8], value: &[u8], time_ms: i64) -> Result<()> {
        self.set_hashed(store, None, self.hash(key), key, Some((time_ms, value)))
    }

    /// Deletes a key; not committed yet. One that has no value is no error.
    pub fn delete(&mut self, store: usize, key: &[u8]) -> Result<()> {
        self.set_hashed(store, None, self.hash(key), key, None)
    }

    /// What a caller who uses a key twice computes once.
    #[inline]
    pub(in crate::store) fn hash(&self, key: &[u8]) -> u64 {
        #[cfg(test)]
        HASH_COUNT.set(HASH_COUNT.get() + 1);
        self.hasher.hash_one(key)
    }

    /// Event time of what is put now.
    pub(in crate::store) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// As [`Stores::get_timed`]; also tells where the key lies, for a write that follows.
    #[inline]
    pub(in crate::store) fn get_hashed(
        &mut self,
        store: usize,
        hash: u64,
        key: &[u8],
        value: &mut Vec<u8>,
    ) -> Result<(Option<i64>, Option<Place>)> {
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        let (found, place) = slot.get(&self.committed, store, hash, key, value)?;
        if !found {
            return Ok((None, place));
        }
        let time_ms = Timed::decode(&self.specs[store].name, value)?.time_ms;
        value.drain(..Timed::HEAD_BYTES);
        Ok((Some(time_ms), place))
    }

    #[inline]
    pub(in crate::store) fn set_hashed(
        &mut self,
        store: usize,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        value: Option<(i64, &[u8])>,
    ) -> Result<()> {
        self.causes.highest = self.causes.highest.max(Some(self.causes.current));
        self.note_replaced(store, hash, key);
        #[cfg(test)]
        if mutant::lives(Mutant::UncommittedQuery) {
            self.committed.show_early(store, key, value);
        }
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        match value {
            Some((time_ms, value)) => slot.set(place, hash, key, Some([&Timed::head(time_ms), value])),
            None => slot.set(place, hash, key, None),
        }
    }

    /// Shows the visitor what lies within bounds, in this direction, until it breaks. Uncommitted writes are seen.
    pub fn range(
        &mut self,
        store: usize,
        bounds: Bounds<'_>,
        direction: Direction,
        visitor: Visitor<'_>,
    ) -> Result<()> {
        self.range_timed(store, bounds, direction, &mut |key, value| visitor(key, value.value))
    }

    /// As [`Stores::range`], with event times.
    pub(in crate::store) fn range_timed(
        &mut self,
        store: usize,
        bounds: Bounds<'_>,
        direction: Direction,
        visitor: &mut dyn FnMut(&[u8], Timed<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        if bounds.are_empty() {
            return Ok(());
        }
        let list = self.committed.list();
        let above =
            merge(slot.latest.writes_within(bounds, direction), list.within(store, bounds, direction), direction);
        let scan = Scan::new(above, direction);
        let backend = self.committed.backend();
        scan.over(&self.specs[store].name, |visitor| backend.range(store, bounds, direction, visitor), visitor)
    }

    /// Whether any store has uncommitted writes.
    pub fn has_uncommitted(&self) -> bool {
        self.slots.iter().any(|slot| !slot.latest.has_no_writes())
    }

    /// What uncommitted writes take in memory, about, in bytes.
    pub fn uncommitted_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.latest.written_bytes()).sum()
    }

    /// Says which input offset is being processed: writes from now on are caused by it.
    pub fn set_cause(&mut self, offset: Offset) {
        self.causes.current = offset;
    }

    /// Says as of which event time values are put from now on, ms since 1970.
    pub fn set_time(&mut self, time_ms: i64) {
        self.time_ms = time_ms;
    }

    /// The highest input offset that caused a write since the last call or commit, `None` without any (-1: a write that
    /// no input caused).
    pub fn take_cause(&mut self) -> Option<Offset> {
        self.causes.highest.take()
    }

    /// Drops the uncommitted writes.
    pub fn discard(&mut self) {
        #[cfg(test)]
        if mutant::lives(Mutant::KeptOverlay) {
            return;
        }
        #[cfg(test)]
        self.committed.hide_early();
        self.slots.iter_mut().for_each(Slot::discard);
        self.end_undoable();
        self.causes = NO_CAUSE;
        self.covering = None;
    }

    /// Where a store stands; `None` if nothing was ever applied.
    pub fn meta(&self, store: usize) -> Option<Meta> {
        self.slots.get(store)?.meta.clone()
    }
}

impl Drop for Stores {
    /// Waits for a fold and reads that are under way, so that the files are free when they are opened again; but not
    /// for ever.
    fn drop(&mut self) {
        self.door.close();
    }
}
