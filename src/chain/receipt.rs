//! What became of a transaction.

use borsh::{BorshDeserialize, BorshSerialize};

use super::code::codes;
use super::encoding::invalid;

codes! {
    /// Why the rules rejected a transaction that could be read. Texts and bytes are stable; a retired one is never
    /// used again.
    pub enum ReasonCode {
        /// The sender's balance, or its overdraft, does not cover amount and fee.
        InsufficientFunds = 1 => "insufficient_funds",
        /// The sender used this id before, for the same body.
        Duplicate = 2 => "duplicate",
        /// The sender used this id before, for another body.
        Conflict = 3 => "conflict",
        /// The nonce is not the sender's next one.
        BadNonce = 4 => "bad_nonce",
        /// The signature does not verify, or its key is not the sender's.
        BadSignature = 5 => "bad_signature",
        /// The policy, or the keyed sender, asks for a signature and there is none.
        SignatureRequired = 6 => "signature_required",
        /// The active height is past `valid_until`.
        Expired = 7 => "expired",
        /// A name of the system.
        ReservedName = 8 => "reserved_name",
        /// A kind that this version of the rules does not know.
        UnknownKind = 9 => "unknown_kind",
        /// It fits in no block.
        TooLarge = 10 => "too_large",
        /// An asset that this version of the rules does not know.
        UnknownAsset = 11 => "unknown_asset",
        /// The receiver's balance would pass 2^53 - 1.
        BalanceOverflow = 12 => "balance_overflow",
        /// The agreed fee is below the chain's.
        FeeTooLow = 13 => "fee_too_low",
        /// A signed transaction has neither a nonce nor an id with a near enough `valid_until`, so anybody could play
        /// it again.
        Replayable = 14 => "replayable",
        /// `valid_until` lies further ahead than ids are remembered.
        ValidityTooLong = 15 => "validity_too_long",
        /// The amount is 0.
        ZeroAmount = 16 => "zero_amount",
        /// A field that this kind of transaction does not have.
        UnexpectedField = 17 => "unexpected_field",
    }
}

/// Whether the transaction took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// It did not, and this is why.
    Rejected(ReasonCode),
}

/// What became of a transaction, and both balances after it.
///
/// ```text
/// format u8 (1) | outcome u8 (0 = applied, else the byte of the reason) | from_balance i64 | to_balance i64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Applied, or rejected and why.
    pub outcome: Outcome,
    /// The sender's balance afterwards, in minor units.
    pub from_balance: i64,
    /// The receiver's balance afterwards, in minor units.
    pub to_balance: i64,
}

impl Receipt {
    /// The format of a receipt: its first byte.
    pub const FORMAT: u8 = 1;
    /// The receipt of a transaction that was not executed yet. It says nothing.
    pub const UNDECIDED: Receipt = Receipt { outcome: Outcome::Applied, from_balance: 0, to_balance: 0 };

    /// Whether the transaction took effect.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.outcome == Outcome::Applied
    }
}

impl BorshSerialize for Receipt {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        Self::FORMAT.serialize(writer)?;
        self.outcome.serialize(writer)?;
        self.from_balance.serialize(writer)?;
        self.to_balance.serialize(writer)
    }
}

impl BorshDeserialize for Receipt {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let format = u8::deserialize_reader(reader)?;
        if format != Self::FORMAT {
            return Err(invalid(format_args!("receipt format {format}; this program knows {}", Self::FORMAT)));
        }
        Ok(Self {
            outcome: Outcome::deserialize_reader(reader)?,
            from_balance: i64::deserialize_reader(reader)?,
            to_balance: i64::deserialize_reader(reader)?,
        })
    }
}

impl BorshSerialize for Outcome {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        match self {
            Outcome::Applied => 0_u8.serialize(writer),
            Outcome::Rejected(reason) => reason.serialize(writer),
        }
    }
}

impl BorshDeserialize for Outcome {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        match u8::deserialize_reader(reader)? {
            0 => Ok(Outcome::Applied),
            byte => ReasonCode::try_from_slice(&[byte]).map(Outcome::Rejected),
        }
    }
}
