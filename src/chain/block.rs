//! A block: a stretch of the log, what became of it, and who vouches for it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::Deserialize;

use super::genesis::Genesis;
use super::hash::Hash;
use super::header::Header;
use super::hex_array;
use super::operation::Operation;
use super::parse::RejectCode;
use super::receipt::Receipt;
use super::transaction::Transaction;
use super::validator::Bitmap;

/// Where a record of the transactions topic stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Origin {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
}

/// One record of the transactions topic, as the block holds it. Its canonical bytes are a leaf of the block's
/// transactions tree.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    /// Where the record stood.
    pub origin: Origin,
    /// SHA-256 of the record's original value; zeros for a null value.
    pub original: Hash,
    /// What it says.
    pub content: Content,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Content {
    /// A transaction, and what became of it.
    Transaction {
        /// What the sender asked for.
        transaction: Transaction,
        /// What became of it.
        receipt: Receipt,
    } = 0,
    /// The record could not be read as a transaction. A copy of it is in the dead-letter topic.
    Stub {
        /// Why.
        reason: RejectCode,
        /// SHA-256 of the record's key; zeros for a null key.
        key: Hash,
        /// SHA-256 of the record's value, the same as the entry's `original`; zeros for a null value.
        value: Hash,
    } = 1,
}

/// Who vouches for a block. The seal is not covered by the block's hash: it signs it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// How to read the seal: [`Seal::ED25519_BLS`].
    pub scheme: u8,
    /// Ed25519 by the proposer over [`Domain::Proposal`](super::Domain::Proposal)'s message of the block's hash.
    #[serde(with = "hex_array")]
    pub signature: [u8; 64],
    /// BLS by the proposer (a point of G1, compressed): the randomness of the next seed.
    #[serde(with = "hex_array")]
    pub reveal: [u8; 48],
    /// BLS by the signers over [`Domain::Attestation`](super::Domain::Attestation)'s message of the block's hash,
    /// aggregated (a point of G1, compressed).
    #[serde(with = "hex_array")]
    pub attestation: [u8; 48],
    /// Who attests, by their places in the validator set.
    pub signers: Bitmap,
}

impl Seal {
    /// Ed25519 proposals, BLS12-381 reveals and attestations with signatures in G1.
    pub const ED25519_BLS: u8 = 1;
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The header's hash.
    pub hash: Hash,
    /// Who vouches for it; block 0 alone has none.
    pub seal: Option<Seal>,
    /// The records of the stretch, in order.
    pub entries: Vec<Entry>,
    /// What else changed state, in order.
    pub operations: Vec<Operation>,
    /// The genesis; block 0 alone has one.
    pub genesis: Option<Genesis>,
}
