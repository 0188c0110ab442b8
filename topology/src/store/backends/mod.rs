//! Where committed state lives: in memory, in RocksDB, or some stores here and some there.
//!
//! May use `segments`' runs, `changelog`'s positions and `error`. Without the feature `rocksdb`, `without_rocks` stands
//! in for the disk: it says that there is none.

mod backend;
mod memory;
mod pages;
#[cfg(feature = "rocksdb")]
mod rocks;
#[cfg(feature = "rocksdb")]
mod routed;
#[cfg(not(feature = "rocksdb"))]
mod without_rocks;

pub(in crate::store) use backend::{Backend, Snapshot, Writes};
pub use backend::{Bounds, Direction, Visitor};
pub(crate) use backend::{OnDisk, prefix_end};
pub(in crate::store) use memory::no_such_store;
pub(in crate::store) use memory::{Memory, Version};
#[cfg(not(feature = "rocksdb"))]
pub(in crate::store) use without_rocks::{RocksMemory, open_on_disk};
#[cfg(feature = "rocksdb")]
pub(in crate::store) use {rocks::RocksMemory, routed::open_on_disk};
