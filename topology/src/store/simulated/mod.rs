//! The disk of a machine that is not there: for simulations, which kill the machine at any moment and look what is
//! left.
//!
//! ```text
//!              apply            apply            start_flush         apply
//!   version 0 ────────> version 1 ────────> version 2 ────────> (same) ────────> version 3
//!      │ safe                                  │ safe from now on, or from a little later
//!      └──── a crash leaves one of the versions from the last safe one on: a batch is there whole, or not at all
//! ```
//! That is what `Backend` promises of RocksDB. Stores in memory are in the versions too, and empty
//! after a crash and after each opening. May use `backends` and `changelog`.

mod backend;
mod disk;

#[cfg(test)]
mod tests;

pub(crate) use disk::{Disk, StoreState, TaskLock};
