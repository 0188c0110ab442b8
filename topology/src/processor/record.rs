//! Records as they flow along an edge.

use crate::codec::Data;
use crate::log::{Headers, Offset};

use super::position::Position;

/// Of a record that stems from no input record.
const NO_OFFSET: Offset = -1;

/// A record on an edge whose keys are `K` and values `V`. What it holds may borrow from the client's buffers.
pub struct Record<'a, K: Data + ?Sized, V: Data + ?Sized> {
    /// Which of the task's inputs it stems from.
    pub input: usize,
    /// Offset of the input record it stems from; -1 where it stems from none.
    pub offset: Offset,
    /// Event time, ms since 1970; -1 where there is none.
    pub timestamp_ms: i64,
    /// The key; `None` is not the same as empty.
    pub key: Option<K::Item<'a>>,
    /// The value; `None` is a tombstone.
    pub value: Option<V::Item<'a>>,
    /// The headers.
    pub headers: Headers<'a>,
}

impl<'a, K: Data + ?Sized, V: Data + ?Sized> Record<'a, K, V> {
    /// A record without headers. `position` is the place of the input record that it stems from, `None` where it stems
    /// from none.
    pub fn new(
        position: impl Into<Option<Position>>,
        timestamp_ms: i64,
        key: Option<K::Item<'a>>,
        value: Option<V::Item<'a>>,
    ) -> Self {
        let Position { input, offset } = position.into().unwrap_or(Position::new(0, NO_OFFSET));
        Self { input, offset, timestamp_ms, key, value, headers: Headers::NONE }
    }

    /// Where the input record is that it stems from.
    pub fn position(&self) -> Position {
        Position { input: self.input, offset: self.offset }
    }

    /// A record with this key and value and everything else from `self`.
    pub fn with<K2: Data + ?Sized, V2: Data + ?Sized>(
        &self,
        key: Option<K2::Item<'a>>,
        value: Option<V2::Item<'a>>,
    ) -> Record<'a, K2, V2> {
        let Self { input, offset, timestamp_ms, headers, .. } = *self;
        Record { input, offset, timestamp_ms, key, value, headers }
    }
}
