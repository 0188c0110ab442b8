//! A record of the transactions topic, as a block holds it.

use borsh::{BorshDeserialize, BorshSerialize};

use super::amount::Amount;
use super::hash::Hash;
use super::parse::{Reject, RejectCode, parse};
use super::receipt::Receipt;
use super::transaction::Transaction;

/// Where a record of the transactions topic stood.
///
/// ```text
/// partition i32 | offset i64 | timestamp_ms i64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Origin {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970 UTC, within [`TIMESTAMP_MS_MAX`] of it.
    pub timestamp_ms: i64,
}

/// The furthest from 1970 that a timestamp lies, in milliseconds: 2^53 - 1, so that every JSON reader sees the number
/// that was hashed. A log takes any 64-bit number for a timestamp; one beyond the bound stands in a block as the bound.
pub const TIMESTAMP_MS_MAX: i64 = Amount::MAX.signed();

/// One record of the transactions topic. Its canonical bytes are a leaf of the block's transactions tree.
///
/// ```text
/// origin | original 32 | content
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    /// Where the record stood.
    pub origin: Origin,
    /// SHA-256 of the record's original value; zeros for a null value.
    pub original: Hash,
    /// What it says.
    pub content: Content,
}

/// In what an entry differs from what a record becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordDifference {
    /// Partition or offset.
    Place,
    /// The timestamp.
    Time,
    /// The hash of the value.
    Value,
    /// What the value says.
    Content,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[expect(
    clippy::large_enum_variant,
    reason = "most records are transactions, and boxing would cost each an allocation"
)]
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
        /// SHA-256 of the record's key, if it has one.
        key: Option<Hash>,
    } = 1,
}

impl Entry {
    /// The entry that a record becomes, before it is executed (its receipt is [`Receipt::UNDECIDED`]); for a stub also
    /// what exactly was found. Every record becomes an entry, and the same record always the same one.
    #[must_use]
    pub fn of_record(
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> (Self, Option<Reject>) {
        let timestamp_ms = timestamp_ms.clamp(-TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX);
        let origin = Origin { partition, offset, timestamp_ms };
        let original = Hash::of_nullable(value);
        match parse(value) {
            Ok(transaction) => {
                let content = Content::Transaction { transaction, receipt: Receipt::UNDECIDED };
                (Self { origin, original, content }, None)
            }
            Err(reject) => {
                let content = Content::Stub { reason: reject.code, key: key.map(Hash::of) };
                (Self { origin, original, content }, Some(reject))
            }
        }
    }

    /// In what this is not the entry that a record becomes ([`Entry::of_record`]), the first if there are several.
    /// Receipts aside: those are what executing gives.
    #[must_use]
    pub fn record_difference(&self, record: &Entry) -> Option<RecordDifference> {
        let same = match (&self.content, &record.content) {
            (Content::Transaction { transaction, .. }, Content::Transaction { transaction: other, .. }) => {
                transaction == other
            }
            (content, other) => content == other,
        };
        if (self.origin.partition, self.origin.offset) != (record.origin.partition, record.origin.offset) {
            Some(RecordDifference::Place)
        } else if self.origin.timestamp_ms != record.origin.timestamp_ms {
            Some(RecordDifference::Time)
        } else if self.original != record.original {
            Some(RecordDifference::Value)
        } else {
            (!same).then_some(RecordDifference::Content)
        }
    }

    /// Whether it is a transaction that took effect.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        matches!(&self.content, Content::Transaction { receipt, .. } if receipt.is_applied())
    }
}
