//! Restores against a real log and real stores, with crashes where they hurt.

mod beside;
#[cfg(feature = "rocksdb")]
mod crashes;
#[path = "../../../tests/fault_log/mod.rs"]
#[allow(dead_code, reason = "each test uses some of the faults")]
mod fault_log;
mod following;
mod listening;
mod standing_by;
mod threads;
#[cfg(feature = "rocksdb")]
mod transactions;
mod world;
