//! The accounts that a block touches: read once, worked on in place, written once.

use std::collections::BTreeMap;

use crate::chain::{Content, Entry, Name};
use crate::ledger::Error;
use crate::ledger::apply::Transfer;
use crate::ledger::state::{Account, Table, View};

struct Slot<'a> {
    name: &'a Name,
    /// The key that owns the account, if one does. Only looked up for accounts that send.
    owner: Option<[u8; 32]>,
    before: Account,
    now: Account,
}

/// The accounts of a block. Names are looked up once; from then on entries know their accounts by place.
pub(super) struct Accounts<'a> {
    /// In the order of their names.
    slots: Vec<Slot<'a>>,
    /// For each entry its sender and receiver; zeros, which are not used, for a stub.
    pairs: Vec<(u32, u32)>,
    proposer: usize,
}

impl<'a> Accounts<'a> {
    pub(super) fn load<V: View + ?Sized>(
        view: &V,
        entries: &'a [Entry],
        proposer: &'a Name,
        owner: impl Fn(&Name) -> Option<[u8; 32]>,
    ) -> Result<Self, Error<V::Error>> {
        // An ordered map rather than a hash table: names come from strangers, and nobody can make this one slow.
        let mut index: BTreeMap<&'a [u8], (u32, &'a Name)> = BTreeMap::new();
        let mut number = |name: &'a Name| {
            let next = u32::try_from(index.len()).unwrap_or(u32::MAX);
            index.entry(name.as_bytes()).or_insert((next, name)).0
        };
        number(proposer);
        let mut pairs: Vec<(u32, u32)> = (entries.iter())
            .map(|entry| match &entry.content {
                Content::Transaction { transaction, .. } => (number(&transaction.from), number(&transaction.to)),
                Content::Stub { .. } => (0, 0),
            })
            .collect();

        // From the order of appearance to the order of names, in which stores read and changes are listed.
        let mut places = vec![0u32; index.len()];
        let mut slots = Vec::with_capacity(index.len());
        for (place, (number, name)) in (0u32..).zip(index.values()) {
            places[*number as usize] = place;
            slots.push(Slot { name, owner: None, before: Account::default(), now: Account::default() });
        }
        for (from, to) in &mut pairs {
            (*from, *to) = (places[*from as usize], places[*to as usize]);
        }
        let mut accounts = Self { slots, pairs, proposer: places[0] as usize };
        accounts.read(view)?;
        for (entry, (from, _)) in entries.iter().zip(&accounts.pairs) {
            if let (Content::Transaction { .. }, slot) = (&entry.content, &mut accounts.slots[*from as usize]) {
                slot.owner = slot.owner.or_else(|| owner(slot.name));
            }
        }
        Ok(accounts)
    }

    fn read<V: View + ?Sized>(&mut self, view: &V) -> Result<(), Error<V::Error>> {
        let keys: Vec<&[u8]> = self.slots.iter().map(|slot| slot.name.as_bytes()).collect();
        let mut corrupt = None;
        let slots = &mut self.slots;
        view.get_many(Table::Accounts, &keys, &mut |place, value| match Account::from_record(value) {
            Some(account) => {
                slots[place].before = account;
                slots[place].now = account;
            }
            None => corrupt = Some(place),
        })
        .map_err(Error::View)?;
        match corrupt {
            Some(place) => Err(Error::corrupt(Table::Accounts, keys[place], "an account has 16 bytes")),
            None => Ok(()),
        }
    }

    /// The sender and the receiver of an entry; no receiver where it is the sender.
    pub(super) fn of(&self, entry: usize) -> (Account, Option<Account>) {
        let (from, to) = self.pairs[entry];
        (self.slots[from as usize].now, (from != to).then(|| self.slots[to as usize].now))
    }

    /// The key that owns the sender of an entry.
    pub(super) fn owner(&self, entry: usize) -> Option<[u8; 32]> {
        self.slots[self.pairs[entry].0 as usize].owner
    }

    pub(super) fn set(&mut self, entry: usize, transfer: Transfer) {
        let (from, to) = self.pairs[entry];
        self.slots[from as usize].now = transfer.from;
        self.slots[to as usize].now = transfer.to;
    }

    /// The account that takes fees and reward.
    pub(super) fn proposer(&mut self) -> &mut Account {
        &mut self.slots[self.proposer].now
    }

    /// By how much the sum of the balances has changed.
    pub(super) fn change(&self) -> i128 {
        self.slots.iter().map(|slot| i128::from(slot.now.balance) - i128::from(slot.before.balance)).sum()
    }

    pub(super) fn into_changes(self) -> impl Iterator<Item = (Table, Vec<u8>, Option<Vec<u8>>)> {
        (self.slots.into_iter().filter(|slot| slot.now != slot.before))
            .map(|slot| (Table::Accounts, slot.name.as_bytes().to_vec(), slot.now.to_record()))
    }
}
