//! The state: tables of keys and values, and sets of changes to them.
//!
//! ```text
//! table        key                                        value                          in the state tree
//! accounts     name                                       Account                        yes
//! ids          sender length u8 | sender | id             RememberedId                   no: follows from expiries
//! expiries     height u64 | chunk u32, big-endian         list of ids                    yes
//! validators   id                                         ValidatorRecord                yes
//! chain        "parameters", "seed", "supply"             Parameters, Hash, Supply       yes
//! tip          "tip"                                      Tip                            no: names the root itself
//! ```
//!
//! Values are canonical encodings. An entry of a table in the tree is the leaf
//! `path = H(StateKey, table byte || key)`, `value = SHA-256(value bytes)`.

mod audit;
mod changes;
mod genesis;
mod memory;
mod records;

pub use audit::{audit_ids, audit_supply, build_tree};
pub use changes::Changes;
pub use genesis::genesis;
pub use memory::MemoryState;
pub use records::{
    Account, ListedId, RememberedId, StateError, Supply, Tip, ValidatorRecord, expiry_key, id_key, parameters, seed,
    supply, tip, validators,
};
pub(in crate::ledger) use records::{LIST_SIZE_BYTES_MAX, SEED, SUPPLY, read};

use super::tree::{Change, short_hash};
use crate::chain::hash::{Domain, Hash, hash};

/// A table of the state. The byte is part of the path in the state tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Balances and nonces, by account name.
    Accounts = 1,
    /// Ids of applied transactions, by sender and id.
    Ids = 2,
    /// Which ids are forgotten at which height. The state root commits to ids through these lists.
    Expiries = 3,
    /// Validators, by id.
    Validators = 4,
    /// Parameters, seed, supply.
    Chain = 5,
    /// The last block.
    Tip = 6,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 6] =
        [Table::Accounts, Table::Ids, Table::Expiries, Table::Validators, Table::Chain, Table::Tip];

    /// The table's name, for a store of its own.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Table::Accounts => "accounts",
            Table::Ids => "ids",
            Table::Expiries => "expiries",
            Table::Validators => "validators",
            Table::Chain => "chain",
            Table::Tip => "tip",
        }
    }

    /// Whether the state root commits to the table.
    #[must_use]
    pub const fn in_tree(self) -> bool {
        match self {
            Table::Accounts | Table::Expiries | Table::Validators | Table::Chain => true,
            Table::Ids | Table::Tip => false,
        }
    }

    /// The path of one of its keys in the state tree.
    #[must_use]
    pub fn path(self, key: &[u8]) -> Hash {
        let table = [self as u8];
        let short = short_hash(&[Domain::StateKey.tag(), &table, key]);
        short.unwrap_or_else(|| hash(Domain::StateKey, &[&table, key]))
    }

    /// A change to the table as a change to the state tree; `None` for a table that is not in it.
    #[must_use]
    pub fn tree_change(self, key: &[u8], value: Option<&[u8]>) -> Option<Change> {
        self.in_tree().then(|| (self.path(key), value.map(value_hash)))
    }
}

/// SHA-256 of a value.
fn value_hash(value: &[u8]) -> Hash {
    short_hash(&[value]).unwrap_or_else(|| Hash::of(value))
}

/// Where the state is read from: stores, or memory.
///
/// All reads of one execution must see one state, the one after the last executed block.
pub trait View {
    /// What reading can fail with.
    type Error;

    /// Replaces `value` by the value of a key and answers true; leaves `value` empty and answers false where the
    /// table has no such key.
    fn get(&self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Self::Error>;

    /// Calls `visit` with each key and value of a table, in the order of the keys' bytes.
    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Self::Error>;

    /// Looks up many keys and calls `found` with the place of each key that is there and its value. A store that
    /// reads faster in batches answers this with one; the keys are distinct, and sorted by their bytes.
    fn get_many(&self, table: Table, keys: &[&[u8]], found: &mut dyn FnMut(usize, &[u8])) -> Result<(), Self::Error> {
        let mut value = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            if self.get(table, key, &mut value)? {
                found(place, &value);
            }
        }
        Ok(())
    }
}
