//! One store of a task, as its stream thread sees it.

use super::latest::{Found, Latest, Place};
use super::table::Pieces;
use crate::store::budget::TableShare;
use crate::store::changelog::{Beginning, Meta};
use crate::store::error::Result;
use crate::store::segments::{Committed, Part};

/// The table for point reads, over what is committed.
pub(in crate::store) struct Slot {
    pub(in crate::store) latest: Latest,
    /// Where the store stands.
    pub(in crate::store) meta: Option<Meta>,
    /// The changelog is empty; its first record will hold this.
    pub(in crate::store) new_changelog: Option<Beginning>,
    share: TableShare,
    /// No more than this, however much memory there is.
    table_bytes_max: usize,
    commit: u64,
}

impl Slot {
    /// A store as its backend has it.
    pub(in crate::store) fn new(
        mut share: TableShare,
        table_bytes_max: usize,
        keeps_reads: bool,
        meta: Option<Meta>,
    ) -> Self {
        let mut latest = Latest::new(keeps_reads);
        latest.set_size_bytes_max(share.settle(0).min(table_bytes_max));
        Self { latest, meta, new_changelog: None, share, table_bytes_max, commit: 0 }
    }

    /// Puts a key's value into `value` and returns true; false if there is none. Also where the key lies now, if in the
    /// table.
    #[inline]
    pub(in crate::store) fn get(
        &mut self,
        committed: &Committed,
        store: usize,
        hash: u64,
        key: &[u8],
        value: &mut Vec<u8>,
    ) -> Result<(bool, Option<Place>)> {
        let (found, place) = self.latest.get(hash, key);
        match found {
            Found::Here(found) => {
                value.clear();
                value.extend_from_slice(found.unwrap_or_default());
                Ok((found.is_some(), place))
            }
            Found::Older => self.get_below(committed, false, (store, hash, key), value, place),
            Found::Unknown => self.get_below(committed, true, (store, hash, key), value, place),
        }
    }

    /// What is not in the table lies in the backend, unless it was committed lately.
    fn get_below(
        &mut self,
        committed: &Committed,
        in_segments: bool,
        (store, hash, key): (usize, u64, &[u8]),
        value: &mut Vec<u8>,
        place: Option<Place>,
    ) -> Result<(bool, Option<Place>)> {
        if in_segments || committed.folded() < self.latest.complete_from() {
            let list = committed.list();
            if let Some(found) = list.get(store, key) {
                value.clear();
                value.extend_from_slice(found.unwrap_or_default());
                return Ok((found.is_some(), self.latest.note(place, hash, key, found)));
            }
        }
        let found = committed.backend().get(store, key, value)?;
        Ok((found, self.latest.note(place, hash, key, found.then_some(value))))
    }

    /// Sets a key's value, or deletes it; not committed yet.
    #[inline]
    pub(in crate::store) fn set(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        value: Option<Pieces<'_>>,
    ) -> Result<()> {
        self.latest.set(place, hash, key, value)
    }

    /// What is written, as part of a segment: with it the store will stand here.
    pub(in crate::store) fn freeze(&mut self, store: usize, meta: Meta) -> Result<Part> {
        Ok(Part { store, run: self.latest.freeze()?.into(), meta })
    }

    /// The writes are committed, and published.
    pub(in crate::store) fn commit(&mut self, meta: Meta, commit: u64) {
        let size_bytes_max = self.tell_size().min(self.table_bytes_max);
        self.latest.commit(commit, size_bytes_max);
        self.tell_size();
        self.meta = Some(meta);
        self.commit = commit;
        self.new_changelog = None;
    }

    /// The staged writes are committed, and published. Nothing reads it soon.
    pub(in crate::store) fn commit_staged(&mut self, meta: Meta, commit: u64) {
        self.latest.clear(commit);
        self.commit(meta, commit);
    }

    /// As after [`Slot::new`], without a position.
    pub(in crate::store) fn clear(&mut self) {
        self.latest.clear(self.commit);
        self.tell_size();
        self.meta = None;
        self.new_changelog = None;
    }

    /// What is written and not committed is void.
    pub(in crate::store) fn discard(&mut self) {
        if !self.latest.has_no_writes() {
            self.latest.discard();
            self.fit();
        }
    }

    /// Gives back the memory of what nothing is written in.
    pub(in crate::store) fn give_back(&mut self) {
        if self.latest.has_no_writes() {
            self.latest.give_back(self.commit);
            self.tell_size();
        }
    }

    /// Gives back what is more than its part, where all tables together have more than there is: one that no commit
    /// comes to would keep it for ever.
    #[inline]
    pub(in crate::store) fn make_way(&mut self) {
        if self.share.is_wanted() {
            self.fit();
        }
    }

    #[cold]
    fn fit(&mut self) {
        let size_bytes_max = self.tell_size().min(self.table_bytes_max);
        self.latest.fit(size_bytes_max);
        self.tell_size();
    }

    /// Returns how large it may be.
    fn tell_size(&mut self) -> usize {
        self.share.settle(self.latest.taken_bytes())
    }
}
