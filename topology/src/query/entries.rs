//! Entries of a store, one after the other.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::error::Result;
use super::registry::Readable;
use super::typed::Typed;
use crate::codec::{Codec, Data};
use crate::store::{Bounds, Chunk, Direction, View, prefix_end};

/// An entry of a store.
pub struct Entry<'a, K: Data + ?Sized, V: Data + ?Sized> {
    /// Its key.
    pub key: K::Item<'a>,
    /// Its value.
    pub value: V::Item<'a>,
    /// The event time that it was put with, ms since 1970; -1: it was put without one.
    pub time_ms: i64,
}

/// Entries of a store, one after the other: [`Entries::next_entry`], which can show keys and values that borrow (`str`,
/// `[u8]`). Where neither does, it is an [`Iterator`] too. Each task's entries are as one commit left them when this
/// was made.
///
/// It may be kept for long: it copies some 32 KiB at a time and holds nothing up between that. A task that goes
/// meanwhile ends it with [`Error::Moving`](super::Error::Moving); after an error there is nothing more. Until it is
/// dropped, or has come to its end, it costs what its tasks' [`View`]s do.
pub struct Entries<K: ?Sized, V: ?Sized> {
    typed: Typed<K, V>,
    within: Within,
    direction: Direction,
    /// What is still to be read, in reverse: the last one is being read.
    parts: Vec<Part>,
    /// The last key that was copied of that.
    last_key: Option<Vec<u8>>,
    chunk: Chunk,
    /// The next entry to show of the chunk.
    next: usize,
}

/// A store of one task, at one commit.
pub struct Part {
    pub(super) readable: Arc<Readable>,
    pub(super) view: View,
    pub(super) store: usize,
}

/// Bounds, as bytes.
pub(super) struct Within {
    pub(super) start: Bound<Vec<u8>>,
    pub(super) end: Bound<Vec<u8>>,
}

impl Within {
    pub(super) fn all() -> Self {
        Self { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// Keys that begin so.
    pub(super) fn prefix(prefix: &[u8]) -> Self {
        let end = prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { start: Bound::Included(prefix.to_vec()), end }
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { start: self.start.as_ref().map(Vec::as_slice), end: self.end.as_ref().map(Vec::as_slice) }
    }
}

impl Part {
    pub(super) fn of(readable: Arc<Readable>, store: usize) -> Result<Self> {
        let view = readable.read(|reader| reader.view())?;
        Ok(Self { readable, view, store })
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> fmt::Debug for Entries<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("store", &self.typed.name()).finish_non_exhaustive()
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Entries<K, V> {
    pub(super) fn new(typed: Typed<K, V>, mut parts: Vec<Part>, within: Within, direction: Direction) -> Self {
        parts.reverse();
        Self { typed, within, direction, parts, last_key: None, chunk: Chunk::default(), next: 0 }
    }

    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, K, V>>> {
        let filled = self.fill();
        let Self { typed, parts, chunk, next, .. } = self;
        let shown = filled.map(|()| chunk.get(*next)).and_then(|copied| {
            let Some((key, value, time_ms)) = copied else { return Ok(None) };
            Ok(Some(Entry { key: typed.key(key)?, value: typed.value(value)?, time_ms }))
        });
        match shown {
            Ok(Some(_)) => *next += 1,
            Ok(None) => {}
            Err(_) => {
                parts.clear();
                *next = usize::MAX;
            }
        }
        shown
    }

    /// Sees to it that the chunk has an entry to show, if there is any.
    fn fill(&mut self) -> Result<()> {
        while self.chunk.get(self.next).is_none() {
            let Some(Part { readable, view, store }) = self.parts.last() else { return Ok(()) };
            let bounds = self.within.bounds();
            let rest = self.last_key.as_ref().map_or(bounds, |key| bounds.behind(key, self.direction));
            self.next = 0;
            readable.vouch(view.fill(*store, rest, self.direction, &mut self.chunk))?;
            if self.chunk.has_more() {
                self.last_key = self.chunk.last_key().map(<[u8]>::to_vec);
            } else {
                self.parts.pop();
                self.last_key = None;
            }
        }
        Ok(())
    }
}

impl<K, V> Iterator for Entries<K, V>
where
    K: Codec + for<'a> Data<Item<'a> = K>,
    V: Codec + for<'a> Data<Item<'a> = V>,
{
    type Item = Result<Entry<'static, K, V>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Apart and together again: as one it would be borrowed, though nothing of it is.
        match self.next_entry() {
            Ok(Some(Entry { key, value, time_ms })) => Some(Ok(Entry { key, value, time_ms })),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
