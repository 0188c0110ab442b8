//! A task's stores on a simulated disk, open.

use std::sync::Arc;

use super::disk::Files;
use crate::store::backends::{Backend, Bounds, Direction, Memory, Snapshot, Visitor, Writes};
use crate::store::changelog::Meta;
use crate::store::error::Result;

/// Memory, and each version of it given to the disk.
#[derive(Debug)]
pub(in crate::store) struct Simulated {
    memory: Memory,
    files: Arc<Files>,
}

impl Simulated {
    pub(super) fn new(memory: Memory, files: Arc<Files>) -> Self {
        Self { memory, files }
    }
}

impl Backend for Simulated {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.memory.get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        self.memory.range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        self.memory.meta(store)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        self.memory.snapshot()
    }

    fn apply(&self, writes: &[Writes<'_>]) -> Result<()> {
        self.memory.apply(writes)?;
        self.files.write(self.memory.version());
        Ok(())
    }

    /// Safe at once, as RocksDB's is.
    fn wipe(&self, store: usize) -> Result<()> {
        self.memory.wipe(store)?;
        self.files.write(self.memory.version());
        self.flush()
    }

    fn flush(&self) -> Result<()> {
        self.files.flush();
        Ok(())
    }

    fn start_flush(&self) -> Result<()> {
        self.files.start_flush();
        Ok(())
    }
}
