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
use crate::store::{self, Covered, View};
use crate::task::TaskId;

/// All stores of a task, as one commit left them, whatever is committed since. Cheap to clone, for any thread.
///
/// It holds nothing up, however long it is kept: when the task goes, its calls end with [`Error::Moving`](super::Error::Moving). What it
/// costs until then [`View`] says.
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
        let store_count = registry.store_count(&readable.id().sub_topology);
        let (view, position) = readable.read(|reader| {
            let view = reader.view()?;
            let inputs = if role == Role::Active { view.inputs()? } else { reached_by_all(&view, store_count)? };
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

    /// How far the task has taken its inputs: of each the offset of the next record. All before that is in the stores, as far as it
    /// left anything there, and nothing behind it. Empty before the first commit ever. Of a standby: so far all its stores are at
    /// least, by the last commits that wrote them.
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

/// Stores of a standby follow their changelogs each at its own pace. Which of them are behind, and which were not written, cannot be
/// told apart; but the commit that wrote the one that was written least lately is in all of them.
fn reached_by_all(view: &View, store_count: usize) -> store::Result<Vec<(TopicPartition, Offset)>> {
    let mut oldest: Option<Covered> = None;
    for store in 0..store_count {
        let Some(covered) = view.covered(store)? else { return Ok(Vec::new()) };
        if oldest.as_ref().is_none_or(|oldest| covered.sequence < oldest.sequence) {
            oldest = Some(covered);
        }
    }
    Ok(oldest.map(|covered| covered.inputs).unwrap_or_default())
}
