//! JSON into blocks: the fields of a line into values, in whatever order and with whatever else they come. That the line is the
//! one rendering of those values is seen afterwards, by rendering them again; so nothing here looks for fields too many.

use serde::{Deserialize, Deserializer, de};

use crate::chain::amount::Amount;
use crate::chain::entry::{Content, Entry, Origin};
use crate::chain::evidence::{Evidence, RefusalReason, SignedHeader};
use crate::chain::genesis::Genesis;
use crate::chain::hash::Hash;
use crate::chain::header::{Author, Header, StakeAuthor};
use crate::chain::hex_array;
use crate::chain::name::{Id, Memo, Name};
use crate::chain::operation::Operation;
use crate::chain::parse::RejectCode;
use crate::chain::receipt::{Outcome, ReasonCode, Receipt};
use crate::chain::seal::{Seal, StakeSeal};
use crate::chain::transaction::{Authorization, Kind, Transaction};
use crate::chain::validator::{Bitmap, ValidatorId};

/// A line of the blockchain topic.
#[derive(Deserialize)]
pub(super) struct BlockRow {
    pub(super) header: Header,
    pub(super) hash: Hash,
    pub(super) seal: Option<Seal>,
    pub(super) transactions: Option<Vec<Entry>>,
    pub(super) operations: Option<Vec<Operation>>,
    pub(super) genesis: Option<Genesis>,
}

/// What a row lacks, as a reader of JSON says it.
type Lacks = &'static str;

macro_rules! from_row {
    ($row:ident, $value:ident) => {
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $row::deserialize(deserializer)?.value().map_err(de::Error::custom)
            }
        }
    };
}

from_row!(AuthorRow, Author);
from_row!(SealRow, Seal);
from_row!(EntryRow, Entry);
from_row!(OperationRow, Operation);
from_row!(EvidenceRow, Evidence);

#[derive(Deserialize)]
struct AuthorRow {
    kind: AuthorKind,
    proposer: Option<ValidatorId>,
    round: Option<u32>,
    seed: Option<Hash>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthorKind {
    Genesis,
    Stake,
}

impl AuthorRow {
    fn value(self) -> Result<Author, Lacks> {
        Ok(match self.kind {
            AuthorKind::Genesis => Author::Genesis,
            AuthorKind::Stake => Author::Stake(StakeAuthor {
                proposer: self.proposer.ok_or("missing field `proposer`")?,
                round: self.round.ok_or("missing field `round`")?,
                seed: self.seed.ok_or("missing field `seed`")?,
            }),
        })
    }
}

#[derive(Deserialize)]
struct SealRow {
    kind: SealKind,
    #[serde(default, deserialize_with = "hex")]
    signature: Option<[u8; 64]>,
    #[serde(default, deserialize_with = "hex")]
    reveal: Option<[u8; 48]>,
    #[serde(default, deserialize_with = "hex")]
    attestation: Option<[u8; 48]>,
    signers: Option<Bitmap>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SealKind {
    Stake,
}

impl SealRow {
    fn value(self) -> Result<Seal, Lacks> {
        let SealKind::Stake = self.kind;
        Ok(Seal::Stake(StakeSeal {
            signature: self.signature.ok_or("missing field `signature`")?,
            reveal: self.reveal.ok_or("missing field `reveal`")?,
            attestation: self.attestation.ok_or("missing field `attestation`")?,
            signers: self.signers.ok_or("missing field `signers`")?,
        }))
    }
}

/// An entry as it is rendered: one flat object.
#[derive(Deserialize)]
struct EntryRow {
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    original: Hash,
    stub: Option<StubRow>,
    kind: Option<Kind>,
    asset: Option<u32>,
    from: Option<Name>,
    to: Option<Name>,
    amount: Option<Amount>,
    fee: Option<Amount>,
    id: Option<Id>,
    nonce: Option<Amount>,
    valid_until: Option<Amount>,
    memo: Option<Memo>,
    validator: Option<ValidatorId>,
    timeout_ms: Option<Amount>,
    reference: Option<Hash>,
    #[serde(default, deserialize_with = "hex")]
    public_key: Option<[u8; 32]>,
    #[serde(default, deserialize_with = "hex")]
    signature: Option<[u8; 64]>,
    receipt: Option<ReceiptRow>,
}

#[derive(Deserialize)]
struct StubRow {
    reason: RejectCode,
    key: Option<Hash>,
}

#[derive(Deserialize)]
struct ReceiptRow {
    outcome: OutcomeRow,
    reason: Option<ReasonCode>,
    from_balance: i64,
    to_balance: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeRow {
    Applied,
    Rejected,
}

impl EntryRow {
    fn value(self) -> Result<Entry, Lacks> {
        let origin = Origin { partition: self.partition, offset: self.offset, timestamp_ms: self.timestamp_ms };
        Ok(Entry { origin, original: self.original, content: self.content()? })
    }

    fn content(self) -> Result<Content, Lacks> {
        if let Some(StubRow { reason, key }) = self.stub {
            return Ok(Content::Stub { reason, key });
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
            nonce: self.nonce.map(Amount::get),
            valid_until: self.valid_until.map(Amount::get),
            memo: self.memo,
            validator: self.validator,
            timeout_ms: self.timeout_ms.map(Amount::get),
            reference: self.reference,
            authorization,
        };
        let receipt = self.receipt.ok_or("missing field `receipt`")?.value()?;
        Ok(Content::Transaction { transaction, receipt })
    }
}

impl ReceiptRow {
    fn value(self) -> Result<Receipt, Lacks> {
        let outcome = match (self.outcome, self.reason) {
            (OutcomeRow::Applied, _) => Outcome::Applied,
            (OutcomeRow::Rejected, Some(reason)) => Outcome::Rejected(reason),
            (OutcomeRow::Rejected, None) => return Err("a rejected transaction has a `reason`"),
        };
        Ok(Receipt { outcome, from_balance: self.from_balance, to_balance: self.to_balance })
    }
}

#[derive(Deserialize)]
struct OperationRow {
    kind: OperationKind,
    round: Option<u32>,
    validator: ValidatorId,
    account: Option<Name>,
    amount: Option<u64>,
    balance: Option<i64>,
    evidence: Option<Box<Evidence>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OperationKind {
    Fee,
    Reward,
    Missed,
    Slash,
}

impl OperationRow {
    fn value(self) -> Result<Operation, Lacks> {
        let Self { kind, round, validator, account, amount, balance, evidence } = self;
        let account = account.ok_or("missing field `account`");
        let amount = amount.ok_or("missing field `amount`");
        let units = || amount.and_then(|amount| Amount::new(amount).ok_or("`amount` is at most 9007199254740991"));
        let balance = balance.ok_or("missing field `balance`");
        let round = round.ok_or("missing field `round`");
        Ok(match kind {
            OperationKind::Fee => Operation::Fee { validator, account: account?, amount: units()?, balance: balance? },
            OperationKind::Reward => {
                Operation::Reward { validator, account: account?, amount: units()?, balance: balance? }
            }
            OperationKind::Missed => Operation::Missed { round: round?, validator },
            OperationKind::Slash => {
                let evidence = evidence.ok_or("missing field `evidence`")?;
                Operation::Slash { round: round?, validator, amount: amount?, evidence }
            }
        })
    }
}

#[derive(Deserialize)]
struct EvidenceRow {
    kind: EvidenceKind,
    first: Option<Box<SignedHeader>>,
    second: Option<Box<SignedHeader>>,
    header: Option<Box<SignedHeader>>,
    reason: Option<RefusalReason>,
    #[serde(default, deserialize_with = "hex")]
    signature: Option<[u8; 48]>,
    signers: Option<Bitmap>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EvidenceKind {
    Equivocation,
    Refusal,
}

impl EvidenceRow {
    fn value(self) -> Result<Evidence, Lacks> {
        Ok(match self.kind {
            EvidenceKind::Equivocation => Evidence::Equivocation {
                first: *self.first.ok_or("missing field `first`")?,
                second: *self.second.ok_or("missing field `second`")?,
            },
            EvidenceKind::Refusal => Evidence::Refusal {
                header: *self.header.ok_or("missing field `header`")?,
                reason: self.reason.ok_or("missing field `reason`")?,
                signature: self.signature.ok_or("missing field `signature`")?,
                signers: self.signers.ok_or("missing field `signers`")?,
            },
        })
    }
}

fn hex<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; N]>, D::Error> {
    hex_array::deserialize(deserializer).map(Some)
}
