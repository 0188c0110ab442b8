//! The ids of transactions: remembered from the block that applies one for `ids.remember_blocks` blocks more.
//!
//! Ids are looked up in one table and listed, by the height at which they are forgotten, in another. The state root commits to
//! the lists: one leaf for the ids of a block, instead of one for each.

use crate::chain::{Content, Entry, Hash, Transaction, from_canonical, to_canonical};
use crate::ledger::Error;
use crate::ledger::state::{
    Changes, LIST_SIZE_BYTES_MAX, ListedId, RememberedId, Table, View, expiry_key, id_key, read,
};

struct Slot {
    key: Vec<u8>,
    before: Option<RememberedId>,
    now: Option<RememberedId>,
    expires: bool,
}

/// The ids that a block meets or forgets.
pub(super) struct Ids {
    /// In the order of their keys.
    slots: Vec<Slot>,
    /// For each entry the slot of its id.
    places: Vec<Option<usize>>,
    /// The slots of the ids that this block uses, in the order of their transactions.
    used: Vec<usize>,
    /// How many chunks the list of ids that are forgotten at this height has.
    expiring_chunk_count: u32,
}

impl Ids {
    pub(super) fn load<V: View + ?Sized>(view: &V, entries: &[Entry], height: u64) -> Result<Self, Error<V::Error>> {
        // Who mentions which key: an entry, or the list of what expires.
        let mut mentions: Vec<(Vec<u8>, Option<usize>)> = Vec::new();
        let mut expiring_chunk_count = 0;
        while let Some(chunk) =
            read::<V, Vec<ListedId>>(view, Table::Expiries, &expiry_key(height, expiring_chunk_count))?
        {
            mentions.extend(chunk.into_iter().map(|(key, _)| (key, None)));
            expiring_chunk_count += 1;
        }
        for (place, entry) in entries.iter().enumerate() {
            if let Content::Transaction { transaction: Transaction { from, id: Some(id), .. }, .. } = &entry.content {
                mentions.push((id_key(from, id), Some(place)));
            }
        }
        mentions.sort_unstable();

        let mut slots: Vec<Slot> = Vec::with_capacity(mentions.len());
        let mut places = vec![None; entries.len()];
        for (key, entry) in mentions {
            if slots.last().is_none_or(|last| last.key != key) {
                slots.push(Slot { key, before: None, now: None, expires: false });
            }
            match entry {
                Some(entry) => places[entry] = Some(slots.len() - 1),
                None => slots.last_mut().into_iter().for_each(|slot| slot.expires = true),
            }
        }
        let mut ids = Self { slots, places, used: Vec::new(), expiring_chunk_count };
        ids.read(view)?;
        Ok(ids)
    }

    fn read<V: View + ?Sized>(&mut self, view: &V) -> Result<(), Error<V::Error>> {
        if self.slots.is_empty() {
            return Ok(());
        }
        let keys: Vec<&[u8]> = self.slots.iter().map(|slot| slot.key.as_slice()).collect();
        let mut remembered = vec![None; keys.len()];
        let mut corrupt = None;
        view.get_many(Table::Ids, &keys, &mut |place, value| match from_canonical::<RememberedId>(value) {
            Ok(found) => remembered[place] = Some(found),
            Err(error) => corrupt = Some((place, error)),
        })
        .map_err(Error::View)?;
        if let Some((place, error)) = corrupt {
            return Err(Error::corrupt(Table::Ids, keys[place], error));
        }
        for (slot, remembered) in self.slots.iter_mut().zip(remembered) {
            slot.before = remembered;
            slot.now = remembered.filter(|_| !slot.expires);
        }
        Ok(())
    }

    /// The sender's earlier use of the entry's id.
    pub(super) fn remembered(&self, entry: usize) -> Option<RememberedId> {
        self.slots[self.places[entry]?].now
    }

    /// Notes that the entry's id, if it has one, is used.
    pub(super) fn remember(&mut self, entry: usize, height: u64, transaction: &Transaction) {
        if let Some(place) = self.places[entry] {
            self.slots[place].now = Some(RememberedId { height, body: transaction.body_hash() });
            self.used.push(place);
        }
    }

    /// An id used at `height` is known through `height + remember_blocks`, and forgotten before the transactions of
    /// the block after that. (A genesis keeps the sum within 64 bits for as long as a chain can live.)
    pub(super) fn write_changes(&self, height: u64, remember_blocks: u64, changes: &mut Changes) {
        for slot in self.slots.iter().filter(|slot| slot.before != slot.now) {
            let record = slot.now.map(|remembered| to_canonical(&remembered));
            changes.set(Table::Ids, &slot.key, record.as_deref());
        }
        for chunk in 0..self.expiring_chunk_count {
            changes.delete(Table::Expiries, &expiry_key(height, chunk));
        }
        if let Some(forgotten_at) = height.checked_add(remember_blocks).and_then(|last| last.checked_add(1)) {
            for (number, chunk) in (0..).zip(self.list()) {
                changes.put(Table::Expiries, &expiry_key(forgotten_at, number), &to_canonical(&chunk));
            }
        }
    }

    /// The ids that the block uses, in the order of its transactions, in chunks: each as long as a record may be.
    fn list(&self) -> Vec<Vec<(&[u8], Hash)>> {
        let mut chunks: Vec<Vec<(&[u8], Hash)>> = Vec::new();
        let mut size_bytes = usize::MAX;
        for slot in self.used.iter().map(|place| &self.slots[*place]) {
            let Some(RememberedId { body, .. }) = slot.now else { continue };
            let listed_size_bytes = size_of::<u32>() + slot.key.len() + body.as_bytes().len();
            size_bytes = size_bytes.saturating_add(listed_size_bytes);
            if size_bytes > LIST_SIZE_BYTES_MAX {
                chunks.push(Vec::new());
                size_bytes = size_of::<u32>() + listed_size_bytes;
            }
            chunks.last_mut().into_iter().for_each(|chunk| chunk.push((slot.key.as_slice(), body)));
        }
        chunks
    }
}
