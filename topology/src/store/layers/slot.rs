//! One store of a task: its layers in memory, over the backend.

use crate::store::backends::{Backend, Writes};
use crate::store::changelog::{Incarnation, Meta};
use crate::store::error::Result;
use crate::store::layers::cache::Cache;
use crate::store::layers::overlay::Overlay;

/// Reads go through the layers from above: uncommitted writes, committed ones that are not in the backend yet, the cache,
/// the backend. So what the cache says of a key that was committed since may be old, and nobody sees it.
pub(in crate::store) struct Slot {
    pub(in crate::store) overlay: Overlay,
    pub(in crate::store) behind: Overlay,
    cache: Cache,
    /// Where the store stands, with what is behind.
    pub(in crate::store) meta: Option<Meta>,
    /// The backend has neither `behind` nor `meta`.
    is_behind: bool,
    /// The changelog is empty; its first record will hold this.
    pub(in crate::store) new_changelog: Option<Incarnation>,
}

impl Slot {
    /// A store as its backend has it.
    pub(in crate::store) fn new(cache_bytes: usize, meta: Option<Meta>) -> Self {
        let (overlay, behind) = Default::default();
        Self { overlay, behind, cache: Cache::new(cache_bytes), meta, is_behind: false, new_changelog: None }
    }

    /// Puts a key's value into `value` and returns true; false if there is none.
    #[inline]
    pub(in crate::store) fn get(
        &mut self,
        backend: &dyn Backend,
        store: usize,
        hash: u64,
        key: &[u8],
        value: &mut Vec<u8>,
    ) -> Result<bool> {
        let known = match self.overlay.get(hash, key).or_else(|| self.behind.get(hash, key)) {
            None => self.cache.get(hash, key),
            known => known,
        };
        if let Some(known) = known {
            value.clear();
            value.extend_from_slice(known.unwrap_or_default());
            return Ok(known.is_some());
        }
        let found = backend.get(store, key, value)?;
        self.cache.set(hash, key, found.then_some(value));
        Ok(found)
    }

    /// Moves the uncommitted writes behind: with them the store stands here.
    pub(in crate::store) fn commit(&mut self, meta: Meta) -> Result<()> {
        self.behind.append(&mut self.overlay)?;
        self.meta = Some(meta);
        self.is_behind = true;
        self.new_changelog = None;
        Ok(())
    }

    /// What the backend must be given.
    pub(in crate::store) fn writes(&self, store: usize) -> Option<Writes<'_>> {
        let meta = self.meta.as_ref().filter(|_| self.is_behind)?.clone();
        Some(Writes { store, overlay: &self.behind, meta })
    }

    /// The backend has it.
    pub(in crate::store) fn note_written(&mut self) {
        let Self { behind, cache, .. } = self;
        behind.unsorted().for_each(|(hash, key, value)| cache.set(hash, key, value));
        behind.clear();
        self.is_behind = false;
    }

    /// Forgets everything but the cache's size.
    pub(in crate::store) fn clear(&mut self) {
        self.overlay.clear();
        self.behind.clear();
        self.cache.clear();
        self.meta = None;
        self.is_behind = false;
        self.new_changelog = None;
    }

    /// Gives back the memory of what is empty.
    pub(in crate::store) fn give_back(&mut self) {
        for overlay in [&mut self.overlay, &mut self.behind] {
            if overlay.is_empty() {
                *overlay = Overlay::default();
            }
        }
    }
}
