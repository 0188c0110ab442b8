//! The accounts that a block touches: read once, worked on in place, written once.

use crate::chain::{Content, Entry, Name};
use crate::ledger::Error;
use crate::ledger::apply::Transfer;
use crate::ledger::state::{Account, Changes, Table, View};

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
    pairs: Vec<[u32; 2]>,
    earnings: usize,
}

/// A name, and which mention of a name in the block it is.
struct Named<'a> {
    /// The first sixteen bytes, as numbers: they nearly always decide, and no memory is waited for.
    prefix: [u64; 2],
    bytes: &'a [u8],
    mention: u32,
}

impl<'a> Named<'a> {
    fn new(name: &'a Name, mention: usize) -> Self {
        let bytes = name.as_bytes();
        let mut prefix = [0; 16];
        let length = bytes.len().min(16);
        prefix[..length].copy_from_slice(&bytes[..length]);
        let (first, second) = (prefix.first_chunk::<8>(), prefix.last_chunk::<8>());
        let prefix = [first, second].map(|bytes| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes)));
        // A block has far fewer than 2^31 entries: they come in one record of a log.
        Self { prefix, bytes, mention: mention as u32 }
    }

    /// By the bytes of the name. (Where names differ within the prefix, filling the shorter with zeros does not change
    /// that.)
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| self.bytes.cmp(other.bytes))
    }
}

impl<'a> Accounts<'a> {
    /// Reads the senders, the receivers, and the account that takes the proposer's earnings.
    pub(super) fn load<V: View + ?Sized>(
        view: &V,
        entries: &'a [Entry],
        earnings: &'a Name,
        owner: impl Fn(&Name) -> Option<[u8; 32]>,
    ) -> Result<Self, Error<V::Error>> {
        // Sorting rather than hashing: names come from strangers, and no choice of names makes this slow. Stores read,
        // and changes are listed, in this order too. Sender and receiver of entry n stand at 2n and 2n + 1.
        let mut named: Vec<Named<'a>> = Vec::with_capacity(2 * entries.len() + 1);
        for (place, entry) in entries.iter().enumerate() {
            if let Content::Transaction { transaction, .. } = &entry.content {
                named.push(Named::new(&transaction.from, 2 * place));
                named.push(Named::new(&transaction.to, 2 * place + 1));
            }
        }
        named.push(Named::new(earnings, 2 * entries.len()));
        named.sort_unstable_by(Named::order);

        let mut slots: Vec<Slot<'a>> = Vec::with_capacity(named.len());
        let mut places = vec![0u32; 2 * entries.len() + 1];
        let mut last: Option<&Named<'a>> = None;
        for this in &named {
            let mention = this.mention as usize;
            if last.is_none_or(|last| last.prefix != this.prefix || last.bytes != this.bytes) {
                let name = mentioned(entries, mention).unwrap_or(earnings);
                slots.push(Slot { name, owner: None, before: Account::default(), now: Account::default() });
            }
            places[mention] = (slots.len() - 1) as u32;
            last = Some(this);
        }
        let (pairs, last) = places.as_chunks::<2>();
        let earnings = last.first().map_or(0, |place| *place as usize);
        let mut accounts = Self { slots, pairs: pairs.to_vec(), earnings };
        accounts.read(view)?;
        for (entry, [from, _]) in entries.iter().zip(&accounts.pairs) {
            if let (Content::Transaction { .. }, slot) = (&entry.content, &mut accounts.slots[*from as usize]) {
                slot.owner = slot.owner.or_else(|| owner(slot.name));
            }
        }
        Ok(accounts)
    }

    fn read<V: View + ?Sized>(&mut self, view: &V) -> Result<(), Error<V::Error>> {
        let keys: Vec<&[u8]> = self.slots.iter().map(|slot| slot.name.as_bytes()).collect();
        let mut broken = None;
        let slots = &mut self.slots;
        view.get_many(Table::Accounts, &keys, &mut |place, record| match Account::from_record(keys[place], record) {
            Ok(account) => {
                slots[place].before = account;
                slots[place].now = account;
            }
            Err(error) => broken = Some(error),
        })
        .map_err(Error::View)?;
        broken.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The sender and the receiver of an entry; no receiver where it is the sender.
    pub(super) fn of(&self, entry: usize) -> (Account, Option<Account>) {
        let [from, to] = self.pairs[entry];
        (self.slots[from as usize].now, (from != to).then(|| self.slots[to as usize].now))
    }

    /// The key that owns the sender of an entry.
    pub(super) fn owner(&self, entry: usize) -> Option<[u8; 32]> {
        self.slots[self.pairs[entry][0] as usize].owner
    }

    pub(super) fn set(&mut self, entry: usize, transfer: Transfer) {
        let [from, to] = self.pairs[entry];
        self.slots[from as usize].now = transfer.from;
        self.slots[to as usize].now = transfer.to;
    }

    /// The account that takes fees and reward.
    pub(super) fn earnings(&mut self) -> &mut Account {
        &mut self.slots[self.earnings].now
    }

    /// By how much the sum of the balances has changed.
    pub(super) fn change(&self) -> i128 {
        self.slots.iter().map(|slot| i128::from(slot.now.balance) - i128::from(slot.before.balance)).sum()
    }

    pub(super) fn write_changes(&self, changes: &mut Changes) {
        for slot in self.slots.iter().filter(|slot| slot.now != slot.before) {
            let record = slot.now.to_record();
            changes.set(Table::Accounts, slot.name.as_bytes(), record.as_ref().map(<[u8; 17]>::as_slice));
        }
    }
}

/// The name at a mention: sender and receiver of entry n are 2n and 2n + 1. `None`: no entry mentions it.
fn mentioned(entries: &[Entry], mention: usize) -> Option<&Name> {
    match &entries.get(mention / 2)?.content {
        Content::Transaction { transaction, .. } if mention.is_multiple_of(2) => Some(&transaction.from),
        Content::Transaction { transaction, .. } => Some(&transaction.to),
        Content::Stub { .. } => None,
    }
}
