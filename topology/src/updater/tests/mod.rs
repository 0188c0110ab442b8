//! Restores against a real log and real stores, with crashes where they hurt.

mod crashes;
mod following;
mod listening;
mod threads;
mod transactions;
mod world;
