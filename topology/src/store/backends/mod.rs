//! Where committed state lives: in memory, in RocksDB, or some stores here and some there.
//!
//! May use `segments`' runs, `changelog`'s positions and `error`.

mod backend;
mod memory;
mod pages;
mod rocks;
mod routed;

pub(crate) use backend::prefix_end;
pub(in crate::store) use backend::{Backend, Snapshot, Writes};
pub use backend::{Bounds, Direction, Visitor};
pub(in crate::store) use memory::no_such_store;
pub(in crate::store) use memory::{Memory, Version};
pub(in crate::store) use rocks::{Rocks, RocksMemory};
pub(in crate::store) use routed::Routed;
