//! The header of a block. Its hash is the block's hash; it commits to everything in the block but the seal.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::code::codes;
use super::encoding::write_canonical;
use super::hash::{Domain, Hash, hash};
use super::hex_array;
use super::validator::ValidatorId;

codes! {
    /// Why a block ends where it ends.
    pub enum Cut {
        /// Block 0 is not cut from the log.
        Genesis = 0 => "genesis",
        /// Stream time passed the end of the event-time window.
        Window = 1 => "window",
        /// The block holds as many transactions as the parameters allow.
        Transactions = 2 => "transactions",
        /// The next transaction would take the block over its size in bytes.
        Bytes = 3 => "bytes",
        /// The first record had waited as long as the parameters allow (a recorded decision).
        Age = 4 => "age",
        /// The run was told to end (a recorded decision).
        End = 5 => "end",
    }
}

/// The event-time window of a block: `start_ms <= time < end_ms`, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first millisecond.
    pub start_ms: i64,
    /// The millisecond after the last.
    pub end_ms: i64,
}

/// The stretch of one origin partition that a block covers. Offsets between `first` and `last` without an entry are
/// offsets at which the log holds no record (transaction markers, for instance).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The partition.
    pub partition: i32,
    /// The offset of the first entry.
    pub first: i64,
    /// The offset of the last entry.
    pub last: i64,
    /// The number of entries.
    pub count: u64,
}

/// Something a later version adds to the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// What it is.
    pub id: u16,
    /// Whether a program that does not know it must refuse the block.
    pub critical: bool,
    /// Its value.
    #[serde(with = "hex_array::variable")]
    pub value: Vec<u8>,
}

/// The header. The order of the fields is the order of the canonical encoding (`docs/encoding.md` draws it).
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The layout and the rules: [`Header::VERSION`].
    pub version: u16,
    /// The hash used throughout: [`Header::SHA_256`].
    pub hash_algorithm: u8,
    /// The chain's id, from the genesis.
    pub chain_id: String,
    /// 0 for genesis, then one more for each block.
    pub height: u64,
    /// The hash of the block before; for block 0 the hash of the genesis.
    pub parent: Hash,
    /// Stream time at the cut, in milliseconds since 1970 UTC. Never the wall clock.
    pub time_ms: i64,
    /// The event-time window the block lies in.
    #[serde(deserialize_with = "serde::Deserialize::deserialize")] // null is a value; left out is not
    pub window: Option<Window>,
    /// Why the block ends where it ends.
    pub cut: Cut,
    /// The stretches of the log it covers, by partition, ascending.
    pub ranges: Vec<Range>,
    /// The Merkle root of the entries.
    pub transactions_root: Hash,
    /// The Merkle root of the operations.
    pub operations_root: Hash,
    /// The root of the state tree after the block.
    pub state_root: Hash,
    /// The hash of the validator set that decides on this block ([`validators_hash`](super::validators_hash)).
    pub validators: Hash,
    /// The hash of the chain parameters in force.
    pub parameters: Hash,
    /// Who proposed the block.
    pub proposer: ValidatorId,
    /// The round: how many proposers drawn before it failed.
    pub round: u32,
    /// The seed from which the proposer was drawn.
    pub seed: Hash,
    /// Extensions, by id, ascending, each id once.
    pub extensions: Vec<Extension>,
}

impl Header {
    /// The only version there is.
    pub const VERSION: u16 = 1;
    /// SHA-256, the only hash algorithm there is.
    pub const SHA_256: u8 = 1;

    /// The block's hash: `hash(Header, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(512);
        write_canonical(self, &mut bytes);
        hash(Domain::Header, &[&bytes])
    }
}
