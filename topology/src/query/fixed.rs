//! A store as a snapshot has it.

use std::sync::Arc;

use super::entries::Part;
use super::error::Result;
use super::key_value::Source;
use super::registry::Readable;
use crate::codec::Data;
use crate::store::{Direction, Value, View};

/// A store's entries in one task, at one commit. A [`Source`] of [`KeyValue`](super::KeyValue).
#[derive(Clone)]
pub struct Fixed {
    pub(super) readable: Arc<Readable>,
    pub(super) view: View,
    pub(super) store: usize,
}

impl<K: Data + ?Sized> Source<K> for Fixed {
    fn value(&self, _: &K::Item<'_>, bytes: &[u8]) -> Result<Option<Value>> {
        self.readable.vouch(self.view.get(self.store, bytes))
    }

    fn parts(&self, _: Direction) -> Result<Vec<Part>> {
        let Self { readable, view, store } = self.clone();
        Ok(vec![Part { readable, view, store }])
    }
}
