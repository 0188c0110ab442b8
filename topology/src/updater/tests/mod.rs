//! Restores against a real log and real stores, with crashes where they hurt.

mod beside;
#[cfg(feature = "rocksdb")]
mod crashes;
mod following;
mod listening;
mod standing_by;
mod threads;
#[cfg(feature = "rocksdb")]
mod transactions;
mod world;
