//! Where committed state lives: in memory, in RocksDB, or some stores here and some there.
//!
//! May use `layers`' writes, `changelog`'s positions and `error`.

mod backend;
mod memory;
mod rocks;
mod routed;

pub(in crate::store) use backend::prefix_end;
pub use backend::{Backend, Bounds, Direction, Visitor, Writes};
pub use memory::Memory;
pub(in crate::store) use memory::no_such_store;
pub use rocks::{Rocks, Shared};
pub(in crate::store) use routed::Routed;
