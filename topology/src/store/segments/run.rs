//! A sorted run: writes of one store in key order, never changed again.

use std::cmp::Ordering;
use std::ops::Range;

use crate::store::backends::{Bounds, Direction};
use crate::store::error::{Error, Kind, Result};

/// The last write of each of some keys, `None` where the key was deleted.
///
/// ```text
/// entries   start, key size, value size (or "deleted")      one per key, in key order
/// bytes     | key | value | key | value | key | key | value |
/// ```
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    key_size: u32,
    value_size: u32,
}

/// The `value_size` of a deleted key.
const DELETED: u32 = u32::MAX;

/// A key, and its value unless it was deleted.
pub(in crate::store) type Write<'a> = (&'a [u8], Option<&'a [u8]>);

impl Run {
    /// What an entry costs beside its bytes.
    pub(in crate::store) const ENTRY_BYTES: usize = size_of::<Entry>();
    /// No run is longer, in bytes of keys and values, so that every place fits 32 bits.
    pub(in crate::store) const BYTES_MAX: usize = (u32::MAX - 1) as usize;

    /// An empty one with room for so many entries and bytes.
    pub(in crate::store) fn with_capacity(entry_count: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), entries: Vec::with_capacity(entry_count) }
    }

    /// Writes in key order, each key once.
    #[cfg(test)]
    pub(crate) fn new<'a>(writes: impl IntoIterator<Item = Write<'a>>) -> Result<Self> {
        let mut run = Self::default();
        for (key, value) in writes {
            if run.last_key().is_some_and(|last| last >= key) {
                return Err(Error::new(Kind::Invalid, "the writes of a run must be in key order"));
            }
            run.push(key, value)?;
        }
        Ok(run)
    }

    /// Adds a write; its key must be larger than all before.
    #[inline]
    pub(in crate::store) fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let added_bytes = key.len().saturating_add(value.map_or(0, <[u8]>::len));
        if added_bytes > Self::BYTES_MAX - self.bytes.len() {
            return Err(too_long());
        }
        // Every place fits 32 bits then.
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        let value_size = value.map_or(DELETED, |value| value.len() as u32);
        self.entries.push(Entry { start, key_size: key.len() as u32, value_size });
        Ok(())
    }

    /// How many keys it speaks of.
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it speaks of none.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it takes in memory.
    pub(in crate::store) fn size_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * Self::ENTRY_BYTES
    }

    #[inline]
    pub(in crate::store) fn key(&self, at: usize) -> &[u8] {
        let entry = &self.entries[at];
        &self.bytes[entry.start as usize..][..entry.key_size as usize]
    }

    /// The write at this place in key order.
    #[inline]
    pub(in crate::store) fn at(&self, at: usize) -> Write<'_> {
        let Entry { start, key_size, value_size } = self.entries[at];
        let (key, rest) = self.bytes[start as usize..].split_at(key_size as usize);
        (key, (value_size != DELETED).then(|| &rest[..value_size as usize]))
    }

    #[cfg(test)]
    fn last_key(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|at| self.key(at))
    }

    /// How many keys are smaller than `key`, or also equal to it.
    #[inline]
    pub(in crate::store) fn count_below(&self, key: &[u8], or_equal: bool) -> usize {
        self.entries.partition_point(|entry| {
            let order = self.bytes[entry.start as usize..][..entry.key_size as usize].cmp(key);
            order.is_lt() || (or_equal && order.is_eq())
        })
    }

    /// `Some(Some(value))` if the key was put, `Some(None)` if it was deleted, `None` if this run says nothing of it.
    pub(in crate::store) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let at = self.count_below(key, false);
        if at == self.len() {
            return None;
        }
        let (found, value) = self.at(at);
        (found == key).then_some(value)
    }

    /// All writes in key order.
    pub(in crate::store) fn iter(&self) -> impl ExactSizeIterator<Item = Write<'_>> {
        (0..self.len()).map(|at| self.at(at))
    }

    /// The writes at these places, forwards.
    pub(in crate::store) fn part(&self, places: Range<usize>) -> Within<'_> {
        Within { run: self, rest: places, direction: Direction::Forward }
    }

    /// Gives back room that it does not use.
    pub(in crate::store) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// The writes within bounds, in this direction.
    pub(in crate::store) fn within(&self, bounds: Bounds<'_>, direction: Direction) -> Within<'_> {
        Within { run: self, rest: bounds.slice(self.len(), |at| self.key(at)), direction }
    }

    /// Two runs as one. Of a key that both have, the newer write counts.
    pub(in crate::store) fn merge(newer: &Run, older: &Run) -> Result<Run> {
        let mut merged = Run::with_capacity(newer.len() + older.len(), newer.bytes.len() + older.bytes.len());
        let (mut new_at, mut old_at) = (0, 0);
        while new_at < newer.len() && old_at < older.len() {
            let order = newer.key(new_at).cmp(older.key(old_at));
            let (key, value) = if order == Ordering::Greater { older.at(old_at) } else { newer.at(new_at) };
            merged.push(key, value)?;
            new_at += usize::from(order != Ordering::Greater);
            old_at += usize::from(order != Ordering::Less);
        }
        for (run, rest) in [(newer, new_at..newer.len()), (older, old_at..older.len())] {
            for at in rest {
                let (key, value) = run.at(at);
                merged.push(key, value)?;
            }
        }
        merged.give_back();
        Ok(merged)
    }

    /// Gives back what keys that both runs had were to take, where that is much: a run takes what it says.
    fn give_back(&mut self) {
        if self.bytes.len() + self.entries.len() * Self::ENTRY_BYTES < self.capacity_bytes() / 8 * 7 {
            self.shrink();
        }
    }

    fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * Self::ENTRY_BYTES
    }
}

#[cold]
fn too_long() -> Error {
    Error::new(Kind::TooLarge, "more than 4 GiB of writes lie in one place: commit more often, or write smaller values")
}

/// Part of a run, in one direction.
#[derive(Clone, Debug)]
pub(in crate::store) struct Within<'a> {
    run: &'a Run,
    rest: Range<usize>,
    direction: Direction,
}

impl<'a> Within<'a> {
    /// What comes next.
    #[inline]
    fn peek(&self) -> Option<Write<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.run.at(match self.direction {
            Direction::Forward => self.rest.start,
            Direction::Reverse => self.rest.end - 1,
        }))
    }

    fn advance(&mut self) {
        match self.direction {
            Direction::Forward => self.rest.start += 1,
            Direction::Reverse => self.rest.end -= 1,
        }
    }
}

impl<'a> Iterator for Within<'a> {
    type Item = Write<'a>;

    fn next(&mut self) -> Option<Write<'a>> {
        let next = self.peek()?;
        self.advance();
        Some(next)
    }
}

/// Runs as one, newest first: of a key that several have, the newest write counts.
#[derive(Debug)]
pub(in crate::store) struct Merged<'a> {
    runs: Vec<Within<'a>>,
    direction: Direction,
}

impl<'a> Merged<'a> {
    /// All of them must go in this direction.
    pub(in crate::store) fn new(runs: Vec<Within<'a>>, direction: Direction) -> Self {
        Self { runs, direction }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Write<'a>;

    fn next(&mut self) -> Option<Write<'a>> {
        let mut first: Option<Write<'a>> = None;
        for run in &self.runs {
            let Some((key, value)) = run.peek() else { continue };
            if first.is_none_or(|(smallest, _)| self.direction.compare(key, smallest).is_lt()) {
                first = Some((key, value));
            }
        }
        let (key, _) = first?;
        for run in &mut self.runs {
            if run.peek().is_some_and(|(other, _)| other == key) {
                run.advance();
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::ops::Bound;

    type Map = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn writes() -> impl Strategy<Value = Map> {
        let key = prop::collection::vec(0u8..4, 0..4);
        prop::collection::btree_map(key, prop::option::of(prop::collection::vec(any::<u8>(), 0..5)), 0..40)
    }

    fn run(map: &Map) -> Run {
        Run::new(map.iter().map(|(key, value)| (&key[..], value.as_deref()))).unwrap()
    }

    fn owned<'a>(writes: impl Iterator<Item = Write<'a>>) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        writes.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn a_merged_run_takes_little_more_than_it_says() {
        for shift in [0u32, 10, 500, 1_000] {
            let keys: Vec<[u8; 4]> = (0..2_000u32).map(u32::to_be_bytes).collect();
            let of = |keys: &[[u8; 4]]| Run::new(keys.iter().map(|key| (&key[..], Some(&[7; 20][..])))).unwrap();
            let (older, newer) = (of(&keys[..1_000]), of(&keys[shift as usize..][..1_000]));
            let merged = Run::merge(&newer, &older).unwrap();
            assert!(merged.capacity_bytes() / 8 * 7 <= merged.size_bytes(), "shifted by {shift}");
        }
    }

    proptest! {
        #[test]
        fn a_run_answers_as_the_map_it_was_made_from(map in writes(), key in prop::collection::vec(0u8..4, 0..4)) {
            let run = run(&map);
            prop_assert_eq!(owned(run.iter()), map.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(run.get(&key).map(|value| value.map(<[u8]>::to_vec)), map.get(&key).cloned());
        }

        #[test]
        fn runs_together_answer_as_maps_written_one_after_the_other(
            maps in prop::collection::vec(writes(), 0..5), start in prop::collection::vec(0u8..4, 0..4), back: bool,
        ) {
            let runs: Vec<Run> = maps.iter().map(run).collect();
            let mut model = Map::new();
            maps.into_iter().for_each(|map| model.extend(map));
            let merged = runs.iter().try_fold(Run::default(), |older, newer| Run::merge(newer, &older)).unwrap();
            prop_assert_eq!(owned(merged.iter()), model.clone().into_iter().collect::<Vec<_>>());

            let direction = if back { Direction::Reverse } else { Direction::Forward };
            let bounds = Bounds { start: Bound::Included(&start[..]), end: Bound::Unbounded };
            let newest_first = runs.iter().rev().map(|run| run.within(bounds, direction)).collect();
            let mut expected: Vec<_> = model.into_iter().filter(|(key, _)| *key >= start).collect();
            if back {
                expected.reverse();
            }
            prop_assert_eq!(owned(Merged::new(newest_first, direction)), expected);
        }
    }
}
