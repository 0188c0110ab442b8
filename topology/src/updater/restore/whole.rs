//! A store, restored at one go from a changelog that is at hand.

use super::RestoreOptions;
use super::replay::{Extent, Phase, Replay, Restored};
use crate::error::Result;
use crate::log::{Offset, Record, TopicPartition};
use crate::store::Stores;

/// All that is in a changelog.
#[derive(Clone, Debug)]
pub(crate) struct WholeChangelog<'a> {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Becomes its incarnation if it is empty.
    pub new_incarnation: [u8; 16],
    /// The offset of its first record, or its end without one.
    pub low: Offset,
    /// Where it ends.
    pub end: Offset,
    /// Its records.
    pub records: &'a [Record<'a>],
}

/// Does what [`Restore`](super::Restore) does, where nothing needs to be waited for and no tombstone was ever dropped.
pub(crate) fn restore_whole(
    stores: &mut Stores,
    store: usize,
    changelog: WholeChangelog<'_>,
    now_ms: i64,
) -> Result<Restored> {
    let WholeChangelog { partition, new_incarnation, low, end, records } = changelog;
    let extent = Extent { low, end, delete_retention_ms: i64::MAX, now_ms };
    let mut replay = Replay::new(store, partition, new_incarnation.into(), &extent);
    replay.take(stores, records)?;
    if let Phase::Seeking(_) = replay.phase {
        // The same again: it passes over what the store has.
        replay.phase = Phase::Reading;
        replay.take(stores, records)?;
    }
    replay.take_end(stores, end)?;
    replay.apply(stores, &RestoreOptions::default(), now_ms)?;
    Ok(replay.restored())
}
