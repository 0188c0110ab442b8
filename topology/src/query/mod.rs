//! Interactive queries: what is committed in the stores of the tasks that are here, for any thread of the application.
//!
//! ```text
//! mod         Queries: what the client hands out
//! registry    which tasks can be read here: stream threads offer them, handles look
//! key_value   KeyValue: a store, of now or of a snapshot
//! live        a store as it is committed now: which task has a key
//! fixed       a store as a snapshot has it
//! snapshot    all stores of a task at one commit, and how far it has read its inputs
//! entries     entries of a store, one after the other
//! typed       keys and values, as bytes and back
//! metadata    which instance has which tasks, and where it can be asked
//! lookout     who has a task that is not here, asked beside the queries
//! error       why a question has no answer, by what the caller does next
//! ```
//! ```text
//!   stream thread                             Registry                         threads of the application
//!   a task begins ── offer ──>  [ task ─> its stores' reader | ... ]  <── look ── KeyValue, Snapshot, Entries
//!   it goes       ── drop ───>        replaced as a whole                  never waits, and is never waited for
//! ```
//! "No value" is answered only where no other task may have the key: where all tasks of the store are here, or it is
//! known which one would have it ([`Topic::partitioned_by_key`](crate::graph::Topic::partitioned_by_key),
//! [`KeyValue::partitioned_by`]). How a question comes to the instance that has the key, `topology/examples/routing.rs`
//! shows.
//!
//! An answer is never made of uncommitted writes: a store's readers see committed segments and what lies below
//! ([`store::Reader`](crate::store::Reader)). May use `task`, `graph` and `store`, and `log`'s partitioner.

mod entries;
mod error;
mod fixed;
mod key_value;
mod live;
mod lookout;
mod metadata;
mod registry;
mod snapshot;
#[cfg(test)]
mod tests;
mod typed;

use std::sync::Arc;

pub use crate::task::TaskId;
pub use entries::{Entries, Entry};
pub use error::{Error, Holder, Result};
pub use fixed::Fixed;
pub use key_value::{KeyValue, Source};
pub use live::Live;
pub(crate) use lookout::{Lookout, Planned};
pub(crate) use metadata::{ClientName, Identity, check_address};
pub use metadata::{Instance, Metadata};
pub use registry::{LocalTask, Role};
pub(crate) use registry::{Offer, Registry, Standing};
pub use snapshot::Snapshot;

use crate::codec::Codec;
use crate::graph::Store;

/// Asks the stores of the tasks that this instance has. Cheap to clone, for any thread; it may outlive the client, and
/// then answers [`Error::Closed`].
///
/// ```
/// # use std::sync::Arc;
/// # use topology::client::{Client, Config};
/// # use topology::graph::{Builder, Store};
/// # use topology::log::memory::MemoryLog;
/// # fn main() -> topology::Result<()> {
/// let counts = Store::rocksdb("counts");
/// # let builder = Builder::new();
/// builder.sub_topology("counting").source::<str, ()>("words").count(&counts).sink("totals");
/// # let (topology, log) = (builder.build()?, MemoryLog::new(Arc::new(|| 0)));
/// let mut client = Client::start_blocking(&topology, log, Config::new("app"))?;
/// let queries = client.queries();
/// let counts = queries.store(&counts)?;
/// # let mut states = client.states();
/// # futures::executor::block_on(async { states.wait_for(|state| *state == topology::client::State::Running).await.map(drop) }).unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| assert_eq!(counts.get(&"tea"), Ok(None), "nobody has written anything"));
/// });
/// client.stop();
/// client.wait()?;
/// assert_eq!(counts.get(&"tea"), Err(topology::query::Error::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Queries {
    registry: Arc<Registry>,
}

impl Queries {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// A store, as it is committed now. An error where the graph has none of this name. What it holds must be of these
    /// types.
    pub fn store<K: Codec + ?Sized, V: Codec + ?Sized>(&self, store: &Store<K, V>) -> Result<KeyValue<K, V>> {
        KeyValue::live(&self.registry, store)
    }

    /// The tasks that can be read here now, by sub-topology and partition; those of an instance that begins, or between
    /// two assignments, are none.
    pub fn tasks(&self) -> Vec<LocalTask> {
        self.registry.all()
    }

    /// Which instance has which tasks, and where it can be asked. It asks the group, so it waits for the log; an error
    /// of class retry where that does not answer. No other call does.
    pub fn metadata(&self) -> Result<Metadata> {
        self.registry.metadata()
    }

    /// All stores of a task, at its last commit.
    pub fn snapshot(&self, task: &TaskId) -> Result<Snapshot> {
        let sub_topology = self.registry.sub_topology(&task.sub_topology)?;
        let readable = self.registry.find(sub_topology, task.partition, true);
        readable.map_or_else(
            || Err(self.registry.absent(sub_topology, task.partition)),
            |readable| Snapshot::of(Arc::clone(&self.registry), readable),
        )
    }
}
