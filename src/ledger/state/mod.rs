//! The state: tables of keys and values, and sets of changes to them.
//!
//! ```text
//! table        key                                        value                          in the state tree
//! accounts     name                                       Account                        yes
//! ids          sender length u8 | sender | id             RememberedId                   no: follows from expiries
//! expiries     active height u64 | chunk u32, big-endian  list of ids                    yes
//! validators   id                                         ValidatorRecord                yes
//! chain        "parameters", "supply"                     Parameters, Supply             yes
//! coverage     partition i32, big-endian                  Covered                        yes
//! tip          "tip"                                      Tip                            no: names the root itself
//! ```
//!
//! `records` draws the values. An entry of a table in the tree is the leaf `path = H(StateKey, table byte || key)`,
//! `value = SHA-256(value bytes)`.

mod audit;
mod changes;
mod genesis;
mod list;
mod memory;
mod reading;
mod records;

pub use audit::{Audited, audit};
pub use changes::Changes;
pub use genesis::genesis;
pub(in crate::ledger) use list::ListWriter;
pub use list::{CHUNK_SIZE_BYTES_MAX, visit_chunk};
pub use memory::MemoryState;
pub(in crate::ledger) use reading::SUPPLY;
pub use reading::{account, coverage, parameters, remembered_id, supply, tip, validators};
pub use records::{
    Account, Covered, RememberedId, StateError, Supply, Tip, ValidatorRecord, coverage_key, expiry_key, id_key,
};
pub(in crate::ledger) use records::{from_record, to_record, write_id_key};

use super::tree::Change;
use crate::chain::hash::{Domain, Hash, TAG_SIZE_BYTES, hash};
use crate::chain::sha256::two_messages;

/// A table of the state. The byte is part of the path in the state tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Balances and nonces, by account name.
    Accounts = 1,
    /// Ids of applied transactions, by sender and id.
    Ids = 2,
    /// Which ids are forgotten at which active height. The state root commits to ids through these lists.
    Expiries = 3,
    /// Validators, by id.
    Validators = 4,
    /// Parameters, supply.
    Chain = 5,
    /// How far each partition of the transactions topic is in blocks.
    Coverage = 6,
    /// The last block.
    Tip = 7,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 7] =
        [Table::Accounts, Table::Ids, Table::Expiries, Table::Validators, Table::Chain, Table::Coverage, Table::Tip];

    /// The table's name, for a store of its own.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Table::Accounts => "accounts",
            Table::Ids => "ids",
            Table::Expiries => "expiries",
            Table::Validators => "validators",
            Table::Chain => "chain",
            Table::Coverage => "coverage",
            Table::Tip => "tip",
        }
    }

    /// Whether the state root commits to the table.
    #[must_use]
    pub const fn in_tree(self) -> bool {
        match self {
            Table::Accounts | Table::Expiries | Table::Validators | Table::Chain | Table::Coverage => true,
            Table::Ids | Table::Tip => false,
        }
    }

    /// The path of one of its keys in the state tree.
    #[must_use]
    pub fn path(self, key: &[u8]) -> Hash {
        hash(Domain::StateKey, &[&[self as u8], key])
    }

    /// An entry of the table as the state tree holds it: the path of its key, and the hash of its value.
    #[must_use]
    pub fn leaf(self, key: &[u8], value: &[u8]) -> (Hash, Hash) {
        // Longer than any key of a table that is in the tree.
        const SIZE_BYTES_MAX: usize = TAG_SIZE_BYTES + 1 + 143;
        let mut message = [0; SIZE_BYTES_MAX];
        let Some(message) = message.get_mut(..TAG_SIZE_BYTES + 1 + key.len()) else {
            return (self.path(key), Hash::of(value));
        };
        message[..TAG_SIZE_BYTES].copy_from_slice(Domain::StateKey.tag());
        message[TAG_SIZE_BYTES] = self as u8;
        message[TAG_SIZE_BYTES + 1..].copy_from_slice(key);
        let [path, value] = two_messages([message, value]);
        (path, value)
    }

    /// A change to the table as a change to the state tree; `None` for a table that is not in it.
    #[must_use]
    pub fn tree_change(self, key: &[u8], value: Option<&[u8]>) -> Option<Change> {
        self.in_tree().then(|| match value {
            Some(value) => {
                let (path, value) = self.leaf(key, value);
                (path, Some(value))
            }
            None => (self.path(key), None),
        })
    }
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
