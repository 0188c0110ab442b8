//! What the tables hold, byte for byte. Every record but the parameters begins with its format, 1.
//!
//! ```text
//! Account           1 | balance i64 | nonce u64
//! RememberedId      1 | active_height u64 | body hash 32
//! list of ids       1 | count u32 | (length u32 | key of `ids` | body hash 32) ..
//! ValidatorRecord   1 | ed25519 32 | bls 96 | possession 48 | stake u64 | slashed_at_height ?u64 | missed u64
//! Supply            1 | genesis i128 | minted i128 | burnt i128
//! Covered           1 | offset i64 | timestamp_ms i64 | original 32
//! Tip               1 | genesis 32 | height u64 | hash 32 | active_height u64 | time_ms i64 | seed 32 | state_root 32
//!                     | history: count u64 | one hash of 32 bytes for each bit set in count
//! integers little-endian, signed ones in two's complement; ?x = 0x00, or 0x01 | x
//! ```

use borsh::{BorshDeserialize, BorshSerialize};

use super::Table;
use crate::chain::encoding::write_canonical;
use crate::chain::{Amount, Frontier, Hash, Id, Member, Name, ValidatorId, from_canonical};

/// The format of every record: its first byte. A later one comes from a later program.
pub(super) const FORMAT: u8 = 1;

/// A state cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A record is in a format of a later program.
    #[error(
        "table `{table}`, key {key}: a newer program wrote it (format {format}, this one knows {FORMAT}): run that one"
    )]
    Newer {
        /// The table's name.
        table: &'static str,
        /// The key, as text with escapes.
        key: String,
        /// The format.
        format: u8,
    },
    /// A record does not decode, or says what no chain can say.
    #[error("table `{table}`, key {key}: {detail}")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// The key, as text with escapes.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// A record that every state has is missing: the state is empty, or a table is.
    #[error("table `{table}` has no `{key}`: the state does not hold a chain")]
    Missing {
        /// The table's name.
        table: &'static str,
        /// The key, as text.
        key: String,
    },
    /// The tables do not have the root that the last block left.
    #[error("the state's tables have root {tables}, the last block left {tip}")]
    Root {
        /// The root of the tree over the tables.
        tables: Hash,
        /// The root on record.
        tip: Hash,
    },
    /// The table `ids` is not what the lists of ids say.
    #[error("table `ids` holds {held} ids, the lists in `expiries` {listed}, of which {found} are held as listed")]
    Ids {
        /// How many ids the table holds.
        held: u64,
        /// How many are on the lists.
        listed: u64,
        /// How many of those listed are in the table exactly as the lists say.
        found: u64,
    },
    /// Balances and stakes do not sum up to the supply on record.
    #[error("balances and stakes sum up to {found}, the supply on record is {recorded}")]
    Supply {
        /// The sum over all accounts and validators.
        found: i128,
        /// The supply on record.
        recorded: i128,
    },
}

impl StateError {
    pub(in crate::ledger) fn corrupt(table: Table, key: &[u8], detail: impl std::fmt::Display) -> Self {
        Self::Corrupt { table: table.name(), key: key.escape_ascii().to_string(), detail: detail.to_string() }
    }

    pub(super) fn missing(table: Table, key: &[u8]) -> Self {
        Self::Missing { table: table.name(), key: key.escape_ascii().to_string() }
    }
}

/// The record of a value.
pub(in crate::ledger) fn to_record<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut record = Vec::with_capacity(256);
    record.push(FORMAT);
    write_canonical(value, &mut record);
    record
}

/// The value of a record. Table and key are for the error.
pub(in crate::ledger) fn from_record<T>(table: Table, key: &[u8], record: &[u8]) -> Result<T, StateError>
where
    T: BorshSerialize + BorshDeserialize,
{
    let value = body(table, key, record)?;
    from_canonical(value).map_err(|error| StateError::corrupt(table, key, error))
}

/// A record without its format.
pub(super) fn body<'r>(table: Table, key: &[u8], record: &'r [u8]) -> Result<&'r [u8], StateError> {
    match record.split_first() {
        Some((&FORMAT, value)) => Ok(value),
        Some((&format, _)) if format > FORMAT => {
            Err(StateError::Newer { table: table.name(), key: key.escape_ascii().to_string(), format })
        }
        _ => Err(StateError::corrupt(table, key, "a record begins with its format, 1")),
    }
}

/// An account. One with balance 0 and nonce 0 is not kept: it is the same as one that never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// In minor units, from [`Account::BALANCE_MIN`] to [`Account::BALANCE_MAX`]; below zero only under open balances.
    pub balance: i64,
    /// The nonce that the next transaction with a nonce must carry; 0 at first, at most [`Account::NONCE_MAX`].
    pub nonce: u64,
}

impl Account {
    /// 2^53 - 1, as for amounts: every JSON reader can hold it exactly.
    pub const BALANCE_MAX: i64 = Amount::MAX.signed();
    /// -(2^53 - 1).
    pub const BALANCE_MIN: i64 = -Self::BALANCE_MAX;
    /// 2^53 - 1.
    pub const NONCE_MAX: u64 = Amount::MAX.get();

    /// The record of the account; `None` where there is nothing to keep.
    #[must_use]
    pub fn to_record(self) -> Option<[u8; 17]> {
        (self != Self::default()).then(|| {
            let mut record = [FORMAT; 17];
            record[1..9].copy_from_slice(&self.balance.to_le_bytes());
            record[9..].copy_from_slice(&self.nonce.to_le_bytes());
            record
        })
    }

    /// The account of a record. The name is for the error.
    pub fn from_record(name: &[u8], record: &[u8]) -> Result<Self, StateError> {
        let corrupt = |detail| StateError::corrupt(Table::Accounts, name, detail);
        let (balance, nonce) = match body(Table::Accounts, name, record)?.split_first_chunk::<8>() {
            Some((balance, nonce)) if nonce.len() == 8 => (balance, nonce),
            _ => return Err(corrupt("an account has 17 bytes")),
        };
        let nonce = nonce.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let account = Self { balance: i64::from_le_bytes(*balance), nonce };
        match account {
            Self { balance: Self::BALANCE_MIN..=Self::BALANCE_MAX, nonce: ..=Self::NONCE_MAX } => Ok(account),
            _ => Err(corrupt("balance or nonce is out of its bounds")),
        }
    }
}

/// An id that its sender has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RememberedId {
    /// The active height of the block that applied the transaction.
    pub active_height: u64,
    /// The hash of the transaction's body: tells a repetition from another transaction under the same id.
    pub body: Hash,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorRecord {
    /// The key it signs proposals with, and the owner of its earnings.
    pub ed25519: [u8; 32],
    /// The key of its reveals and attestations.
    pub bls: [u8; 96],
    /// Its proof that it holds the BLS key.
    pub possession: [u8; 48],
    /// Its stake in minor units; 0 once slashed.
    pub stake: u64,
    /// The height of the block that slashed it. A slashed validator is never slashed again and never returns.
    pub slashed_at_height: Option<u64>,
    /// How many rounds it was drawn for and let pass.
    pub missed: u64,
}

impl ValidatorRecord {
    /// The record, as the table holds it.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        to_record(self)
    }

    /// The validator as a member of the set whose hash the header carries.
    #[must_use]
    pub fn member(&self, id: &ValidatorId) -> Member {
        Member { id: id.clone(), ed25519: self.ed25519, bls: self.bls, stake: self.stake }
    }
}

/// Where the units come from and went: all balances and stakes sum up to `genesis + minted - burnt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Supply {
    /// Balances and stakes in the genesis.
    pub genesis: i128,
    /// Rewards, over all blocks.
    pub minted: i128,
    /// Slashed stakes, and fees that no account could take, over all blocks.
    pub burnt: i128,
}

impl Supply {
    /// `genesis + minted - burnt`. (No chain lives long enough to pass the bounds of i128.)
    #[must_use]
    pub fn current(&self) -> i128 {
        self.genesis.saturating_add(self.minted).saturating_sub(self.burnt)
    }
}

/// The last record of a partition of the transactions topic that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Covered {
    /// Its offset. Blocks go on behind it.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970 UTC, as the block has it.
    pub timestamp_ms: i64,
    /// SHA-256 of its value; zeros for a null value.
    pub original: Hash,
}

/// The last block, and what the next one follows from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tip {
    /// The chain: the hash of its genesis.
    pub genesis: Hash,
    /// The last block's height.
    pub height: u64,
    /// The last block's hash.
    pub hash: Hash,
    /// How many blocks, up to and with the last, have at least one applied transaction.
    pub active_height: u64,
    /// The last block's time in stream time, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The seed of the *next* height, which follows from the last block's reveal.
    pub seed: Hash,
    /// The root of the state tree after the last block: a tree built from the tables must arrive at it.
    pub state_root: Hash,
    /// The frontier over the hashes of the blocks *before* the last: its root is what the last block's header carries.
    pub history: Frontier,
}

/// The key of a remembered id.
#[must_use]
pub fn id_key(sender: &Name, id: &Id) -> Vec<u8> {
    let mut key = Vec::new();
    write_id_key(sender, id, &mut key);
    key
}

/// Appends the key of a remembered id.
pub(in crate::ledger) fn write_id_key(sender: &Name, id: &Id, key: &mut Vec<u8>) {
    let (sender, id) = (sender.as_bytes(), id.as_bytes());
    key.reserve(1 + sender.len() + id.len());
    // A name has at most 128 bytes.
    key.push(sender.len().to_le_bytes()[0]);
    key.extend_from_slice(sender);
    key.extend_from_slice(id);
}

/// The key of a chunk, counted from 0, of the list of ids that are forgotten at an active height.
#[must_use]
pub fn expiry_key(active_height: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&active_height.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The key of what is covered of a partition.
#[must_use]
pub fn coverage_key(partition: i32) -> [u8; 4] {
    partition.to_be_bytes()
}
