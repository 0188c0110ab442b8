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

mod backends;
pub mod changelog;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;
mod directory;
mod error;
mod handles;
mod layers;
mod spec;
mod stores;

pub use backends::{Backend, Bounds, Direction, Memory, Rocks, Shared, Visitor, Writes};
pub use changelog::{Covered, Fingerprint, Incarnation, Meta};
pub use directory::{InstanceId, StateDirectory, TaskDirectory};
pub use error::{Error, Kind, Result};
pub use handles::KeyValueStore;
pub use layers::overlay::Overlay;
pub(crate) use spec::is_plain_name;
pub use spec::{Medium, Options, Spec};
pub use stores::{ChangelogRecord, Stores};
