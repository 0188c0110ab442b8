//! Which log says in what order records are sealed.
//!
//! A validator signs one header in a turn. What it signs follows from the records behind the last block, in their
//! order, so that the instance that seals after a crash signs the same. That holds for as long as the order is read
//! from one log. It is another one when the transactions topic was widened, as its partitions are merged from then on;
//! and when the topic they are merged in was made anew. Then a predecessor may have signed, and not committed, a block
//! of other records: the turn passes in which it can have done so.
//!
//! ```text
//! decisions["order"] = format u8 (1) | id 16      of the topic in which partitions are merged; none: there is one partition
//! ```

use topology::Error;
use topology::store::KeyValueStore;

use super::admission::Admission;

const KEY: &[u8] = b"order";
const FORMAT: u8 = 1;

/// The log that says in what order records are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The one partition of the transactions topic.
    Partition,
    /// The topic with this id, in which partitions are merged.
    Merged([u8; 16]),
}

impl Order {
    /// The one that counts from now on.
    pub(super) fn of(admission: Option<&Admission>) -> topology::Result<Self> {
        let Some(admission) = admission else { return Ok(Self::Partition) };
        let id = admission.origin.as_ref().map_or(Ok([0; 16]), |origin| origin.order_id(&admission.topic))?;
        Ok(Self::Merged(id))
    }

    /// The one that predecessors read.
    pub(super) fn noted(decisions: &KeyValueStore<[u8], [u8]>) -> topology::Result<Self> {
        let Some(noted) = decisions.get_with(&KEY, |value| value.map(<[u8]>::to_vec))? else {
            return Ok(Self::Partition);
        };
        let id = noted.strip_prefix(&[FORMAT]).and_then(|id| <[u8; 16]>::try_from(id).ok());
        let unknown = || {
            Error::stop(
                "the decisions store names the order of records in a way that this version cannot read: run the version that \
                 wrote it. If none did, something else writes to its changelog: find it, then run cairn reset for this application",
            )
        };
        id.map(Self::Merged).ok_or_else(unknown)
    }

    /// Notes it for successors.
    pub(super) fn note(self, decisions: &KeyValueStore<[u8], [u8]>) -> topology::Result<()> {
        match self {
            Self::Partition if decisions.contains(&KEY)? => decisions.delete(&KEY)?,
            Self::Partition => {}
            Self::Merged(id) => decisions.put(&KEY, &&[&[FORMAT][..], &id].concat()[..])?,
        }
        Ok(())
    }
}
