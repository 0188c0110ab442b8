//! What the stream thread keeps of each store, above what is committed.
//!
//! ```text
//! table    a hash table of byte strings in one arena
//! order    some of its entries in key order
//! latest   what is written, and committed values kept ready: the one table in which a key is looked up
//! slot     one store: latest, over segments and backend
//! ```
//! May use `segments`, `backends`' bounds, `changelog`'s positions, `budget` and `error`.

mod latest;
mod order;
mod slot;
mod table;

pub(in crate::store) use latest::Place;
pub(in crate::store) use slot::Slot;
#[cfg(test)]
pub(in crate::store) use table::FIND_COUNT;
pub(in crate::store) use table::empty;
