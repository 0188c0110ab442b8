//! What lies in memory above a backend, store by store: writes, their order, and committed values kept ready.
//!
//! ```text
//! table     a hash table of byte strings in one arena
//! order     its entries in key order
//! overlay   writes that the backend does not have yet
//! cache     committed values
//! slot      the layers of one store
//! ```
//! May use `backends`' bounds and `error`.

pub(in crate::store) mod cache;
pub(in crate::store) mod order;
pub(in crate::store) mod overlay;
pub(in crate::store) mod slot;
pub(in crate::store) mod table;
