//! All stores of a task, at one commit.

use std::fmt;
use std::sync::Arc;

use super::error::Result;
use super::fixed::Fixed;
use super::key_value::KeyValue;
use super::registry::{Readable, Registry, Role};
use crate::codec::Codec;
use crate::graph::Store;
use crate::log::{Offset, TopicPartition};
use crate::store::View;
use crate::task::TaskId;

/// All stores of a task, as one commit left them, whatever is committed since. Cheap to clone, for any thread.
///
/// It holds nothing up, however long it is kept: when the task goes, its calls end with
/// [`Error::Moving`](super::Error::Moving). What it costs until then [`View`] says.
#[derive(Clone)]
pub struct Snapshot {
    registry: Arc<Registry>,
    readable: Arc<Readable>,
    role: Role,
    position: Arc<[(TopicPartition, Offset)]>,
    view: View,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (task, position) = (self.task(), &self.position);
        f.debug_struct("Snapshot").field("task", task).field("position", position).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn of(registry: Arc<Registry>, readable: Arc<Readable>) -> Result<Self> {
        // Before the look: what is seen lags by no more than this says.
        let role = readable.role();
        let (view, position) = readable.read(|reader| {
            let view = reader.view()?;
            let inputs = if role == Role::Active { view.inputs()? } else { view.reached()?.unwrap_or_default() };
            Ok((view, inputs))
        })?;
        Ok(Self { registry, readable, role, position: position.into(), view })
    }

    /// Which task.
    pub fn task(&self) -> &TaskId {
        self.readable.id()
    }

    /// Whether the task runs here, or is followed from a distance.
    pub fn role(&self) -> Role {
        self.role
    }

    /// How far the task has taken its inputs: of each the offset of the next record. All before that is in the stores,
    /// as far as it left anything there, and nothing behind it; also before the task's first commit here.
    ///
    /// Of a standby it is a lower bound: all before that is in its stores, and something behind it may be, of some of
    /// them. It moves with what is written to all of the task's stores: where one of them is seldom written it lags
    /// behind what the others show. It is empty before the standby knows, and while one of its stores was never
    /// written.
    ///
    /// So who has written a record, and knows its offset, sees by this whether an answer takes it into account.
    pub fn position(&self) -> &[(TopicPartition, Offset)] {
        &self.position
    }

    /// A store of the task. An error where it is another task's.
    pub fn store<K: Codec + ?Sized, V: Codec + ?Sized>(&self, store: &Store<K, V>) -> Result<KeyValue<K, V, Fixed>> {
        let number = self.registry.store_of(self.task(), store.name())?;
        let source = Fixed { readable: Arc::clone(&self.readable), view: self.view.clone(), store: number };
        Ok(KeyValue::fixed(store, source))
    }
}
