//! Writes in memory over a scan of a backend.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::ControlFlow;

use crate::store::backends::{Direction, Visitor};
use crate::store::changelog::Timed;
use crate::store::error::Result;
use crate::store::segments::Write;

/// Two lists of writes that go in the same direction, as one. Of a key that both have, the newer write counts.
pub(in crate::store) fn merge<'a>(
    newer: impl Iterator<Item = Write<'a>>,
    older: impl Iterator<Item = Write<'a>>,
    direction: Direction,
) -> impl Iterator<Item = Write<'a>> {
    let (mut newer, mut older) = (newer.peekable(), older.peekable());
    std::iter::from_fn(move || {
        let order = match (newer.peek(), older.peek()) {
            (Some((new, _)), Some((old, _))) => direction.compare(new, old),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        if order.is_gt() {
            return older.next();
        }
        if order.is_eq() {
            older.next();
        }
        newer.next()
    })
}

/// Writes that lie above a backend.
pub(in crate::store) struct Scan<I: Iterator> {
    above: Peekable<I>,
    direction: Direction,
}

impl<'a, I: Iterator<Item = Write<'a>>> Scan<I> {
    pub(in crate::store) fn new(above: I, direction: Direction) -> Self {
        Self { above: above.peekable(), direction }
    }

    /// Shows the visitor both, until it breaks: `below` scans the backend, within the same bounds and in the same
    /// direction.
    pub(in crate::store) fn over(
        mut self,
        store: &str,
        below: impl FnOnce(Visitor<'_>) -> Result<()>,
        visitor: &mut dyn FnMut(&[u8], Timed<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let Self { above, direction } = &mut self;
        let mut outcome = Ok(());
        let mut show = |key: &[u8], value: &[u8]| match Timed::decode(store, value) {
            Ok(value) => visitor(key, value),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        };
        let mut flow = ControlFlow::Continue(());
        below(&mut |key, value| {
            // What was written and comes first, then what was written under this key, or else what lies below.
            while let Some((new_key, new_value)) = above.next_if(|(new, _)| direction.compare(new, key).is_lt()) {
                flow = new_value.map_or(ControlFlow::Continue(()), |value| show(new_key, value));
                flow?;
            }
            flow = match above.next_if(|(new_key, _)| *new_key == key) {
                Some((_, Some(new_value))) => show(key, new_value),
                Some((_, None)) => ControlFlow::Continue(()),
                None => show(key, value),
            };
            flow
        })?;
        for (key, value) in above {
            if flow.is_break() {
                break;
            }
            flow = value.map_or(ControlFlow::Continue(()), |value| show(key, value));
        }
        outcome
    }
}
