//! A transaction: what its sender asked for.

use borsh::{BorshDeserialize, BorshSerialize};

use super::amount::Amount;
use super::code::codes;
use super::encoding::{invalid, write_canonical};
use super::hash::{Domain, Hash, hash};
use super::name::{Id, Memo, Name};
use super::validator::ValidatorId;

codes! {
    /// What a transaction does. All but [`Kind::Transfer`] are reserved: the rules reject them as `unknown_kind`.
    pub enum Kind {
        /// Moves an amount from one account to another.
        Transfer = 0 => "transfer",
        /// Reserved: adds to a validator's stake.
        Stake = 1 => "stake",
        /// Reserved: takes from a validator's stake.
        Unstake = 2 => "unstake",
        /// Reserved: lends an account's weight to a validator.
        Delegate = 3 => "delegate",
        /// Reserved: gives an account a key.
        Key = 4 => "key",
        /// Reserved: changes a chain parameter.
        Parameter = 5 => "parameter",
        /// Reserved: holds an amount back for a while.
        Pending = 6 => "pending",
        /// Reserved: carries out what a pending transaction holds back.
        Post = 7 => "post",
        /// Reserved: releases what a pending transaction holds back.
        Void = 8 => "void",
    }
}

/// A key and its signature over [`Transaction::signing_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Authorization {
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
    /// The Ed25519 signature.
    pub signature: [u8; 64],
}

/// A transaction. The order of the fields is the order of the canonical encoding.
///
/// ```text
/// body:  version u8 | kind u8 | asset u32 | from str | to str | amount u64 | fee ?u64 | id ?str | nonce ?u64
///        | valid_until ?u64 | memo ?str | validator ?str | timeout_ms ?u64 | reference ?32
/// whole: body | authorization ?(public_key 32 | signature 64)
/// integers little-endian; str = u32 length | UTF-8; ?x = 0x00, or 0x01 | x
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Transaction {
    /// The layout of the transaction: [`Transaction::VERSION`].
    pub version: u8,
    /// What it does.
    pub kind: Kind,
    /// What is moved. 0 is the chain's own unit; the rules reject others.
    pub asset: u32,
    /// Who pays.
    pub from: Name,
    /// Who receives.
    pub to: Name,
    /// How much is moved.
    pub amount: Amount,
    /// The fee the sender agrees to.
    pub fee: Option<Amount>,
    /// The sender's own id of the transaction: given twice, the second is rejected.
    pub id: Option<Id>,
    /// The place of the transaction among those of its sender, at most [`Transaction::INTEGER_MAX`].
    pub nonce: Option<u64>,
    /// The last active height at which the transaction may be applied, at most [`Transaction::INTEGER_MAX`].
    pub valid_until: Option<u64>,
    /// A text kept with the transaction.
    pub memo: Option<Memo>,
    /// Reserved for other kinds: the validator concerned.
    pub validator: Option<ValidatorId>,
    /// Reserved for other kinds: how long an amount is held back, in milliseconds, at most
    /// [`Transaction::INTEGER_MAX`].
    pub timeout_ms: Option<u64>,
    /// Reserved for other kinds: the transaction referred to.
    pub reference: Option<Hash>,
    /// The sender's signature.
    pub authorization: Option<Authorization>,
}

impl Transaction {
    /// The only version there is.
    pub const VERSION: u8 = 1;
    /// The largest nonce, `valid_until` and `timeout_ms`: 2^53 - 1, so that every JSON reader can hold them exactly.
    pub const INTEGER_MAX: u64 = Amount::MAX.get();

    /// A transfer with none of the optional fields.
    #[must_use]
    pub fn transfer(from: Name, to: Name, amount: Amount) -> Self {
        Self {
            version: Self::VERSION,
            kind: Kind::Transfer,
            asset: 0,
            from,
            to,
            amount,
            fee: None,
            id: None,
            nonce: None,
            valid_until: None,
            memo: None,
            validator: None,
            timeout_ms: None,
            reference: None,
            authorization: None,
        }
    }

    /// What the holder of a key signs: the tag of [`Domain::Transaction`], the genesis hash, the public key, the body.
    #[must_use]
    pub fn signing_bytes(&self, genesis: &Hash, public_key: &[u8; 32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(Domain::Transaction.tag());
        bytes.extend_from_slice(genesis.as_bytes());
        bytes.extend_from_slice(public_key);
        self.write_body(&mut bytes);
        bytes
    }

    /// The hash of the body, that is of everything but the authorization. Two transactions of one sender with one id
    /// are the same if their bodies hash alike, whichever key signed them, and when.
    #[must_use]
    pub fn body_hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(128);
        self.write_body(&mut bytes);
        hash(Domain::Body, &[&bytes])
    }

    fn write_body(&self, bytes: &mut Vec<u8>) {
        write_canonical(&self.version, bytes);
        write_canonical(&self.kind, bytes);
        write_canonical(&self.asset, bytes);
        write_canonical(&self.from, bytes);
        write_canonical(&self.to, bytes);
        write_canonical(&self.amount, bytes);
        write_canonical(&self.fee, bytes);
        write_canonical(&self.id, bytes);
        write_canonical(&self.nonce, bytes);
        write_canonical(&self.valid_until, bytes);
        write_canonical(&self.memo, bytes);
        write_canonical(&self.validator, bytes);
        write_canonical(&self.timeout_ms, bytes);
        write_canonical(&self.reference, bytes);
    }
}

impl BorshDeserialize for Transaction {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != Self::VERSION {
            return Err(invalid(format_args!("transaction version {version}; this program knows {}", Self::VERSION)));
        }
        Ok(Self {
            version,
            kind: Kind::deserialize_reader(reader)?,
            asset: u32::deserialize_reader(reader)?,
            from: Name::deserialize_reader(reader)?,
            to: Name::deserialize_reader(reader)?,
            amount: Amount::deserialize_reader(reader)?,
            fee: Option::deserialize_reader(reader)?,
            id: Option::deserialize_reader(reader)?,
            nonce: integer(reader)?,
            valid_until: integer(reader)?,
            memo: Option::deserialize_reader(reader)?,
            validator: Option::deserialize_reader(reader)?,
            timeout_ms: integer(reader)?,
            reference: Option::deserialize_reader(reader)?,
            authorization: Option::deserialize_reader(reader)?,
        })
    }
}

fn integer<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Option<u64>> {
    let integer = Option::<u64>::deserialize_reader(reader)?;
    if integer.is_some_and(|integer| integer > Transaction::INTEGER_MAX) {
        return Err(invalid("an integer of a transaction is at most 9007199254740991"));
    }
    Ok(integer)
}
