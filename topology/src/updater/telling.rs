//! What a listener was told of a task's stores.

use super::restore::Restore;
use super::{Listener, StoreProgress};
use crate::log::{Log, Offset};

/// Of each store, how far it was when the listener heard of it last.
pub(super) struct Telling {
    told: Vec<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// Started, and advanced so far.
    Position(Offset),
    /// Ended or suspended.
    End,
}

impl Telling {
    pub(super) fn new(store_count: usize) -> Self {
        Self { told: vec![Told::Nothing; store_count] }
    }

    /// Tells what a step changed.
    pub(super) fn advanced<L: Log>(&mut self, restore: &Restore<L>, listener: &dyn Listener) {
        for (told, store) in self.told.iter_mut().zip(restore.stores()) {
            let Some((store, is_done)) = store else { continue };
            if *told == Told::Nothing {
                listener.started(&StoreProgress { position: store.first, record_count: 0, ..store });
                *told = Told::Position(store.first);
            }
            if let Told::Position(position) = *told
                && position < store.position
            {
                listener.advanced(&store);
                *told = Told::Position(store.position);
            }
            if is_done && *told != Told::End {
                listener.ended(&store);
                *told = Told::End;
            }
        }
    }

    /// Tells that those that have started and not ended go no further.
    pub(super) fn suspended<L: Log>(&mut self, restore: &Restore<L>, listener: &dyn Listener) {
        for (told, store) in self.told.iter_mut().zip(restore.stores()) {
            if let (Told::Position(_), Some((store, _))) = (*told, store) {
                listener.suspended(&store);
                *told = Told::End;
            }
        }
    }
}
