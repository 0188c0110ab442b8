//! JSON into blocks.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::locate;
use crate::chain::amount::Amount;
use crate::chain::block::{Block, Content, Entry, Origin, Seal};
use crate::chain::genesis::Genesis;
use crate::chain::hash::Hash;
use crate::chain::header::Header;
use crate::chain::hex_array;
use crate::chain::name::{Id, Memo, Name};
use crate::chain::operation::Operation;
use crate::chain::parse::RejectCode;
use crate::chain::receipt::{Outcome, ReasonCode, Receipt};
use crate::chain::transaction::{Authorization, Kind, Transaction};
use crate::chain::{Error, Result};

impl Block {
    /// The block of a line of JSON, as it stands: hashes are read, not checked
    /// ([`Block::check`](crate::chain::Block::check) does that).
    pub fn from_json(line: &[u8]) -> Result<Self> {
        let row: BlockRow = serde_json::from_slice(line).map_err(|error| locate::error(line, &error))?;
        if let Some(genesis) = &row.genesis {
            check_genesis(line, genesis)?;
        }
        Ok(Self {
            header: row.header,
            hash: row.hash,
            seal: row.seal,
            entries: row.transactions,
            operations: row.operations,
            genesis: row.genesis,
        })
    }

    /// As [`Block::from_json`], for a record of the topic: its key must be the height in decimal.
    pub fn from_record(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self> {
        let refuse = |detail: String| Error::Json { field: String::new(), detail };
        let value = value.ok_or_else(|| refuse("the record has no value: the block was deleted".to_owned()))?;
        let block = Self::from_json(value)?;
        let expected = block.key();
        match key {
            Some(key) if key == expected.as_bytes() => Ok(block),
            Some(key) => {
                Err(refuse(format!("the record's key is {}, its height {expected}", String::from_utf8_lossy(key))))
            }
            None => Err(refuse(format!("the record has no key, but its height is {expected}"))),
        }
    }

    /// The key of the block's record: its height in decimal.
    #[must_use]
    pub fn key(&self) -> String {
        self.header.height.to_string()
    }
}

/// Whether a genesis stands there in full. Read as a file it may leave out what has a default; in block 0 it has one rendering.
fn check_genesis(line: &[u8], genesis: &Genesis) -> Result<()> {
    #[derive(Deserialize)]
    struct Row {
        genesis: Value,
    }
    let found: Row = serde_json::from_slice(line).map_err(|error| locate::error(line, &error))?;
    let refuse = |field: String, detail: String| Err(Error::Json { field, detail });
    match serde_json::to_value(genesis) {
        Ok(expected) if expected == found.genesis => Ok(()),
        Ok(expected) => match missing("genesis", &expected, &found.genesis) {
            Some(field) => refuse(field, "missing field".to_owned()),
            None => refuse("genesis".to_owned(), "not as a genesis is rendered".to_owned()),
        },
        Err(error) => refuse("genesis".to_owned(), error.to_string()),
    }
}

/// The path of the first field that is expected and not there.
fn missing(path: &str, expected: &Value, found: &Value) -> Option<String> {
    expected.as_object()?.iter().find_map(|(name, expected)| {
        let path = format!("{path}.{name}");
        match found.get(name) {
            None => Some(path),
            Some(found) => missing(&path, expected, found),
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockRow {
    header: Header,
    hash: Hash,
    #[serde(deserialize_with = "Deserialize::deserialize")] // null is a value; left out is not
    seal: Option<Seal>,
    transactions: Vec<Entry>,
    operations: Vec<Operation>,
    #[serde(default, deserialize_with = "present")]
    genesis: Option<Genesis>,
}

/// An entry as it is rendered: one flat object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryRow {
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    original: Hash,
    #[serde(default, deserialize_with = "present")]
    stub: Option<StubRow>,
    #[serde(default, deserialize_with = "present")]
    version: Option<u8>,
    #[serde(default, deserialize_with = "present")]
    kind: Option<Kind>,
    #[serde(default, deserialize_with = "present")]
    asset: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    from: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    to: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    amount: Option<Amount>,
    #[serde(default, deserialize_with = "present")]
    fee: Option<Amount>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Id>,
    #[serde(default, deserialize_with = "present")]
    nonce: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    valid_until_height: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    memo: Option<Memo>,
    #[serde(default, deserialize_with = "present_hex")]
    public_key: Option<[u8; 32]>,
    #[serde(default, deserialize_with = "present_hex")]
    signature: Option<[u8; 64]>,
    #[serde(default, deserialize_with = "present")]
    receipt: Option<ReceiptRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StubRow {
    reason: RejectCode,
    key: Hash,
    value: Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptRow {
    outcome: OutcomeRow,
    #[serde(default, deserialize_with = "present")]
    reason: Option<ReasonCode>,
    from_balance: i64,
    to_balance: i64,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum OutcomeRow {
    Applied,
    Rejected,
}

/// A field that may be left out, but not be null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn present_hex<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; N]>, D::Error> {
    hex_array::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = EntryRow::deserialize(deserializer)?;
        let origin = Origin { partition: row.partition, offset: row.offset, timestamp_ms: row.timestamp_ms };
        let original = row.original;
        let content = row.content().map_err(serde::de::Error::custom)?;
        Ok(Self { origin, original, content })
    }
}

impl EntryRow {
    /// Whether any field of a transaction is given.
    fn is_transaction(&self) -> bool {
        self.version.is_some()
            || self.kind.is_some()
            || self.asset.is_some()
            || self.from.is_some()
            || self.to.is_some()
            || self.amount.is_some()
            || self.fee.is_some()
            || self.id.is_some()
            || self.nonce.is_some()
            || self.valid_until_height.is_some()
            || self.memo.is_some()
            || self.public_key.is_some()
            || self.signature.is_some()
            || self.receipt.is_some()
    }

    fn content(self) -> Result<Content, &'static str> {
        let is_transaction = self.is_transaction();
        if let Some(stub) = self.stub {
            if is_transaction {
                return Err("an entry is a transaction or a stub, not both");
            }
            return Ok(Content::Stub { reason: stub.reason, key: stub.key, value: stub.value });
        }
        if self.version.is_some_and(|version| version != Transaction::VERSION) {
            return Err("unknown version of a transaction");
        }
        let authorization = match (self.public_key, self.signature) {
            (Some(public_key), Some(signature)) => Some(Authorization { public_key, signature }),
            (None, None) => None,
            _ => return Err("`public_key` and `signature` go together"),
        };
        let transaction = Transaction {
            version: Transaction::VERSION,
            kind: self.kind.unwrap_or(Kind::Transfer),
            asset: self.asset.unwrap_or(0),
            from: self.from.ok_or("missing field `from`")?,
            to: self.to.ok_or("missing field `to`")?,
            amount: self.amount.ok_or("missing field `amount`")?,
            fee: self.fee,
            id: self.id,
            nonce: self.nonce,
            valid_until_height: self.valid_until_height,
            memo: self.memo,
            authorization,
        };
        let receipt = self.receipt.ok_or("missing field `receipt`")?.receipt()?;
        Ok(Content::Transaction { transaction, receipt })
    }
}

impl ReceiptRow {
    fn receipt(self) -> Result<Receipt, &'static str> {
        let outcome = match (self.outcome, self.reason) {
            (OutcomeRow::Applied, None) => Outcome::Applied,
            (OutcomeRow::Rejected, Some(reason)) => Outcome::Rejected(reason),
            (OutcomeRow::Applied, Some(_)) => return Err("an applied transaction has no `reason`"),
            (OutcomeRow::Rejected, None) => return Err("a rejected transaction has a `reason`"),
        };
        Ok(Receipt { outcome, from_balance: self.from_balance, to_balance: self.to_balance })
    }
}
