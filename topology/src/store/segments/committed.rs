//! What is committed in one task's stores: segments over a backend.
//!
//! ```text
//!   stream thread          folder                       folder
//!   publish ──> [segments] ── merge ──> [fewer] ── write ──> backend ── flush ──> safe
//!   die anywhere here: the backend has what was flushed, a state that a commit made; the changelog has the rest
//! ```
//! Three parties use it, and none waits for another:
//!
//! * The **stream thread** publishes. All that the backend may be given lies in segments before, so whatever it finds
//!   in the backend while a fold is under way is hidden by a segment with the same write, or by its own table.
//! * The **folder** merges and writes. It takes segments out of the list when the backend has them, never before.
//! * **Readers** take a snapshot of the backend, and a list that fits ([`Committed::read`]).

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, Guard};

use super::look::Layers;
use super::plan::{Work, plan};
use super::segment::{Inputs, List, Segment};
use crate::store::backends::Backend;
use crate::store::budget::Gauges;
use crate::store::changelog::Meta;
use crate::store::directory::TaskDirectory;
use crate::store::error::{Error, Result};
use crate::store::locked;

/// The committed state of all stores of one task.
pub(in crate::store) struct Committed {
    backend: Box<dyn Backend>,
    published: ArcSwap<List>,
    backlog_bytes: AtomicUsize,
    /// How many writes to the backend have begun.
    folds_begun: AtomicU64,
    /// The backend has all commits up to this one.
    folded: AtomicU64,
    /// Who holds it may write to the backend and take segments out of the list.
    gate: Mutex<()>,
    flush_wanted: AtomicBool,
    has_failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// What a bug on purpose shows others than the stream thread, before it is committed.
    #[cfg(test)]
    early: Mutex<Early>,
    gauges: Arc<Gauges>,
    /// Locked as long as the backend is open; so it stands below it.
    directory: Option<TaskDirectory>,
    /// Goes last: who waits for the other end knows then that all of this is gone.
    _open: Sender<Infallible>,
}

/// Whether a fold may wait until it is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Urgency {
    /// It may.
    Usual,
    /// The process needs the memory.
    Pressing,
}

impl Committed {
    /// Also what hears when it is dropped.
    pub(in crate::store) fn new(
        backend: Box<dyn Backend>,
        gauges: Arc<Gauges>,
        directory: Option<TaskDirectory>,
    ) -> (Self, Receiver<Infallible>) {
        let (open, closed) = channel();
        let committed = Self {
            backend,
            published: ArcSwap::default(),
            backlog_bytes: AtomicUsize::new(0),
            folds_begun: AtomicU64::new(0),
            folded: AtomicU64::new(0),
            gate: Mutex::new(()),
            flush_wanted: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            #[cfg(test)]
            early: Mutex::default(),
            gauges,
            directory,
            _open: open,
        };
        (committed, closed)
    }

    /// What lies below the segments. For the stream thread, which knows them.
    pub(in crate::store) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// What is counted over all tasks.
    pub(super) fn gauges(&self) -> &Arc<Gauges> {
        &self.gauges
    }

    /// The segments now.
    pub(in crate::store) fn list(&self) -> Guard<Arc<List>> {
        self.published.load()
    }

    /// The backend has all commits up to this one.
    #[inline]
    pub(in crate::store) fn folded(&self) -> u64 {
        self.folded.load(Ordering::Acquire)
    }

    /// What the segments take in memory.
    pub(in crate::store) fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    /// Which task's it is, where it has a directory.
    pub(in crate::store) fn task(&self) -> Option<&str> {
        self.directory.as_ref()?.path().file_name()?.to_str()
    }

    /// Whether a call has found the files damaged.
    pub(in crate::store) fn is_damaged(&self) -> bool {
        self.directory.as_ref().is_some_and(TaskDirectory::is_damaged)
    }

    /// Where a store stands.
    pub(in crate::store) fn meta(&self, store: usize) -> Result<Option<Meta>> {
        match self.list().meta(store) {
            Some(meta) => Ok(Some(meta)),
            None => self.backend.meta(store),
        }
    }

    /// Makes a commit visible to readers, all of it in one step. The stream thread alone calls this. `inputs`: how far
    /// it takes the task's inputs; without them it is as far as before, at least.
    pub(in crate::store) fn publish(&self, segment: Segment, inputs: Option<Inputs>) {
        let segment = segment.counted(&self.gauges);
        self.count(segment.size_bytes(), 0);
        #[cfg(test)]
        self.hide_early();
        self.published.rcu(|now| {
            let mut segments = Vec::with_capacity(now.segments().len() + 1);
            segments.extend_from_slice(now.segments());
            segments.push(Arc::clone(&segment));
            List::new(segments, inputs.as_ref().or(now.inputs()).cloned())
        });
    }

    /// The task's inputs are taken so far, without another write to a store.
    pub(in crate::store) fn pass(&self, inputs: Inputs) {
        self.published.rcu(|now| List::new(now.segments().to_vec(), Some(Arc::clone(&inputs))));
    }

    /// The value of a key as committed last: puts it into `value` and returns true, or false if there is none. What a
    /// fold under way has written is there a little sooner or later: it is committed.
    pub(in crate::store) fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        #[cfg(test)]
        if let Some(found) = locked(&self.early).get(&(store, key.to_vec())) {
            value.clear();
            value.extend_from_slice(found.as_deref().unwrap_or_default());
            return Ok(found.is_some());
        }
        let list = self.list();
        let Some(found) = list.get(store, key) else { return self.backend.get(store, key, value) };
        value.clear();
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    /// Shows a reader a list and a snapshot of the backend that belong together: the snapshot has no commit that the
    /// list does not know, and the list lacks no commit that the snapshot lacks. What the snapshot has of a fold that
    /// was under way when it was taken is hidden by the list.
    pub(in crate::store) fn read(&self) -> Result<Layers<'_>> {
        loop {
            let begun = self.folds_begun.load(Ordering::SeqCst);
            let list = self.published.load_full();
            let snapshot = self.backend.snapshot()?;
            // A fold that has begun since may have written commits that are not in the list. Folds are rare.
            if self.folds_begun.load(Ordering::SeqCst) == begun {
                return Ok(Layers { list, snapshot });
            }
        }
    }

    /// Asks that all be written, and a flush begun.
    pub(in crate::store) fn want_flush(&self) {
        self.flush_wanted.store(true, Ordering::SeqCst);
    }

    /// Whether a flush was asked for.
    pub(in crate::store) fn flush_is_wanted(&self) -> bool {
        self.flush_wanted.load(Ordering::SeqCst)
    }

    /// Whether [`Committed::step`] has anything to do.
    pub(in crate::store) fn wants_step(&self) -> bool {
        !self.has_failed() && (self.flush_is_wanted() || self.plan(&self.list(), false) != Work::Nothing)
    }

    /// Whether a step failed, and [`Committed::take_failure`] was not called since. Until then nothing is tried again.
    pub(in crate::store) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// The failure of a step, once.
    pub(in crate::store) fn take_failure(&self) -> Result<()> {
        if !self.has_failed() {
            return Ok(());
        }
        let failure = locked(&self.failure).take();
        self.has_failed.store(false, Ordering::SeqCst);
        let Some(error) = failure else { return Ok(()) };
        self.gauges.remove_failure();
        Err(error)
    }

    /// One step of folding: a merge, or a write. False: there was nothing to do. A failure is kept for the stream
    /// thread.
    pub(in crate::store) fn step(&self, urgency: Urgency) -> bool {
        if self.has_failed() {
            return false;
        }
        let _gate = locked(&self.gate);
        let stepped = self.try_step(urgency);
        stepped.unwrap_or_else(|error| {
            *locked(&self.failure) = Some(error);
            self.gauges.add_failure();
            self.has_failed.store(true, Ordering::SeqCst);
            true
        })
    }

    fn try_step(&self, urgency: Urgency) -> Result<bool> {
        let flush = self.flush_is_wanted();
        let list = self.published.load_full();
        match self.plan(&list, flush || urgency == Urgency::Pressing) {
            Work::Nothing if !flush => return Ok(false),
            Work::Nothing => {}
            Work::Merge(range) => {
                let merged = Segment::merge(&list.segments()[range.clone()])?;
                self.replace(range, Some(merged));
                return Ok(true);
            }
            Work::Write(count) => {
                self.write(&list, count)?;
                if count < list.segments().len() {
                    return Ok(true);
                }
            }
        }
        if flush {
            self.flush_wanted.store(false, Ordering::SeqCst);
            // One that could not be started is still wanted.
            self.backend.start_flush().inspect_err(|_| self.flush_wanted.store(true, Ordering::SeqCst))?;
        }
        Ok(true)
    }

    fn plan(&self, list: &List, must_write: bool) -> Work {
        let sizes: Vec<usize> = list.segments().iter().map(|segment| segment.size_bytes()).collect();
        plan(&sizes, self.gauges.budget().fold_bytes(), must_write)
    }

    /// Gives the backend the oldest segments of the list, as one batch.
    fn write(&self, list: &List, count: usize) -> Result<()> {
        let segments = &list.segments()[..count];
        let merged = match segments {
            [one] => Arc::clone(one),
            _ => Arc::new(Segment::merge(segments)?),
        };
        self.folds_begun.fetch_add(1, Ordering::SeqCst);
        self.backend.apply(&merged.writes())?;
        self.folded.store(merged.commit(), Ordering::Release);
        self.replace(0..count, None);
        Ok(())
    }

    /// Publishes the list with other segments in the place of these. Others only add to the list's end.
    fn replace(&self, range: Range<usize>, by: Option<Segment>) {
        let by = by.map(|segment| segment.counted(&self.gauges));
        let before = self.published.rcu(|now| {
            let (head, rest) = now.segments().split_at(range.start);
            let tail = &rest[range.len()..];
            List::new(head.iter().chain(&by).chain(tail).cloned().collect(), now.inputs().cloned())
        });
        let removed = before.segments()[range].iter().map(|segment| segment.size_bytes()).sum();
        self.count(by.map_or(0, |segment| segment.size_bytes()), removed);
    }

    fn count(&self, added: usize, removed: usize) {
        self.backlog_bytes.fetch_add(added, Ordering::Relaxed);
        self.gauges.add_segments(added);
        self.backlog_bytes.fetch_sub(removed, Ordering::Relaxed);
        self.gauges.remove_segments(removed);
    }

    /// Writes all, and waits until it is safe from a crash of the machine.
    pub(in crate::store) fn flush(&self) -> Result<()> {
        let _gate = locked(&self.gate);
        loop {
            let list = self.published.load_full();
            let Work::Write(count) = self.plan(&list, true) else { break };
            self.write(&list, count)?;
        }
        self.flush_wanted.store(false, Ordering::SeqCst);
        self.backend.flush()
    }

    /// Empties a store, its position included.
    pub(in crate::store) fn wipe(&self, store: usize) -> Result<()> {
        let _gate = locked(&self.gate);
        let sizes = |list: &List| list.segments().iter().map(|segment| segment.size_bytes()).sum::<usize>();
        let before = self.published.rcu(|now| {
            let without = now.segments().iter().map(|segment| segment.without(store).counted(&self.gauges));
            List::new(without.collect(), None)
        });
        self.count(sizes(&self.list()), sizes(&before));
        self.folds_begun.fetch_add(1, Ordering::SeqCst);
        self.backend.wipe(store)
    }
}

/// Writes by store and key; `None` deletes.
#[cfg(test)]
type Early = std::collections::BTreeMap<(usize, Vec<u8>), Option<Vec<u8>>>;

/// A bug on purpose: see [`crate::mutant::Mutant::UncommittedQuery`].
#[cfg(test)]
impl Committed {
    /// Point reads of others see a write that is not committed.
    pub(in crate::store) fn show_early(&self, store: usize, key: &[u8], value: Option<(i64, &[u8])>) {
        let value = value.map(|(time_ms, value)| [&crate::store::changelog::Timed::head(time_ms), value].concat());
        locked(&self.early).insert((store, key.to_vec()), value);
    }

    /// They do no longer: it is committed, or void.
    pub(in crate::store) fn hide_early(&self) {
        locked(&self.early).clear();
    }
}

impl Drop for Committed {
    fn drop(&mut self) {
        self.gauges.remove_segments(self.backlog_bytes());
        if self.has_failed() {
            self.gauges.remove_failure();
        }
    }
}
