//! Entries copied out of a store, so that nothing of it is held while they are looked at.

use std::ops::ControlFlow;

use crate::store::backends::{Bounds, Direction};
use crate::store::changelog::Timed;
use crate::store::error::Result;

/// A part of a scan: about [`Chunk::BYTES`] of entries, one at least.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    places: Vec<Place>,
    has_more: bool,
}

/// Where in the bytes an entry's key starts, where it ends and its value starts, and where that ends.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    middle: usize,
    end: usize,
    time_ms: i64,
}

/// An entry: key, value, and the value's event time.
pub(crate) type Copied<'a> = (&'a [u8], &'a [u8], i64);

/// Shown an entry; breaks to end the scan.
pub(in crate::store) type Take<'a> = &'a mut dyn FnMut(&[u8], Timed<'_>) -> ControlFlow<()>;

impl Chunk {
    /// When it has so much, what comes is left for the next.
    const BYTES: usize = 32 << 10;

    /// Takes the first entries that a scan shows.
    pub(in crate::store) fn fill(&mut self, scan: impl FnOnce(Take<'_>) -> Result<()>) -> Result<()> {
        let Self { bytes, places, has_more } = self;
        bytes.clear();
        places.clear();
        *has_more = false;
        scan(&mut |key, Timed { time_ms, value }| {
            if bytes.len() >= Self::BYTES {
                *has_more = true;
                return ControlFlow::Break(());
            }
            let start = bytes.len();
            bytes.extend_from_slice(key);
            let middle = bytes.len();
            bytes.extend_from_slice(value);
            places.push(Place { start, middle, end: bytes.len(), time_ms });
            ControlFlow::Continue(())
        })
    }

    /// Whether the scan has more behind them.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// The entry at this place, if there are so many.
    pub(crate) fn get(&self, at: usize) -> Option<Copied<'_>> {
        let Place { start, middle, end, time_ms } = *self.places.get(at)?;
        Some((&self.bytes[start..middle], &self.bytes[middle..end], time_ms))
    }

    /// All of them, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Copied<'_>> {
        (0..self.places.len()).filter_map(|at| self.get(at))
    }

    /// The key of the last of them: the next chunk begins behind it.
    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.get(self.places.len().checked_sub(1)?).map(|(key, ..)| key)
    }
}

/// Shows the visitor the entries within bounds, in this direction, until it breaks. Each chunk is copied before it is
/// shown, by `fill`, so that the visitor may use the store.
pub(in crate::store) fn visit(
    bounds: Bounds<'_>,
    direction: Direction,
    mut fill: impl FnMut(&mut Chunk, Bounds<'_>) -> Result<()>,
    mut visitor: impl FnMut(Copied<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (mut chunk, mut last_key, mut rest) = (Chunk::default(), Vec::new(), bounds);
    loop {
        fill(&mut chunk, rest)?;
        for entry in chunk.entries() {
            if visitor(entry)?.is_break() {
                return Ok(());
            }
        }
        if !chunk.has_more() {
            return Ok(());
        }
        last_key.clear();
        last_key.extend_from_slice(chunk.last_key().unwrap_or_default());
        rest = bounds.behind(&last_key, direction);
    }
}
