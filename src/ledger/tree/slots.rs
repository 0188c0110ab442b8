//! Places in the arenas: which an update takes, which it gives up.

use super::Link;

/// The slots that an update takes and gives up. A slot given up is not used again before the commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    pub(super) freed: Vec<u32>,
    /// How many slots were taken from the tree's free list.
    reused: usize,
    /// How many slots were taken beyond the arena's end.
    appended: usize,
    pub(super) overflowed: bool,
}

impl Slots {
    /// A slot that holds nothing: from the free list if it has one, otherwise beyond the end.
    pub(super) fn take(&mut self, free: &[u32], arena_length: usize) -> u32 {
        if let Some(slot) = free.iter().rev().nth(self.reused) {
            self.reused += 1;
            return *slot;
        }
        let slot = arena_length + self.appended;
        self.appended += 1;
        self.overflowed |= slot >= Link::SLOTS;
        // An overflowed update is refused as a whole, so the slot it names here is never written.
        u32::try_from(slot).unwrap_or(0)
    }

    pub(super) fn commit(self, free: &mut Vec<u32>) {
        free.truncate(free.len() - self.reused);
        free.extend(self.freed);
    }
}

/// Writes a node to its slot. Slots beyond the end are written in the order in which they were taken, so each write
/// either lands inside the arena or extends it by one.
pub(super) fn write<T>(arena: &mut Vec<T>, slot: u32, node: T) {
    match arena.get_mut(slot as usize) {
        Some(place) => *place = node,
        None => arena.push(node),
    }
}
