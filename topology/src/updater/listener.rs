//! Who wants to know how far restores are.

use std::fmt;

use super::Progress;
use crate::log::{Offset, TopicPartition};

/// Hears how far restores are, as Kafka Streams' `StateRestoreListener` does. Called on the updater's thread, with the
/// restores of all stream threads: it must not block.
///
/// ```text
///   started ──> advanced .. ──> ended
///                   └─────────> suspended     the task went elsewhere, or failed; it may start again
/// ```
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use topology::client::{RestoreListener, StoreProgress};
///
/// #[derive(Debug, Default)]
/// struct Count(AtomicU64);
///
/// impl RestoreListener for Count {
///     fn ended(&self, store: &StoreProgress<'_>) {
///         self.0.fetch_add(store.record_count, Ordering::Relaxed);
///     }
/// }
/// ```
pub trait Listener: fmt::Debug + Send + Sync {
    /// It is known from where the changelog is to be read.
    fn started(&self, _store: &StoreProgress<'_>) {}

    /// Some of the changelog was read.
    fn advanced(&self, _store: &StoreProgress<'_>) {}

    /// The store holds all that was committed when the restore began.
    fn ended(&self, _store: &StoreProgress<'_>) {}

    /// The restore ended before its goal.
    fn suspended(&self, _store: &StoreProgress<'_>) {}

    /// How far all that is being restored now is together, after each step; `None` once nothing is being restored any
    /// more.
    fn overall(&self, _progress: Option<Progress>) {}
}

/// How far the restore of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreProgress<'p> {
    /// Its changelog.
    pub changelog: &'p TopicPartition,
    /// The first offset to be read: what lies below is in the store already.
    pub first: Offset,
    /// The next offset to be read.
    pub position: Offset,
    /// One past the last offset to be read.
    pub end: Offset,
    /// How many records were read into the store so far.
    pub record_count: u64,
}
