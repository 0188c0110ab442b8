//! What happens to writes when the log has committed them.
//!
//! ```text
//!   table ── freeze ──> segment, published ── folder ──> backend ── flush ──> safe
//!     |                   |                                |
//!     void after a crash  restored from the changelog, as the backend's memory is
//! ```
//! A commit costs the stream thread a copy of what was written, and no write to a backend. What waits is gathered: a
//! key that many commits wrote is written to the backend once. A batch holds whole commits, of all stores of the task:
//! so the backend holds a state that a commit made.

use super::Stores;
use crate::log::Offset;
use crate::store::backends::no_such_store;
use crate::store::changelog::{Covered, Meta};
use crate::store::error::{Error, Kind, Result};
use crate::store::layers::Slot;
use crate::store::segments::{Inputs, Part, Segment};

/// How old the time beside the position of an idle store may become before a commit renews it.
const RENEW_AFTER_MS: i64 = 60_000;

impl Stores {
    /// Takes the uncommitted writes as committed: call it when the log's transaction has committed, never before.
    /// `positions` names every store with a changelog that has writes, with its highest delivered changelog offset + 1;
    /// others may be named too.
    ///
    /// An error is also what the folder met since the last commit: then the commit did not happen here, and restoring
    /// brings it back.
    pub fn commit(&mut self, positions: &[(usize, Offset)], now_ms: i64) -> Result<()> {
        let mut metas = Vec::with_capacity(self.slots.len());
        for store in 0..self.slots.len() {
            let position = positions.iter().find(|(named, _)| *named == store).map(|(_, position)| *position);
            metas.extend(self.meta_after(store, position, now_ms)?.map(|meta| (store, meta)));
        }
        let inputs = self.covering.as_ref().map(|covered| Inputs::from(&covered.inputs[..]));
        self.publish(&metas, false, inputs, now_ms)?;
        self.causes = super::NO_CAUSE;
        self.covering = None;
        Ok(())
    }

    /// Where a store stands after a commit, if the commit has anything to tell it.
    fn meta_after(&self, store: usize, position: Option<Offset>, now_ms: i64) -> Result<Option<Meta>> {
        let (slot, name) = (&self.slots[store], &self.specs[store].name);
        if !self.specs[store].has_changelog {
            // What it holds belongs to this run of the task: where it stands says nothing to anybody.
            let (incarnation, position, covered) = ([0; 16], 0, Covered::default());
            let meta = Meta { fingerprint: self.fingerprint, incarnation, position, applied_at_ms: now_ms, covered };
            return Ok((!slot.latest.has_no_writes()).then_some(meta));
        }
        let invalid = |what: String| Err(Error::new(Kind::Invalid, format!("store {name}: {what}")));
        let Some(position) = position else {
            if !slot.latest.has_no_writes() {
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
        let new = slot.new_changelog.map(|beginning| beginning.incarnation);
        let Some(incarnation) = slot.meta.as_ref().map(|meta| meta.incarnation).or(new) else {
            return invalid("it is not known which changelog it has: it must be restored first".to_owned());
        };
        let before = || slot.meta.as_ref().map(|meta| meta.covered.clone()).unwrap_or_default();
        let covered = self.covering.clone().unwrap_or_else(before);
        Ok(Some(Meta { fingerprint: self.fingerprint, incarnation, position, applied_at_ms: now_ms, covered }))
    }

    /// Takes what a restore staged for these stores, which now stand here, as committed, in one step.
    pub(crate) fn apply(&mut self, metas: &[(usize, Meta)], now_ms: i64) -> Result<()> {
        self.publish(metas, true, None, now_ms)?;
        self.resources.folder().wait_for_room()
    }

    fn publish(&mut self, metas: &[(usize, Meta)], staged: bool, inputs: Option<Inputs>, now_ms: i64) -> Result<()> {
        // First, so that a failure finds nothing half done.
        self.check_folder()?;
        if metas.is_empty() {
            inputs.into_iter().for_each(|inputs| self.committed.pass(inputs));
            return Ok(());
        }
        let mut parts: Vec<Part> = Vec::with_capacity(metas.len());
        for (store, meta) in metas {
            let slot = self.slots.get_mut(*store).ok_or_else(|| no_such_store(*store))?;
            parts.push(slot.freeze(*store, meta.clone())?);
        }
        self.commit_count += 1;
        let segment = Segment::new(self.commit_count, parts);
        let added_bytes = segment.size_bytes();
        self.committed.publish(segment, inputs);
        for (store, meta) in metas {
            let slot = &mut self.slots[*store];
            match staged {
                true => slot.commit_staged(meta.clone(), self.commit_count),
                false => slot.commit(meta.clone(), self.commit_count),
            }
        }
        self.flush.note_applied(added_bytes, now_ms);
        self.resources.folder().settle(&self.committed);
        Ok(())
    }

    /// What the folder met since this was asked last.
    fn check_folder(&self) -> Result<()> {
        self.resources.folder().check_alive()?;
        let failure = self.committed.take_failure();
        if failure.is_err() {
            // It is tried again from now on, and there may be no commit that says so, if there is no room for one.
            self.resources.folder().settle(&self.committed);
        }
        failure
    }

    /// Has a flush started if enough was committed since the last one, or long enough ago; returns whether it did. It
    /// does not wait for it. Call it now and then without commits too, so that what an idle store holds gets old no
    /// further, and so that what the folder met is heard of, and others have the memory that it has too much.
    pub fn flush_if_due(&mut self, now_ms: i64) -> Result<bool> {
        self.check_folder()?;
        self.slots.iter_mut().for_each(Slot::make_way);
        let due = self.flush.is_due(now_ms);
        if due {
            self.committed.want_flush();
            self.flush.note_flushed();
            self.resources.folder().settle(&self.committed);
        }
        Ok(due)
    }

    /// What was committed since the last flush began, in bytes: after a crash so much must be restored.
    pub fn unflushed_bytes(&self) -> usize {
        self.flush.unflushed_bytes()
    }

    /// Waits until everything committed so far is safe from a crash of the machine.
    pub fn flush(&mut self) -> Result<()> {
        // What a fold met before is made good here, or met again.
        let _ = self.committed.take_failure();
        self.committed.flush()?;
        self.flush.note_flushed();
        Ok(())
    }

    /// Drops uncommitted writes, writes down what is committed, and closes.
    pub fn close(mut self) -> Result<()> {
        self.flush()
    }
}
