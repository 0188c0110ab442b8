//! Key-value stores of a task, and the directory they live in.
//!
//! ```text
//! handles     KeyValueStore<K, V>      typed, one per store and processor
//! stores      Stores                   all stores of one task, as its stream thread sees them
//! layers        table for point reads  what is written, and committed values kept ready
//! view        Reader, View             committed state, for other threads
//! scan          writes in memory over a scan of what lies below
//! chunk         entries copied out of a scan
//! folding     Resources, folder        what a process shares; segments on their way into backends
//! segments      Segment, Committed     commits, frozen, with their positions, over a backend
//! backends      memory | rocks         what segments were written to
//! budget      Budget                   the memory of all of it
//! changelog                            bytes of changelogs, of positions, and of values
//! directory   StateDirectory           who may use which directory
//! simulated   Disk                     what a machine that is not there keeps
//! ```
//! Lower lines know nothing of upper ones, but that a backend is given runs of a segment. A backend never holds
//! uncommitted data: writes reach it after the log's transaction has committed, those of one commit or of several in
//! one batch with the changelog positions. This module may use `error`, `codec` and `log`'s plain types. It knows no
//! clock: times are arguments.

mod backends;
mod budget;
pub mod changelog;
mod chunk;
#[cfg(test)]
mod contract;
#[cfg(test)]
#[cfg(feature = "rocksdb")]
mod crash;
mod directory;
mod error;
mod folding;
mod handles;
mod layers;
mod scan;
mod segments;
pub(crate) mod simulated;
mod spec;
mod stores;
mod view;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use backends::{Bounds, Direction, Visitor};
pub(crate) use backends::{OnDisk, prefix_end};
pub(crate) use budget::QueueShare;
pub use budget::{Budget, StoreOptions};
pub use changelog::{Covered, Fingerprint, Incarnation, Meta};
pub(crate) use chunk::Chunk;
pub(crate) use directory::{INSTANCE, LOCK};
pub use directory::{InstanceId, StateDirectory, TaskDirectory};
pub use error::{Error, Kind, Result};
pub use folding::Resources;
pub use handles::KeyValueStore;
pub(crate) use spec::is_plain_name;
pub use spec::{Medium, Spec};
pub use stores::{ChangelogRecord, Stores};
pub use view::{Reader, Value, View};

/// Where a thread has panicked, others find out by other means; what locks guard here is whole at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
