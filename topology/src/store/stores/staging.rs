//! What a restore does with stores: it empties them, stages what it reads, and applies that
//! ([`Stores::apply`](super::Stores)).

use std::ops::ControlFlow;

use super::Stores;
use crate::log::{Offset, TopicPartition};
use crate::store::backends::no_such_store;
use crate::store::backends::{Bounds, Direction};
use crate::store::changelog::Beginning;
use crate::store::error::{Error, Kind, Result};

impl Stores {
    /// Says that a store's changelog is empty, and how it begins: by what goes ahead of its first records. An
    /// incarnation alone must be random.
    pub fn begin_changelog(&mut self, store: usize, beginning: impl Into<Beginning>) -> Result<()> {
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        if let Some(meta) = &slot.meta {
            let message = format!(
                "store {}: its changelog was begun before, it has position {}",
                self.specs[store].name, meta.position
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        slot.new_changelog = Some(beginning.into());
        Ok(())
    }

    /// A write that is not a processor's: a restored record on its way. The value begins with its event time, as in the
    /// changelog.
    pub(crate) fn stage(&mut self, store: usize, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let hash = self.hash(key);
        self.is_read_into = true;
        let slot = self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?;
        slot.set(None, hash, key, value.map(|value| [value, &[]]))
    }

    /// Empties the stores that have no changelog: their task begins, here or again, and knows nothing of what was.
    pub(crate) fn empty_unlogged(&mut self) -> Result<()> {
        for store in 0..self.specs.len() {
            if !self.specs[store].has_changelog {
                self.wipe(store)?;
            }
        }
        Ok(())
    }

    /// Empties a store, its position included.
    pub(crate) fn wipe(&mut self, store: usize) -> Result<()> {
        self.slots.get_mut(store).ok_or_else(|| no_such_store(store))?.clear();
        // A new store is empty already, and wiping costs a flush. (Data may be there without a meta, if a wipe died.)
        let mut is_empty = self.committed.meta(store)?.is_none();
        self.committed.backend().range(store, Bounds::ALL, Direction::Forward, &mut |_, _| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
        if is_empty {
            return Ok(());
        }
        self.is_read_into = true;
        self.committed.wipe(store)
    }

    /// Whether one was opened empty, or a restore has read into it or emptied it, since [`Stores::note_begun`].
    pub(crate) fn is_read_into(&self) -> bool {
        self.is_read_into
    }

    /// A task has begun over them, and knows what is in them: all of its inputs before these offsets, and nothing
    /// behind them. The last commits may have written no store, so that these do not tell.
    pub(crate) fn note_begun(&mut self, inputs: Vec<(TopicPartition, Offset)>) {
        self.is_read_into = false;
        self.committed.pass(inputs.into());
    }

    /// Stores that follow those of another instance have all of its inputs before these offsets, at least.
    pub(crate) fn note_reached(&self, inputs: &[(TopicPartition, Offset)]) {
        self.committed.pass(inputs.into());
    }

    /// Gives back the memory that staging took.
    pub(crate) fn end_staging(&mut self, store: usize) {
        if let Some(slot) = self.slots.get_mut(store) {
            slot.give_back();
        }
    }

    /// The size of what is staged for a store, in bytes.
    pub(crate) fn staged_bytes(&self, store: usize) -> usize {
        self.slots.get(store).map_or(0, |slot| slot.latest.written_bytes())
    }
}
