//! The one table of a store in which its stream thread looks a key up.

#[cfg(test)]
mod tests;

use super::order::Order;
use super::table::{Known, Pieces, Table};
use crate::store::backends::{Bounds, Direction};
use crate::store::error::Result;
use crate::store::segments::{Run, Write};

/// The latest values that are known of keys: those written and not committed yet, which are marked, and committed ones
/// that were written or read lately.
///
/// ```text
///            put, delete (marks)   get (found below)
///                        \           /
///   [ young ]   <--------------------             an old entry that is used enters again
///       | too large: grows old, unless something in it is not committed
///   [ old ]     <-- forgotten as a whole when the young one grows old
/// ```
/// So what is used stays; a key in use lies in the young table, and takes one look. Nothing is freed entry by entry.
///
/// [`Latest::complete_from`] tells what a miss means: all commits after that one are in here. So if the backend has the
/// commits up to there, it has whatever is not found here, and no segment need be looked into.
#[derive(Debug)]
pub(in crate::store) struct Latest {
    young: Table,
    old: Table,
    /// The last commits whose writes they hold.
    young_commit: u64,
    old_commit: u64,
    complete_from: u64,
    /// Entries of the young table with writes that are not committed, as they came.
    written: Vec<u32>,
    written_bytes: usize,
    order: Order,
    /// A table that is larger grows old.
    generation_bytes: usize,
    /// Whether to keep what was read.
    keeps_reads: bool,
    /// Differs whenever entries have other numbers than before.
    numbering: u64,
}

/// Where a key's entry lies, for as long as the tables stay as they are.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Place {
    numbering: u64,
    number: u32,
}

/// What a look-up finds.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Found<'a> {
    /// The key's value, `None` if it has none.
    Here(Option<&'a [u8]>),
    /// Nothing that was written after [`Latest::complete_from`].
    Older,
    /// Nothing at all: it may lie anywhere.
    Unknown,
}

/// How much of the whole a generation may use. A table takes up to 1.3 times what is used in it, and there are two: the
/// rest is for the order of writes.
const fn generation_bytes(size_bytes_max: usize) -> usize {
    let elevenths = size_bytes_max / 11 * 4;
    if elevenths < GENERATION_BYTES_MAX { elevenths } else { GENERATION_BYTES_MAX }
}

/// So that places fit 32 bits.
const GENERATION_BYTES_MAX: usize = 1 << 31;

impl Latest {
    pub(in crate::store) fn new(keeps_reads: bool) -> Self {
        Self {
            young: Table::default(),
            old: Table::default(),
            young_commit: 0,
            old_commit: 0,
            complete_from: 0,
            written: Vec::new(),
            written_bytes: 0,
            order: Order::default(),
            generation_bytes: 0,
            keeps_reads,
            numbering: 0,
        }
    }

    /// All commits after this one are in here.
    #[inline]
    pub(in crate::store) fn complete_from(&self) -> u64 {
        self.complete_from
    }

    /// What is known of a key, and where.
    #[inline]
    pub(in crate::store) fn get(&mut self, hash: u64, key: &[u8]) -> (Found<'_>, Option<Place>) {
        if let Some(number) = self.young.find(hash, key) {
            let place = Some(Place { numbering: self.numbering, number });
            return match self.young.known(number) {
                Known::Value(value) => (Found::Here(Some(value)), place),
                Known::Absent => (Found::Here(None), place),
                Known::Nothing => (Found::Unknown, place),
            };
        }
        self.get_old(hash, key)
    }

    fn get_old(&mut self, hash: u64, key: &[u8]) -> (Found<'_>, Option<Place>) {
        let Some(old) = self.old.find(hash, key) else { return (Found::Older, None) };
        let value = match self.old.known(old) {
            Known::Value(value) => Some(value),
            Known::Absent => None,
            Known::Nothing => return (Found::Unknown, None),
        };
        let kept = may_keep(&self.young, self.generation_bytes, &self.written, key, value)
            .then(|| self.young.insert(hash, key, value.map(|value| [value, &[]])).ok())
            .flatten();
        let Some(number) = kept else { return (Found::Here(self.old.value(old)), None) };
        match self.grow_old_if_full() {
            true => (Found::Here(self.old.value(number)), None),
            false => (Found::Here(self.young.value(number)), Some(Place { numbering: self.numbering, number })),
        }
    }

    /// Notes what lies below of a key that was not found here; returns where, if it was worth the room.
    pub(in crate::store) fn note(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Option<Place> {
        let pieces = value.map(|value| [value, &[]]);
        if let Some(number) = self.valid(place) {
            // If there is no room the entry stays forgotten.
            return self.young.replace(number, pieces).is_ok().then_some(place?);
        }
        if !self.keeps_reads || !may_keep(&self.young, self.generation_bytes, &self.written, key, value) {
            return None;
        }
        let number = self.young.insert(hash, key, pieces).ok()?;
        (!self.grow_old_if_full()).then_some(Place { numbering: self.numbering, number })
    }

    /// Sets a key's value, or deletes it; not committed yet. `place` is where it lies, if that is known.
    #[inline]
    pub(in crate::store) fn set(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        value: Option<Pieces<'_>>,
    ) -> Result<()> {
        let before_bytes = self.young.size_bytes();
        let number = match self.valid(place).or_else(|| self.young.find(hash, key)) {
            Some(number) => {
                self.young.replace(number, value)?;
                number
            }
            None => self.young.insert(hash, key, value)?,
        };
        let added_bytes = self.young.size_bytes() - before_bytes;
        if self.young.mark(number) {
            self.written_bytes += added_bytes;
        } else {
            self.written.push(number);
            let value_bytes = value.map_or(0, |pieces| pieces[0].len() + pieces[1].len());
            self.written_bytes += added_bytes.max(key.len() + value_bytes + Table::ENTRY_BYTES);
        }
        Ok(())
    }

    /// What was written of a key and is not committed: `Some(None)` if it was deleted.
    pub(in crate::store) fn written(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        let number = self.young.find(hash, key).filter(|&number| self.young.is_marked(number))?;
        Some(self.young.value(number))
    }

    /// Takes back the last write, of this key: what [`Latest::written`] said before it counts again. Writes are taken
    /// back in the reverse of their order. Where it was the key's first, nothing is known of it any more.
    pub(in crate::store) fn put_back(&mut self, hash: u64, key: &[u8], before: Option<Option<&[u8]>>) -> Result<()> {
        // Where something is written, the young table does not grow old.
        let Some(number) = self.young.find(hash, key) else { return Ok(()) };
        if let Some(before) = before {
            return self.young.replace(number, before.map(|value| [value, &[]]));
        }
        if self.written.last() == Some(&number) {
            self.written.pop();
            self.young.unmark(number);
            self.young.forget(number);
            self.written_bytes = self.written_bytes.saturating_sub(key.len() + Table::ENTRY_BYTES);
            self.order.clear();
        }
        // What was taken back takes room in the table; there may be no commit of this store that would free it.
        if self.written.is_empty() {
            self.end_writes();
            self.grow_old_if_full();
        }
        Ok(())
    }

    #[inline]
    fn valid(&self, place: Option<Place>) -> Option<u32> {
        place.filter(|place| place.numbering == self.numbering).map(|place| place.number)
    }

    /// A young table that is too large grows old, unless something is written in it; returns whether it did.
    fn grow_old_if_full(&mut self) -> bool {
        let is_full = self.young.size_bytes() > self.generation_bytes && self.written.is_empty();
        if is_full {
            // What the old one held must be found below from now on.
            self.complete_from = self.complete_from.max(self.old_commit);
            std::mem::swap(&mut self.young, &mut self.old);
            self.old_commit = self.young_commit;
            self.young.clear_to(self.generation_bytes);
            self.numbering += 1;
        }
        is_full
    }

    /// Takes no more than this from now on, but for what is written and not committed. A commit that wrote more than
    /// there is room for is forgotten: where there are many stores, each would keep what its largest commit took, until
    /// it is written to as much again.
    pub(in crate::store) fn fit(&mut self, size_bytes_max: usize) {
        self.generation_bytes = generation_bytes(size_bytes_max);
        self.grow_old_if_full();
        if self.written.is_empty() && self.order_taken_bytes() > size_bytes_max / 20 {
            (self.written, self.order) = Default::default();
        }
        for kept_bytes in [self.generation_bytes, 0] {
            if self.taken_bytes() > size_bytes_max {
                self.complete_from = self.complete_from.max(self.old_commit);
                self.old.clear_to(kept_bytes);
            }
        }
    }

    /// Whether nothing is written and not committed.
    pub(in crate::store) fn has_no_writes(&self) -> bool {
        self.written.is_empty()
    }

    /// What is written and not committed takes in memory, about.
    pub(in crate::store) fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    /// What it has taken of the process's memory, used or not.
    pub(in crate::store) fn taken_bytes(&self) -> usize {
        self.young.taken_bytes() + self.old.taken_bytes() + self.order_taken_bytes()
    }

    /// Of that, what tells which entries are written, and in which order.
    fn order_taken_bytes(&self) -> usize {
        self.written.capacity() * size_of::<u32>() + self.order.taken_bytes()
    }

    /// What is written and not committed, in key order.
    pub(in crate::store) fn writes(&mut self) -> impl ExactSizeIterator<Item = Write<'_>> {
        let table = &self.young;
        self.order.all(table, &self.written).iter().map(|&number| (table.key(number), table.value(number)))
    }

    /// The same within bounds, in this direction.
    pub(in crate::store) fn writes_within(
        &mut self,
        bounds: Bounds<'_>,
        direction: Direction,
    ) -> impl Iterator<Item = Write<'_>> {
        let table = &self.young;
        self.order.settle(table, &self.written);
        let mut numbers = self.order.within(table, bounds);
        let next = move || match direction {
            Direction::Forward => numbers.next(),
            Direction::Reverse => numbers.next_back(),
        };
        std::iter::from_fn(next).map(|number| (table.key(number), table.value(number)))
    }

    /// A copy of what is written and not committed, in key order.
    pub(in crate::store) fn freeze(&mut self) -> Result<Run> {
        let payload_bytes = self.written_bytes.saturating_sub(self.written.len() * Table::ENTRY_BYTES);
        let mut run = Run::with_capacity(self.written.len(), payload_bytes);
        self.writes().try_for_each(|(key, value)| run.push(key, value))?;
        Ok(run)
    }

    /// The writes are committed, with this commit. Then a table that is too large grows old: `size_bytes_max` is for
    /// all.
    pub(in crate::store) fn commit(&mut self, commit: u64, size_bytes_max: usize) {
        self.written.drain(..).for_each(|number| self.young.unmark(number));
        self.end_writes();
        self.young_commit = commit;
        self.fit(size_bytes_max);
    }

    /// The writes are void: of these keys nothing is known any more.
    pub(in crate::store) fn discard(&mut self) {
        for &number in &self.written {
            self.young.unmark(number);
            self.young.forget(number);
        }
        self.end_writes();
    }

    fn end_writes(&mut self) {
        super::table::empty(&mut self.written);
        self.written_bytes = 0;
        self.order.clear();
    }

    /// Forgets everything, committed with these commits and before; writes as well.
    pub(in crate::store) fn clear(&mut self, commit: u64) {
        self.young.clear();
        self.old.clear();
        self.end_writes();
        self.complete_from = commit;
        self.numbering += 1;
    }

    /// Gives all memory back; keeps what [`Latest::clear`] keeps.
    pub(in crate::store) fn give_back(&mut self, commit: u64) {
        let numbering = self.numbering + 1;
        let (generation_bytes, keeps_reads) = (self.generation_bytes, self.keeps_reads);
        *self = Self { complete_from: commit, generation_bytes, numbering, ..Self::new(keeps_reads) };
    }

    /// How large it may be before the first commit tells.
    pub(in crate::store) fn set_size_bytes_max(&mut self, size_bytes_max: usize) {
        self.generation_bytes = generation_bytes(size_bytes_max);
    }
}

/// Whether a committed value may be kept: it must not be large, and where something is written the table must not grow
/// for it.
fn may_keep(young: &Table, generation_bytes: usize, written: &[u32], key: &[u8], value: Option<&[u8]>) -> bool {
    let added_bytes = key.len() + value.map_or(0, <[u8]>::len) + Table::ENTRY_BYTES;
    added_bytes <= generation_bytes / 4 && (written.is_empty() || young.size_bytes() + added_bytes <= generation_bytes)
}
