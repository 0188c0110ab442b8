//! The ids of transactions: remembered from the block that applies one for `ids.remember_blocks` blocks more.

use std::collections::BTreeMap;

use crate::chain::{Content, Entry, Transaction, from_canonical, to_canonical};
use crate::ledger::Error;
use crate::ledger::state::{RememberedId, Table, View, expiry_key, id_key, read};

#[derive(Clone, Copy, Default)]
struct Slot {
    before: Option<RememberedId>,
    now: Option<RememberedId>,
    expires: bool,
}

/// The ids that a block meets or forgets.
pub(super) struct Ids {
    /// In the order of their keys.
    slots: BTreeMap<Vec<u8>, Slot>,
    /// The key of each entry's id; empty for an entry without one.
    keys: Vec<Vec<u8>>,
    /// The keys of the ids that this block uses, in the order of their transactions.
    used: Vec<Vec<u8>>,
    /// Whether a list of ids expires at this height.
    list_expires: bool,
}

impl Ids {
    pub(super) fn load<V: View + ?Sized>(view: &V, entries: &[Entry], height: u64) -> Result<Self, Error<V::Error>> {
        let key_of = |entry: &Entry| match &entry.content {
            Content::Transaction { transaction: Transaction { from, id: Some(id), .. }, .. } => id_key(from, id),
            _ => Vec::new(),
        };
        let keys: Vec<Vec<u8>> = entries.iter().map(key_of).collect();
        let expiring: Option<Vec<Vec<u8>>> = read(view, Table::Expiries, &expiry_key(height))?;

        let mut slots: BTreeMap<Vec<u8>, Slot> = BTreeMap::new();
        for key in expiring.iter().flatten() {
            slots.insert(key.clone(), Slot { expires: true, ..Slot::default() });
        }
        for key in keys.iter().filter(|key| !key.is_empty()) {
            if !slots.contains_key(key) {
                slots.insert(key.clone(), Slot::default());
            }
        }
        let mut ids = Self { slots, keys, used: Vec::new(), list_expires: expiring.is_some() };
        ids.read(view)?;
        Ok(ids)
    }

    fn read<V: View + ?Sized>(&mut self, view: &V) -> Result<(), Error<V::Error>> {
        if self.slots.is_empty() {
            return Ok(());
        }
        let (keys, mut slots): (Vec<&[u8]>, Vec<&mut Slot>) =
            self.slots.iter_mut().map(|(key, slot)| (key.as_slice(), slot)).unzip();
        let mut corrupt = None;
        view.get_many(Table::Ids, &keys, &mut |place, value| match from_canonical::<RememberedId>(value) {
            Ok(remembered) => {
                let slot = &mut slots[place];
                slot.before = Some(remembered);
                slot.now = Some(remembered).filter(|_| !slot.expires);
            }
            Err(error) => corrupt = Some((place, error)),
        })
        .map_err(Error::View)?;
        match corrupt {
            Some((place, error)) => Err(Error::corrupt(Table::Ids, keys[place], error)),
            None => Ok(()),
        }
    }

    /// The sender's earlier use of the entry's id.
    pub(super) fn remembered(&self, entry: usize) -> Option<RememberedId> {
        self.slots.get(&self.keys[entry])?.now
    }

    /// Notes that the entry's id, if it has one, is used.
    pub(super) fn remember(&mut self, entry: usize, height: u64, transaction: &Transaction) {
        let key = &self.keys[entry];
        if let Some(slot) = self.slots.get_mut(key) {
            slot.now = Some(RememberedId { height, body: transaction.body_hash() });
            self.used.push(key.clone());
        }
    }

    /// An id used at `height` is known through `height + remember_blocks`, and forgotten before the transactions of
    /// the block after that; never, if that height is beyond all heights.
    pub(super) fn into_changes(
        self,
        height: u64,
        remember_blocks: u64,
    ) -> impl Iterator<Item = (Table, Vec<u8>, Option<Vec<u8>>)> {
        let forgotten_at = height.checked_add(remember_blocks).and_then(|last| last.checked_add(1));
        let list = forgotten_at.filter(|_| !self.used.is_empty());
        let list = list.map(|height| (Table::Expiries, expiry_key(height).to_vec(), Some(to_canonical(&self.used))));
        let expired = self.list_expires.then(|| (Table::Expiries, expiry_key(height).to_vec(), None));
        let changed = self.slots.into_iter().filter(|(_, slot)| slot.before != slot.now);
        changed
            .map(|(key, slot)| (Table::Ids, key, slot.now.map(|remembered| to_canonical(&remembered))))
            .chain(expired)
            .chain(list)
    }
}
