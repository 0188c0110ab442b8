//! What the broker needs of storage: one atomic write, one read.
//!
//! The broker keeps everything but the records in memory. Storage keeps the records, in batches, and rows from which
//! the rest can be built again ([`super::row`]); where nothing outlives the process, rows may be thrown away.

use std::sync::Arc;

use crate::log::{Offset, Result};

/// A partition of one incarnation of a topic: a topic deleted and created again has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionId {
    pub(crate) topic: u32,
    pub(crate) partition: u32,
}

/// A stored batch of records, shared with its readers.
pub(crate) type Chunk = Arc<[u8]>;

/// A row and its new value; `None` removes it.
pub(crate) type RowChange = (Vec<u8>, Option<Vec<u8>>);

/// Changes that happen together or not at all: first the removals, then the rest.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    /// Batches to remove, by base offset.
    pub(crate) remove: Vec<(PartitionId, Offset)>,
    /// Removes the batches that lie wholly in `[from, before)`, where `from` is at or below the first.
    pub(crate) remove_below: Vec<(PartitionId, Offset, Offset)>,
    /// Topics all of whose batches go, with their partition counts.
    pub(crate) remove_topics: Vec<(u32, u32)>,
    /// Batches to put, by base offset.
    pub(crate) put: Vec<(PartitionId, Offset, &'a [u8])>,
    /// Rows to write.
    pub(crate) rows: Vec<RowChange>,
    /// Whether this ends a transaction, and must be on disk before it returns if that was asked for.
    pub(crate) sync: bool,
}

/// What a read found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Batches in offset order; the first may begin before what was asked for.
    pub(crate) chunks: Vec<Chunk>,
    /// Whether there is nothing more below the end that was given.
    pub(crate) exhausted: bool,
}

/// Where batches and rows are.
pub(crate) trait Storage: Send + Sync + 'static {
    /// Does all of it or, with an error, none. Whether a failed write is found after a restart is not known.
    fn write(&self, changes: &Changes<'_>) -> Result<()>;

    /// The batches that hold offsets in `[from, until)`, stopping after the one with which `bytes_max` is reached.
    fn read(&self, partition: PartitionId, from: Offset, until: Offset, bytes_max: usize) -> Result<Found>;
}
