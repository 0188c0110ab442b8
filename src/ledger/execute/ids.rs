//! The ids of transactions: remembered from the block that applies one for `ids.remember_blocks` active heights more.
//!
//! Ids are looked up in one table and listed, by the active height at which they are forgotten, in another. The state
//! root commits to the lists: one leaf for the ids of a block, instead of one for each.

use crate::chain::{Content, Entry, Transaction};
use crate::ledger::Error;
use crate::ledger::state::{
    Changes, ListWriter, RememberedId, StateError, Table, View, expiry_key, from_record, to_record, visit_chunk,
    write_id_key,
};

/// An id that the block meets or forgets.
struct Slot {
    /// Where its key lies in [`Ids::keys`].
    key: (usize, usize),
    /// Its use, as far as the block has come.
    now: Option<RememberedId>,
    /// Whether its time is over: then it is not remembered when the block begins.
    expires: bool,
}

/// The ids that a block meets or forgets.
pub(super) struct Ids {
    /// The keys, one after the other.
    keys: Vec<u8>,
    /// In the order of their keys.
    slots: Vec<Slot>,
    /// For each entry the slot of its id.
    places: Vec<Option<usize>>,
    /// The slots of the ids that this block uses, in the order of their transactions.
    used: Vec<usize>,
    /// How many chunks the list of ids that are forgotten at this active height has.
    expiring_chunk_count: u32,
}

/// Who mentions a key: an entry, or the list of those that are forgotten.
type Mention = ((usize, usize), Option<usize>);

impl Ids {
    /// Reads what is remembered of the entries' ids, and which are forgotten at this active height.
    pub(super) fn load<V: View + ?Sized>(
        view: &V,
        entries: &[Entry],
        active_height: u64,
    ) -> Result<Self, Error<V::Error>> {
        let (mut keys, mut mentions): (Vec<u8>, Vec<Mention>) = (Vec::new(), Vec::new());
        let expiring_chunk_count = read_expiring(view, active_height, &mut keys, &mut mentions)?;
        for (place, entry) in entries.iter().enumerate() {
            if let Content::Transaction { transaction: Transaction { from, id: Some(id), .. }, .. } = &entry.content {
                let start = keys.len();
                write_id_key(from, id, &mut keys);
                mentions.push(((start, keys.len()), Some(place)));
            }
        }
        let key = |(start, end): (usize, usize)| &keys[start..end];
        mentions.sort_unstable_by(|one, other| key(one.0).cmp(key(other.0)));

        let mut slots: Vec<Slot> = Vec::with_capacity(mentions.len());
        let mut places = vec![None; entries.len()];
        for (range, entry) in mentions {
            if slots.last().is_none_or(|last| key(last.key) != key(range)) {
                slots.push(Slot { key: range, now: None, expires: false });
            }
            match entry {
                Some(entry) => places[entry] = Some(slots.len() - 1),
                None => slots.last_mut().into_iter().for_each(|slot| slot.expires = true),
            }
        }
        let mut ids = Self { keys, slots, places, used: Vec::new(), expiring_chunk_count };
        ids.read(view)?;
        Ok(ids)
    }

    fn key(&self, slot: &Slot) -> &[u8] {
        &self.keys[slot.key.0..slot.key.1]
    }

    /// Reads what is remembered, but for what is forgotten now anyway.
    fn read<V: View + ?Sized>(&mut self, view: &V) -> Result<(), Error<V::Error>> {
        let asked: Vec<usize> = (0..self.slots.len()).filter(|slot| !self.slots[*slot].expires).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let keys: Vec<&[u8]> = asked.iter().map(|slot| self.key(&self.slots[*slot])).collect();
        let mut found: Vec<(usize, RememberedId)> = Vec::new();
        let mut broken: Option<StateError> = None;
        view.get_many(Table::Ids, &keys, &mut |place, record| match from_record(Table::Ids, keys[place], record) {
            Ok(remembered) => found.push((asked[place], remembered)),
            Err(error) => broken = Some(error),
        })
        .map_err(Error::View)?;
        if let Some(error) = broken {
            return Err(error.into());
        }
        for (slot, remembered) in found {
            self.slots[slot].now = Some(remembered);
        }
        Ok(())
    }

    /// The sender's earlier use of the entry's id.
    pub(super) fn remembered(&self, entry: usize) -> Option<RememberedId> {
        self.slots[self.places[entry]?].now
    }

    /// Notes that the entry's id, if it has one, is used.
    pub(super) fn remember(&mut self, entry: usize, active_height: u64, transaction: &Transaction) {
        if let Some(place) = self.places[entry] {
            self.slots[place].now = Some(RememberedId { active_height, body: transaction.body_hash() });
            self.used.push(place);
        }
    }

    /// An id used at active height `a` is known through `a + remember_blocks`, and forgotten before the transactions of
    /// the first block after that. (A genesis keeps the sum within 64 bits for as long as a chain can live.)
    pub(super) fn write_changes(&self, active_height: u64, remember_blocks: u64, changes: &mut Changes) {
        let mut used = vec![false; self.slots.len()];
        self.used.iter().for_each(|place| used[*place] = true);
        for (slot, used) in self.slots.iter().zip(used) {
            match slot.now {
                Some(remembered) if used => changes.put(Table::Ids, self.key(slot), &to_record(&remembered)),
                _ if slot.expires => changes.delete(Table::Ids, self.key(slot)),
                _ => {}
            }
        }
        for chunk in 0..self.expiring_chunk_count {
            changes.delete(Table::Expiries, &expiry_key(active_height, chunk));
        }
        if let Some(forgotten_at) = active_height.checked_add(remember_blocks).and_then(|last| last.checked_add(1)) {
            for (number, chunk) in (0..).zip(self.list()) {
                changes.put(Table::Expiries, &expiry_key(forgotten_at, number), &chunk);
            }
        }
    }

    /// The ids that the block uses, in the order of its transactions, in chunks.
    fn list(&self) -> Vec<Vec<u8>> {
        let mut list = ListWriter::default();
        for slot in self.used.iter().map(|place| &self.slots[*place]) {
            if let Some(remembered) = slot.now {
                list.push(self.key(slot), remembered.body);
            }
        }
        list.into_chunks()
    }
}

/// Mentions what is forgotten at an active height; answers how many chunks the list has.
fn read_expiring<V: View + ?Sized>(
    view: &V,
    active_height: u64,
    keys: &mut Vec<u8>,
    mentions: &mut Vec<Mention>,
) -> Result<u32, Error<V::Error>> {
    let mut record = Vec::new();
    for chunk in 0..=u32::MAX {
        let key = expiry_key(active_height, chunk);
        if !view.get(Table::Expiries, &key, &mut record).map_err(Error::View)? {
            return Ok(chunk);
        }
        visit_chunk(&key, &record, |id_key, _| {
            let start = keys.len();
            keys.extend_from_slice(id_key);
            mentions.push(((start, keys.len()), None));
        })?;
    }
    Ok(u32::MAX)
}
