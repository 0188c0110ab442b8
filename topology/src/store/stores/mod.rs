//! All stores of one task: uncommitted writes over committed state. How that is written down is in `write_behind`, what a
//! restore does with stores in `staging`.

mod flush_schedule;
mod staging;
mod write_behind;

use std::hash::BuildHasher;
use std::ops::ControlFlow;

use hashbrown::DefaultHashBuilder;

use crate::log::{Offset, TopicPartition};
use crate::store::backends::Routed;
use crate::store::backends::{Backend, Bounds, Direction, Visitor};
use crate::store::backends::{Memory, no_such_store};
use crate::store::backends::{Rocks, Shared};
use crate::store::changelog::{self, Origin};
use crate::store::changelog::{Covered, Fingerprint, Incarnation, Meta};
use crate::store::directory::TaskDirectory;
use crate::store::error::{Error, Kind, Result};
use crate::store::layers::overlay::merge;
use crate::store::layers::slot::Slot;
use crate::store::spec::{Medium, Options, Spec};
use crate::store::stores::flush_schedule::FlushSchedule;
use crate::store::stores::write_behind::BEHIND_BYTES_MAX;

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
/// use topology::store::{Medium, Options, Spec, Stores};
///
/// let specs = vec![Spec::new("counts", Medium::Memory).unwrap()];
/// let mut stores = Stores::in_memory(specs, [0; 32], &Options::default()).unwrap();
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
    pub(in crate::store) specs: Vec<Spec>,
    pub(in crate::store) slots: Vec<Slot>,
    pub(in crate::store) backend: Box<dyn Backend>,
    fingerprint: Fingerprint,
    hasher: DefaultHashBuilder,
    pub(in crate::store) flush: FlushSchedule,
    /// What is committed and not in the backend may take so much.
    pub(in crate::store) behind_bytes_max: usize,
    causes: Causes,
    /// What the commit that is being prepared covers.
    covering: Option<Covered>,
    scratch: (Vec<u8>, Vec<u8>),
    /// Locked as long as its stores are open.
    directory: Option<TaskDirectory>,
}

#[derive(Clone, Copy, Debug)]
struct Causes {
    current: Offset,
    highest: Option<Offset>,
}

const NO_CAUSE: Causes = Causes { current: -1, highest: None };
/// How old the time beside the position of an idle store may become before a commit renews it.
const RENEW_AFTER_MS: i64 = 60_000;

/// A record for a store's changelog, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangelogRecord<'a> {
    /// Of which store.
    pub store: usize,
    /// The record's key.
    pub key: &'a [u8],
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("specs", &self.specs).finish_non_exhaustive()
    }
}

impl Stores {
    /// Opens a task's stores. `specs` must be sorted by name; `fingerprint` is the application's. Nothing but
    /// [`Stores::close`] flushes for sure, and nothing is lost by not calling it. Stores on the disk that are damaged are set
    /// aside and opened empty, with a line in the log that says so: restoring rebuilds them.
    pub fn open(specs: Vec<Spec>, directory: TaskDirectory, shared: &Shared, fingerprint: Fingerprint) -> Result<Self> {
        let names = |medium| specs.iter().filter(move |spec| spec.medium == medium).map(|spec| spec.name.clone());
        let on_disk: Vec<_> = names(Medium::RocksDb).collect();
        let in_memory = names(Medium::Memory).count();
        let backend: Box<dyn Backend> = if on_disk.is_empty() {
            Box::new(Memory::new(in_memory))
        } else {
            let path = directory.path().join("rocksdb");
            // Who only looks changes nothing.
            let open = if directory.may_make() { Rocks::open_or_set_aside } else { Rocks::open };
            let rocks = open(&path, &on_disk, shared)?;
            if in_memory == 0 {
                Box::new(rocks)
            } else {
                Box::new(Routed::new(specs.iter().map(|spec| spec.medium), Memory::new(in_memory), rocks))
            }
        };
        Self::over(specs, backend, fingerprint, shared.options(), Some(directory))
    }

    /// All stores in memory, whatever their specs say, and no directory.
    pub fn in_memory(mut specs: Vec<Spec>, fingerprint: Fingerprint, options: &Options) -> Result<Self> {
        specs.iter_mut().for_each(|spec| spec.medium = Medium::Memory);
        let backend = Box::new(Memory::new(specs.len()));
        Self::over(specs, backend, fingerprint, options, None)
    }

    /// Stores over a backend of the caller's.
    pub fn over(
        specs: Vec<Spec>,
        backend: Box<dyn Backend>,
        fingerprint: Fingerprint,
        options: &Options,
        directory: Option<TaskDirectory>,
    ) -> Result<Self> {
        if let Some(pair) = specs.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            let message = format!("stores {} and {} are not in order, or the same", pair[0].name, pair[1].name);
            return Err(Error::new(Kind::Invalid, message));
        }
        let slot = |(store, spec): (usize, &Spec)| {
            let cache_bytes = if spec.medium == Medium::RocksDb { options.read_cache_bytes } else { 0 };
            Ok(Slot::new(cache_bytes, backend.meta(store)?))
        };
        Ok(Self {
            slots: specs.iter().enumerate().map(slot).collect::<Result<_>>()?,
            specs,
            backend,
            fingerprint,
            hasher: DefaultHashBuilder::default(),
            flush: FlushSchedule::new(options.flush_bytes, options.flush_interval_ms),
            behind_bytes_max: options.write_behind_bytes.min(BEHIND_BYTES_MAX),
            causes: NO_CAUSE,
            covering: None,
            scratch: Default::default(),
            directory,
        })
    }

    /// Whether a call has found the files damaged ([`Kind::Damaged`]): to go on, close these stores and open them anew.
    pub fn is_damaged(&self) -> bool {
        self.directory.as_ref().is_some_and(TaskDirectory::is_damaged)
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
        self.get_hashed(store, self.hash(key), key, value)
    }

    /// Sets a key's value; not committed yet.
    pub fn put(&mut self, store: usize, key: &[u8], value: &[u8]) -> Result<()> {
        self.set_hashed(store, self.hash(key), key, Some(value))
    }

    /// Deletes a key; not committed yet. One that has no value is no error.
    pub fn delete(&mut self, store: usize, key: &[u8]) -> Result<()> {
        self.set_hashed(store, self.hash(key), key, None)
    }

    /// What a caller who uses a key twice computes once.
    #[inline]
    pub(in crate::store) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    pub(in crate::store) fn get_hashed(
        &mut self,
        store: usize,
        hash: u64,
        key: &[u8],
        value: &mut Vec<u8>,
    ) -> Result<bool> {
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        slot.get(&*self.backend, store, hash, key, value)
    }

    #[inline]
    pub(in crate::store) fn set_hashed(
        &mut self,
        store: usize,
        hash: u64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        self.causes.highest = self.causes.highest.max(Some(self.causes.current));
        self.stage_hashed(store, hash, key, value)
    }

    #[inline]
    pub(in crate::store) fn stage_hashed(
        &mut self,
        store: usize,
        hash: u64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        slot.overlay.set(hash, key, value)
    }

    /// Shows the visitor what lies within bounds, in this direction, until it breaks. Uncommitted writes are seen.
    pub fn range(
        &mut self,
        store: usize,
        bounds: Bounds<'_>,
        direction: Direction,
        visitor: Visitor<'_>,
    ) -> Result<()> {
        let slot = self.slots.get(store).ok_or_else(|| no_such_store(store))?;
        if bounds.are_empty() {
            return Ok(());
        }
        // A scan after each commit must not sort all that is behind each time.
        if slot.behind.needs_sort() {
            self.write_behind()?;
        }
        let Slot { overlay, behind, .. } = &mut self.slots[store];
        let (uncommitted, committed) = (overlay.within(bounds, direction), behind.within(bounds, direction));
        let mut written = merge(uncommitted, committed, direction).peekable();
        let mut flow = ControlFlow::Continue(());
        self.backend.range(store, bounds, direction, &mut |key, value| {
            // What was written and comes first, then what was written under this key, or else what is committed.
            while let Some((new_key, new_value)) = written.next_if(|(new, _)| direction.compare(new, key).is_lt()) {
                flow = new_value.map_or(ControlFlow::Continue(()), |value| visitor(new_key, value));
                flow?;
            }
            flow = match written.next_if(|(new_key, _)| *new_key == key) {
                Some((_, Some(new_value))) => visitor(key, new_value),
                Some((_, None)) => ControlFlow::Continue(()),
                None => visitor(key, value),
            };
            flow
        })?;
        for (key, value) in written {
            if flow.is_break() {
                break;
            }
            flow = value.map_or(ControlFlow::Continue(()), |value| visitor(key, value));
        }
        Ok(())
    }

    /// Whether any store has uncommitted writes.
    pub fn has_uncommitted(&self) -> bool {
        self.slots.iter().any(|slot| !slot.overlay.is_empty())
    }

    /// What uncommitted writes take in memory, about, in bytes.
    pub fn uncommitted_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.overlay.size_bytes()).sum()
    }

    /// Says which input offset is being processed: writes from now on are caused by it.
    pub fn set_cause(&mut self, offset: Offset) {
        self.causes.current = offset;
    }

    /// The highest input offset that caused a write since the last call or commit, `None` without any (-1: a write that no
    /// input caused).
    pub fn take_cause(&mut self) -> Option<Offset> {
        self.causes.highest.take()
    }

    /// Says how far each input is taken by the commit that is prepared now. Without it the commit says nothing of that, and
    /// nobody can tell afterwards whether the state belongs to the input's offset.
    pub fn cover(&mut self, inputs: Vec<(TopicPartition, Offset)>) {
        let highest = self.slots.iter().flat_map(|slot| &slot.meta).map(|meta| meta.covered.sequence).max();
        self.covering = Some(Covered { sequence: highest.unwrap_or(0).saturating_add(1), inputs });
    }

    /// Which changelog each store has, and the sequence of the last commit that wrote it, with what is written now as
    /// committed; `None` for a store that was never written.
    pub fn marks(&self) -> impl Iterator<Item = (&Spec, Option<(Incarnation, u64)>)> {
        self.specs.iter().zip(&self.slots).map(|(spec, slot)| {
            let meta = slot.meta.as_ref();
            let covering = self.covering.as_ref().filter(|_| !slot.overlay.is_empty());
            let covered = covering.or(meta.map(|meta| &meta.covered));
            let incarnation = meta.map(|meta| meta.incarnation).or(slot.new_changelog);
            (spec, incarnation.zip(covered.map(|covered| covered.sequence)))
        })
    }

    /// Hands over the uncommitted writes as changelog records: one per key, in key order, after the incarnation where the
    /// changelog is new, and what the commit covers ([`Stores::cover`]). Ends at the first error. The writes stay uncommitted.
    pub fn changelog_records<E>(
        &mut self,
        mut send: impl FnMut(ChangelogRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (key_bytes, value_bytes) = &mut self.scratch;
        for (store, slot) in self.slots.iter_mut().enumerate().filter(|(_, slot)| !slot.overlay.is_empty()) {
            if let Some(incarnation) = slot.new_changelog {
                let origin = Origin { incarnation, fingerprint: self.fingerprint }.encode();
                send(ChangelogRecord { store, key: changelog::INCARNATION_KEY, value: Some(&origin) })?;
            }
            if let Some(covered) = &self.covering {
                changelog::encode_covered(covered, value_bytes);
                send(ChangelogRecord { store, key: changelog::COVERED_KEY, value: Some(value_bytes) })?;
            }
            slot.overlay.sort();
            for (key, value) in slot.overlay.sorted() {
                changelog::encode_key(key, key_bytes);
                let value = value.map(|value| {
                    changelog::encode_value(value, value_bytes);
                    &value_bytes[..]
                });
                send(ChangelogRecord { store, key: key_bytes, value })?;
            }
        }
        Ok(())
    }

    /// Takes the uncommitted writes as committed: call it when the log's transaction has committed, never before. `positions` names
    /// every store that has writes, with its highest delivered changelog offset + 1; others may be named too.
    pub fn commit(&mut self, positions: &[(usize, Offset)], now_ms: i64) -> Result<()> {
        let mut metas = Vec::with_capacity(self.slots.len());
        for store in 0..self.slots.len() {
            let position = positions.iter().find(|(named, _)| *named == store).map(|(_, position)| *position);
            metas.extend(self.meta_after(store, position, now_ms)?.map(|meta| (store, meta)));
        }
        self.apply(&metas, now_ms)?;
        self.causes = NO_CAUSE;
        self.covering = None;
        Ok(())
    }

    /// Where a store stands after a commit, if the commit has anything to tell it.
    fn meta_after(&self, store: usize, position: Option<Offset>, now_ms: i64) -> Result<Option<Meta>> {
        let (slot, name) = (&self.slots[store], &self.specs[store].name);
        let invalid = |what: String| Err(Error::new(Kind::Invalid, format!("store {name}: {what}")));
        let Some(position) = position else {
            if !slot.overlay.is_empty() {
                return invalid("it has writes, but no changelog position was given for them".to_owned());
            }
            // The transaction proves that this task still is the only writer, so an idle store is up to date as of now.
            let is_old = |meta: &Meta| now_ms.saturating_sub(meta.applied_at_ms) >= RENEW_AFTER_MS;
            return Ok(slot.meta.clone().filter(is_old).map(|meta| Meta { applied_at_ms: now_ms, ..meta }));
        };
        let before = slot.meta.as_ref().map_or(0, |meta| meta.position);
        if position < before {
            return invalid(format!("its position would go back from {before} to {position}"));
        }
        let Some(incarnation) = slot.meta.as_ref().map(|meta| meta.incarnation).or(slot.new_changelog) else {
            return invalid("nobody knows which changelog it has: it must be restored first".to_owned());
        };
        let before = || slot.meta.as_ref().map(|meta| meta.covered.clone()).unwrap_or_default();
        let covered = self.covering.clone().unwrap_or_else(before);
        Ok(Some(Meta { fingerprint: self.fingerprint, incarnation, position, applied_at_ms: now_ms, covered }))
    }

    /// Drops the uncommitted writes.
    pub fn discard(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.overlay.clear());
        self.causes = NO_CAUSE;
        self.covering = None;
    }

    /// Where a store stands; `None` if nothing was ever applied.
    pub fn meta(&self, store: usize) -> Option<Meta> {
        self.slots.get(store)?.meta.clone()
    }
}
