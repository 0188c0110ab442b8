//! That an id was not used: the lists of all ids that the state remembers, and it is on none of them.
//!
//! The state commits to ids by lists: one for each active height in which some were used, cut into chunks. So what is
//! shown is all of them, and of each active height without ids that it has no list.
//!
//! ```text
//! active heights    used_at = a - n + 1 .. a        a: the block's;  n = min(a, ids.remember_blocks)
//! key of a chunk    used_at + ids.remember_blocks + 1, u64 big-endian | chunk from 0, u32 big-endian
//! a list ends       with a chunk that has room for one id more, or else with a chunk that is not there
//! ```

use super::claim::StatePath;
use super::refusal::{Part, Refusal};
use crate::chain::{Header, Id, Name, Parameters};
use crate::ledger::state::{CHUNK_SIZE_BYTES_MAX, Table, expiry_key, id_key, visit_chunk};

/// The most bytes that an id takes in a chunk: its length, the key of the longest sender and id, and the body's hash.
const ID_SIZE_BYTES_MAX: usize = 4 + (1 + 128 + 128) + 32;

/// All ids that are remembered after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedIds {
    /// The chain's parameters, which say for how long.
    pub parameters: Parameters,
    /// The chunks of each active height's list, the oldest first; a list has at least one, which may not be there.
    pub lists: Vec<Vec<Chunk>>,
}

/// A chunk of a list of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its record; `None`: the state has no such chunk.
    pub record: Option<Vec<u8>>,
    /// The path in the state tree.
    pub path: StatePath,
}

impl Chunk {
    /// Whether no chunk of its list can come behind it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        let has_room = |record: &Vec<u8>| record.len() + ID_SIZE_BYTES_MAX <= CHUNK_SIZE_BYTES_MAX;
        self.record.as_ref().is_none_or(has_room)
    }
}

/// The active heights whose ids are remembered after a block with this active height, the first and the last; `None`:
/// of none.
///
/// Those of the one before may still be on record, until the next block forgets them: an id of them is free already.
#[must_use]
pub fn remembered(active_height: u64, parameters: &Parameters) -> Option<(u64, u64)> {
    let count = active_height.min(parameters.ids_remember_blocks);
    (count > 0).then(|| (active_height - count + 1, active_height))
}

/// The key of a chunk of the list of ids used at an active height; `None`: beyond 64 bits, where no chain comes.
#[must_use]
pub fn chunk_key(used_at: u64, chunk: u32, parameters: &Parameters) -> Option<[u8; 12]> {
    let forgotten_at = used_at.checked_add(parameters.ids_remember_blocks)?.checked_add(1)?;
    Some(expiry_key(forgotten_at, chunk))
}

impl ListedIds {
    /// The active heights that the lists are of, the first and the last; `None`: of none.
    #[must_use]
    pub fn active_heights(&self, header: &Header) -> Option<(u64, u64)> {
        remembered(header.active_height, &self.parameters)
    }

    /// Whether these are all lists that the state after the block has of ids that are still remembered, and the id is
    /// on none.
    pub(super) fn check(&self, sender: &Name, id: &Id, header: &Header) -> Result<(), Refusal> {
        let wrong = |detail: String| Err(Refusal::wrong(Part::Claim, detail));
        let found = self.parameters.hash();
        if found != header.parameters {
            return wrong(format!("the parameters hash to {found}, the header has {}", header.parameters));
        }
        let heights = self.active_heights(header);
        let count = heights.map_or(0, |(first, last)| u128::from(last - first) + 1);
        if self.lists.len() as u128 != count {
            return wrong(format!(
                "it has lists of {} active heights, ids are remembered of {count}",
                self.lists.len()
            ));
        }
        let wanted = id_key(sender, id);
        // A header without a seal may say 2^64 - 1: an open range would go on to the height behind it.
        let heights = heights.into_iter().flat_map(|(first, last)| first..=last);
        for (used_at, list) in heights.zip(&self.lists) {
            let ends = list.iter().position(Chunk::is_last);
            if ends.is_none() || ends != list.len().checked_sub(1) {
                return wrong(format!("the list of active height {used_at} does not end where it must"));
            }
            for (number, chunk) in (0..).zip(list) {
                self.check_chunk(header, (used_at, number), chunk, &wanted)?;
            }
        }
        Ok(())
    }

    fn check_chunk(
        &self,
        header: &Header,
        (used_at, number): (u64, u32),
        chunk: &Chunk,
        wanted: &[u8],
    ) -> Result<(), Refusal> {
        let wrong = |detail: String| Refusal::wrong(Part::Claim, detail);
        let key = chunk_key(used_at, number, &self.parameters)
            .ok_or_else(|| wrong(format!("no list can be of active height {used_at}")))?;
        chunk.path.check(header, Table::Expiries, &key, chunk.record.as_deref())?;
        let Some(record) = &chunk.record else { return Ok(()) };
        let mut is_listed = false;
        visit_chunk(&key, record, |key, _| is_listed |= key == wanted).map_err(|error| wrong(error.to_string()))?;
        if is_listed { Err(wrong(format!("the id was used at active height {used_at}"))) } else { Ok(()) }
    }
}
