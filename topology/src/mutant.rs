//! Bugs that are put in on purpose: whatever is to find bugs must find these. There are none outside of tests of this
//! crate: the module is not compiled there, and neither is what asks it.
//!
//! Each is one question at one place of the production code, which names it.

use std::cell::Cell;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Stores take what was written before the transaction is committed.
    StoreBeforeCommit,
    /// Offsets are committed outside the transaction.
    OffsetsOutside,
    /// A producer goes on though the outcome of its last call is not known.
    ReusedProducer,
    /// A restore is over where its position is the changelog's end, and does not look for what is behind the last
    /// record.
    ShortRestore,
    /// What was written stays where a transaction failed.
    KeptOverlay,
    /// A query sees what is written and not committed yet. All else is as it should be.
    UncommittedQuery,
}

thread_local! {
    static LIVING: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether the bug is there, on this thread.
pub(crate) fn lives(mutant: Mutant) -> bool {
    LIVING.get() == Some(mutant)
}

/// Acts with the bug, on this thread.
pub(crate) fn with<T>(mutant: Mutant, act: impl FnOnce() -> T) -> T {
    LIVING.set(Some(mutant));
    let _end = End;
    act()
}

/// This thread acts with the bug from now on: for threads that others start, and where a user's code runs on them.
pub(crate) fn let_live(mutant: Mutant) {
    LIVING.set(Some(mutant));
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        LIVING.set(None);
    }
}
