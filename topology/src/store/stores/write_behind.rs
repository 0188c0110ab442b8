//! When committed writes reach the backend: not at each commit, but when a bound is passed or a flush is due.
//!
//! ```text
//!             commit                      bound, flush                  flush
//!   overlay ----------> behind, meta ---------------------> backend -----------> safe
//!   void after a crash  restored from the changelog, as the backend's memory is
//! ```
//! Nothing is lost by waiting: a backend that writes no log of its own (the changelog is one) loses what it holds in memory
//! as well, and a restore reads on from what was flushed. What is gained: a key that many commits wrote is written once.
//! All stores are written in one batch, at a moment between two commits: so the backend holds a state that a commit made.

#[cfg(test)]
mod tests;

use crate::store::backends::Writes;
use crate::store::backends::no_such_store;
use crate::store::changelog::Meta;
use crate::store::error::Result;
use crate::store::stores::Stores;

/// What one store may take must fit its tables, which end at 4 GiB.
pub(in crate::store) const BEHIND_BYTES_MAX: usize = 1 << 30;

impl Stores {
    /// Takes what is staged for these stores, which now stand here, as committed, in one step.
    pub(crate) fn apply(&mut self, metas: &[(usize, Meta)], now_ms: i64) -> Result<()> {
        let mut added_bytes = 0;
        for (store, _) in metas {
            let slot = self.slots.get(*store).ok_or_else(|| no_such_store(*store))?;
            added_bytes += slot.overlay.size_bytes() + Meta::SIZE_BYTES;
        }
        if metas.is_empty() {
            return Ok(());
        }
        // First, so that a failure finds nothing half done; and then there is room for all that follows.
        if self.behind_bytes() + added_bytes > self.behind_bytes_max {
            self.write_behind()?;
        }
        for (store, meta) in metas {
            self.slots[*store].commit(meta.clone())?;
        }
        self.flush.note_applied(added_bytes, now_ms);
        // One that fills the room alone, as a restore's batches do, need not stay.
        if self.behind_bytes() >= self.behind_bytes_max {
            self.write_behind()?;
        }
        Ok(())
    }

    /// What is committed and not in the backend yet takes so many bytes, about.
    fn behind_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.behind.size_bytes()).sum()
    }

    /// Gives the backend all that is committed, in one batch.
    pub(in crate::store) fn write_behind(&mut self) -> Result<()> {
        self.slots.iter_mut().for_each(|slot| slot.behind.sort());
        let writes: Vec<Writes<'_>> =
            self.slots.iter().enumerate().filter_map(|(store, slot)| slot.writes(store)).collect();
        if writes.is_empty() {
            return Ok(());
        }
        self.backend.apply(&writes)?;
        self.slots.iter_mut().for_each(|slot| slot.note_written());
        Ok(())
    }

    /// Starts a flush if enough was committed since the last one, or long enough ago; returns whether it did. It does not
    /// wait for it. Call it now and then without commits too, so that what an idle store holds gets old no further.
    pub fn flush_if_due(&mut self, now_ms: i64) -> Result<bool> {
        let due = self.flush.is_due(now_ms);
        if due {
            self.write_behind()?;
            self.backend.start_flush()?;
            self.flush.note_flushed();
        }
        Ok(due)
    }

    /// What was committed since the last flush, in bytes: after a crash so much must be restored.
    pub fn unflushed_bytes(&self) -> usize {
        self.flush.unflushed_bytes()
    }

    /// Waits until everything committed so far is safe from a crash of the machine.
    pub fn flush(&mut self) -> Result<()> {
        self.write_behind()?;
        self.backend.flush()?;
        self.flush.note_flushed();
        Ok(())
    }

    /// Drops uncommitted writes, writes down what is committed, and closes.
    pub fn close(mut self) -> Result<()> {
        self.flush()
    }
}
