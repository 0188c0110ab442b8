//! What is claimed of a block, and what shows it by the block's header.

use super::ids::ListedIds;
use super::refusal::{Part, Refusal};
use crate::chain::{Content, Entry, Hash, Header, Id, Name, Transaction, ValidatorId, merkle, to_canonical};
use crate::ledger::Tree;
use crate::ledger::state::{Account, Table, ValidatorRecord};
use crate::ledger::tree::{self, Terminal};

/// What is claimed of a block, and what leads from there to the block's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The block has this entry: a record of the transactions topic, and what became of it.
    Transaction {
        /// The entry.
        entry: Box<Entry>,
        /// Its place in the block.
        place: Place,
    },
    /// The sender used an id: this transaction of the block was applied.
    IdUsed {
        /// The entry, whose transaction has an id.
        entry: Box<Entry>,
        /// Its place in the block.
        place: Place,
    },
    /// As far back as ids are remembered after the block, the sender has not used an id.
    IdUnused {
        /// The sender.
        sender: Name,
        /// The id.
        id: Id,
        /// All ids that are remembered.
        listed: ListedIds,
    },
    /// What an account holds after the block. Balance 0 and nonce 0: there is no such account.
    Balance {
        /// The account's name.
        name: Name,
        /// What it holds.
        account: Account,
        /// The path in the state tree.
        path: StatePath,
    },
    /// What a validator is after the block.
    Validator {
        /// The validator.
        id: ValidatorId,
        /// Its record; `None`: there is no such validator.
        record: Option<Box<ValidatorRecord>>,
        /// The path in the state tree.
        path: StatePath,
    },
    /// There is the block, and nothing else is claimed.
    Block,
}

impl Claim {
    /// The kinds, as in the file.
    pub(super) const KINDS: [&str; 6] = ["transaction", "id_used", "id_unused", "balance", "validator", "block"];

    /// Its kind, as in the file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Claim::Transaction { .. } => "transaction",
            Claim::IdUsed { .. } => "id_used",
            Claim::IdUnused { .. } => "id_unused",
            Claim::Balance { .. } => "balance",
            Claim::Validator { .. } => "validator",
            Claim::Block => "block",
        }
    }

    /// Whether the header commits to what is claimed.
    pub(super) fn check(&self, header: &Header) -> Result<(), Refusal> {
        match self {
            Claim::Transaction { entry, place } => place.check(entry, header),
            Claim::IdUsed { entry, place } => {
                used_id(entry).ok_or_else(|| {
                    Refusal::wrong(Part::Claim, "the entry is no applied transaction with an id: it used none")
                })?;
                place.check(entry, header)
            }
            Claim::IdUnused { sender, id, listed } => listed.check(sender, id, header),
            Claim::Balance { name, account, path } => {
                path.check(header, Table::Accounts, name.as_bytes(), account.to_record().as_ref().map(|r| &r[..]))
            }
            Claim::Validator { id, record, path } => {
                let record = record.as_ref().map(|record| record.to_record());
                path.check(header, Table::Validators, id.as_str().as_bytes(), record.as_deref())
            }
            Claim::Block => Ok(()),
        }
    }
}

/// The sender and the id that an entry used; `None`: it used none.
#[must_use]
pub fn used_id(entry: &Entry) -> Option<(&Name, &Id)> {
    match &entry.content {
        Content::Transaction { transaction: Transaction { from, id: Some(id), .. }, receipt }
            if receipt.is_applied() =>
        {
            Some((from, id))
        }
        _ => None,
    }
}

/// The place of an entry in the tree over a block's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in the block, from 0.
    pub index: u64,
    /// The siblings on the way up.
    pub path: Vec<Hash>,
}

impl Place {
    /// Of one of these entries; `None`: there is no such place.
    #[must_use]
    pub fn of(entries: &[Entry], index: usize) -> Option<Self> {
        let merkle::Proof { index, path, .. } = merkle::prove(&merkle::leaves(entries), index)?;
        Some(Self { index, path })
    }

    fn check(&self, entry: &Entry, header: &Header) -> Result<(), Refusal> {
        // So many entries there are: without the number, one path could stand for several places.
        let count = header.ranges.iter().try_fold(0, |all: u64, range| all.checked_add(range.count));
        let count = count.ok_or_else(|| {
            Refusal::wrong(Part::Claim, format!("block {} has more records than 64 bits count", header.height))
        })?;
        let proof = merkle::Proof { index: self.index, count, path: self.path.clone() };
        if proof.shows(&merkle::leaf(&to_canonical(entry)), &header.transactions_root) {
            return Ok(());
        }
        let detail = format!(
            "the record at offset {} of partition {} is not entry {} of the {count} that block {} commits to",
            entry.origin.offset, entry.origin.partition, self.index, header.height
        );
        Err(Refusal::wrong(Part::Claim, detail))
    }
}

/// The path of a key in the state tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePath {
    /// The hashes beside it, from the root down.
    pub siblings: Vec<Hash>,
    /// What lies at its end: the one other leaf that begins like the key, with its value. `None`: the key itself where
    /// it has a record, otherwise nothing.
    pub other: Option<Box<(Hash, Hash)>>,
}

impl StatePath {
    /// Of a key of a table.
    #[must_use]
    pub fn of(tree: &Tree, table: Table, key: &[u8]) -> Self {
        let path = table.path(key);
        let tree::Proof { siblings, terminal } = tree.prove(&path);
        let other = match terminal {
            Terminal::Leaf { key, value } if key != path => Some(Box::new((key, value))),
            _ => None,
        };
        Self { siblings, other }
    }

    /// Whether the state after the block has exactly this record under the key; `None`: whether it has none.
    pub(super) fn check(
        &self,
        header: &Header,
        table: Table,
        key: &[u8],
        record: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let path = table.path(key);
        let value = record.map(Hash::of);
        let wrong = |what: &dyn std::fmt::Display| {
            let (table, key, height) = (table.name(), key.escape_ascii(), header.height);
            Refusal::wrong(Part::Claim, format!("table `{table}`, key {key}, after block {height}: {what}"))
        };
        let terminal = match (value, self.other.as_deref().copied()) {
            (Some(value), None) => Terminal::Leaf { key: path, value },
            (None, None) => Terminal::Nothing,
            (None, Some((key, value))) => Terminal::Leaf { key, value },
            (Some(_), Some(_)) => return Err(wrong(&"the path ends in another leaf, so there is no such key")),
        };
        let proof = tree::Proof { siblings: self.siblings.clone(), terminal };
        proof.verify(header.state_root, &path, value.as_ref()).map_err(|error| wrong(&error))
    }
}
