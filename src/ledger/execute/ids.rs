//! The ids of transactions: remembered from the block that applies one for `ids.remember_blocks` blocks more.

use crate::chain::{Content, Entry, Transaction, from_canonical, to_canonical};
use crate::ledger::Error;
use crate::ledger::state::{Changes, RememberedId, Table, View, expiry_key, id_key, read};

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
    /// Whether a list of ids expires at this height.
    list_expires: bool,
}

impl Ids {
    pub(super) fn load<V: View + ?Sized>(view: &V, entries: &[Entry], height: u64) -> Result<Self, Error<V::Error>> {
        let expiring: Option<Vec<Vec<u8>>> = read(view, Table::Expiries, &expiry_key(height))?;
        let list_expires = expiring.is_some();

        // Who mentions which key: an entry, or the list of what expires.
        let mut mentions: Vec<(Vec<u8>, Option<usize>)> =
            expiring.into_iter().flatten().map(|key| (key, None)).collect();
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
        let mut ids = Self { slots, places, used: Vec::new(), list_expires };
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
    /// the block after that; never, if that height is beyond all heights.
    pub(super) fn write_changes(&self, height: u64, remember_blocks: u64, changes: &mut Changes) {
        for slot in self.slots.iter().filter(|slot| slot.before != slot.now) {
            let record = slot.now.map(|remembered| to_canonical(&remembered));
            changes.set(Table::Ids, &slot.key, record.as_deref());
        }
        if self.list_expires {
            changes.delete(Table::Expiries, &expiry_key(height));
        }
        let forgotten_at = height.checked_add(remember_blocks).and_then(|last| last.checked_add(1));
        if let Some(forgotten_at) = forgotten_at.filter(|_| !self.used.is_empty()) {
            let keys: Vec<&[u8]> = self.used.iter().map(|place| self.slots[*place].key.as_slice()).collect();
            changes.put(Table::Expiries, &expiry_key(forgotten_at), &to_canonical(&keys));
        }
    }
}
