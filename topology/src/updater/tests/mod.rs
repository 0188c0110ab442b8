//! Restores against a real log and real stores, with crashes where they hurt.

mod beside;
mod crashes;
mod following;
mod listening;
mod standing_by;
mod threads;
mod transactions;
mod world;
