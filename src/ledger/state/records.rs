//! What the tables hold, byte for byte.
//!
//! ```text
//! Account           balance i64 | nonce u64
//! RememberedId      height u64 | body hash 32
//! list of ids       u32 count | (u32 length | key of `ids` | body hash 32) ..
//! ValidatorRecord   ed25519 32 | bls 96 | possession 48 | stake u64 | slashed_at_height ?u64 | missed u64
//! Supply            genesis i128 | minted i128 | burnt i128
//! Tip               chain_id str | height u64 | hash 32 | time_ms i64 | seed 32 | state_root 32
//! integers little-endian, signed ones in two's complement; str = u32 length | UTF-8; ?x = 0x00, or 0x01 | x
//! ```

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Table, View};
use crate::chain::{Hash, Id, Member, Name, Parameters, ValidatorId, from_canonical};
use crate::ledger::Error;

/// The key of [`Table::Chain`] under which the parameters lie.
pub(super) const PARAMETERS: &[u8] = b"parameters";
/// The key of [`Table::Chain`] under which the seed of the last block lies.
pub(in crate::ledger) const SEED: &[u8] = b"seed";
/// The key of [`Table::Chain`] under which the supply lies.
pub(in crate::ledger) const SUPPLY: &[u8] = b"supply";
/// The only key of [`Table::Tip`].
pub(in crate::ledger) const TIP: &[u8] = b"tip";

/// The state is not one that the rules could have produced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A value does not decode.
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
    /// The table `ids` is not what the lists of ids say.
    #[error("table `ids` holds {held} ids, the lists in `expiries` {listed}, and they are not the same")]
    Ids {
        /// How many ids the table holds.
        held: u64,
        /// How many are on the lists.
        listed: u64,
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
}

/// An account. One with balance 0 and nonce 0 is not kept: it is the same as one that never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// In minor units; below zero only under open balances.
    pub balance: i64,
    /// The nonce that the next transaction with a nonce must carry; 0 at first.
    pub nonce: u64,
}

impl Account {
    /// The record of the account; `None` where there is nothing to keep.
    #[must_use]
    pub fn to_record(self) -> Option<[u8; 16]> {
        (self != Self::default()).then(|| {
            let mut record = [0; 16];
            record[..8].copy_from_slice(&self.balance.to_le_bytes());
            record[8..].copy_from_slice(&self.nonce.to_le_bytes());
            record
        })
    }

    /// The account of a record.
    #[must_use]
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (balance, nonce) = record.split_first_chunk::<8>()?;
        Some(Self { balance: i64::from_le_bytes(*balance), nonce: u64::from_le_bytes(nonce.try_into().ok()?) })
    }
}

/// An id that its sender has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RememberedId {
    /// The height of the block that applied the transaction.
    pub height: u64,
    /// The hash of the transaction's body: tells a repetition from another transaction under the same id.
    pub body: Hash,
}

/// An id on the list of those that are forgotten at one height: its key in [`Table::Ids`], and the hash of the transaction's
/// body. The height at which it was used follows from the list's.
pub type ListedId = (Vec<u8>, Hash);

/// The most bytes of a record of [`Table::Expiries`]: a log refuses records of more than about 1 MiB. A longer list is cut into
/// chunks.
pub(in crate::ledger) const LIST_SIZE_BYTES_MAX: usize = 512 * 1024;

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorRecord {
    /// The key it signs proposals with, and the owner of the account named like the validator.
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

/// The last block, and what the next one follows from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tip {
    /// The chain's id.
    pub chain_id: String,
    /// The last block's height.
    pub height: u64,
    /// The last block's hash.
    pub hash: Hash,
    /// The last block's time in stream time, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The seed of the *next* height, which follows from the last block's reveal.
    pub seed: Hash,
    /// The root of the state tree after the last block: a tree built from the tables must arrive at it.
    pub state_root: Hash,
}

/// The key of a remembered id.
#[must_use]
pub fn id_key(sender: &Name, id: &Id) -> Vec<u8> {
    let (sender, id) = (sender.as_bytes(), id.as_bytes());
    let mut key = Vec::with_capacity(1 + sender.len() + id.len());
    // A name has at most 128 bytes.
    key.push(sender.len().to_le_bytes()[0]);
    key.extend_from_slice(sender);
    key.extend_from_slice(id);
    key
}

/// The key of a chunk, counted from 0, of the list of ids that are forgotten at a height.
#[must_use]
pub fn expiry_key(height: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&height.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The record of a key, decoded.
pub(in crate::ledger) fn read<V, T>(view: &V, table: Table, key: &[u8]) -> Result<Option<T>, Error<V::Error>>
where
    V: View + ?Sized,
    T: BorshSerialize + BorshDeserialize,
{
    let mut value = Vec::new();
    if !view.get(table, key, &mut value).map_err(Error::View)? {
        return Ok(None);
    }
    from_canonical(&value).map(Some).map_err(|error| Error::corrupt(table, key, error))
}

fn must_read<V, T>(view: &V, table: Table, key: &[u8]) -> Result<T, Error<V::Error>>
where
    V: View + ?Sized,
    T: BorshSerialize + BorshDeserialize,
{
    read(view, table, key)?
        .ok_or_else(|| Error::State(StateError::Missing { table: table.name(), key: key.escape_ascii().to_string() }))
}

/// The last block of the state.
pub fn tip<V: View + ?Sized>(view: &V) -> Result<Tip, Error<V::Error>> {
    must_read(view, Table::Tip, TIP)
}

/// The chain parameters in force.
pub fn parameters<V: View + ?Sized>(view: &V) -> Result<Parameters, Error<V::Error>> {
    must_read(view, Table::Chain, PARAMETERS)
}

/// The supply on record.
pub fn supply<V: View + ?Sized>(view: &V) -> Result<Supply, Error<V::Error>> {
    must_read(view, Table::Chain, SUPPLY)
}

/// The seed from which the last block's proposer was drawn.
pub fn seed<V: View + ?Sized>(view: &V) -> Result<Hash, Error<V::Error>> {
    must_read(view, Table::Chain, SEED)
}

/// The validators, slashed ones included, in the order of their ids.
pub fn validators<V: View + ?Sized>(view: &V) -> Result<Vec<(ValidatorId, ValidatorRecord)>, Error<V::Error>> {
    let mut validators = Vec::new();
    let mut broken = None;
    view.scan(Table::Validators, &mut |key, value| {
        let id = std::str::from_utf8(key).ok().and_then(|text| ValidatorId::new(text).ok());
        match (id, from_canonical(value)) {
            (Some(id), Ok(record)) => validators.push((id, record)),
            (None, _) => broken = Some(StateError::corrupt(Table::Validators, key, "no validator's id")),
            (_, Err(error)) => broken = Some(StateError::corrupt(Table::Validators, key, error)),
        }
    })
    .map_err(Error::View)?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    validators.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(validators)
}
