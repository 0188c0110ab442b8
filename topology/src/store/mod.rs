//! Key-value stores of a task, and the directory they live in.
//!
//! ```text
//! processors    KeyValueStore<K, V>      typed handles, one per store and processor
//! task          Stores                   all stores of one task: reads look through the uncommitted writes
//!                 Overlay                what is not committed yet; becomes changelog records
//!                 Overlay                what is committed and waits to be written, with its position
//!                 (read cache)           committed values kept ready
//!                 Backend                committed state, with its position in the changelog: memory | rocks
//! process       StateDirectory           who may use which directory
//! ```
//! A backend never holds uncommitted data: writes reach it after the log's transaction has committed, those of one commit
//! or of several in one batch with the changelog positions. This module may use `error`, `codec` and `log`'s plain types. It knows no clock:
//! times are arguments.

mod backend;
mod cache;
pub mod changelog;
#[cfg(test)]
mod contract;
mod covered;
#[cfg(test)]
mod crash;
mod error;
mod flush_schedule;
mod key_value;
mod memory;
mod meta;
mod order;
mod overlay;
mod rocks;
mod routed;
mod slot;
mod spec;
mod staging;
pub mod state_directory;
mod stores;
mod table;
mod write_behind;

pub use backend::{Backend, Bounds, Direction, Visitor, Writes};
pub use covered::Covered;
pub use error::{Error, Kind, Result};
pub use key_value::KeyValueStore;
pub use memory::Memory;
pub use meta::{Fingerprint, Incarnation, Meta};
pub use overlay::Overlay;
pub use rocks::{Rocks, Shared};
pub(crate) use spec::is_plain_name;
pub use spec::{Medium, Options, Spec};
pub use state_directory::{StateDirectory, TaskDirectory};
pub use stores::{ChangelogRecord, Stores};
