//! A transaction: what its sender asked for.

use borsh::{BorshDeserialize, BorshSerialize};

use super::amount::Amount;
use super::code::codes;
use super::encoding::{invalid, write_canonical};
use super::hash::{Domain, Hash, hash};
use super::name::{Id, Memo, Name};

codes! {
    /// What a transaction does. All but [`Kind::Transfer`] are reserved: the rules reject them as `unknown_kind`.
    pub enum Kind {
        /// Moves an amount from one account to another.
        Transfer = 0 => "transfer",
        /// Reserved: adds to a validator's stake.
        Stake = 1 => "stake",
        /// Reserved: takes from a validator's stake.
        Unstake = 2 => "unstake",
        /// Reserved: gives an account a key.
        Key = 3 => "key",
        /// Reserved: changes a chain parameter.
        Parameter = 4 => "parameter",
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
///        | valid_until_height ?u64 | memo ?str
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
    /// The place of the transaction among those of its sender.
    pub nonce: Option<u64>,
    /// The last height at which the transaction may be applied.
    pub valid_until_height: Option<u64>,
    /// A text kept with the transaction.
    pub memo: Option<Memo>,
    /// The sender's signature.
    pub authorization: Option<Authorization>,
}

impl Transaction {
    /// The only version there is.
    pub const VERSION: u8 = 1;

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
            valid_until_height: None,
            memo: None,
            authorization: None,
        }
    }

    /// What the holder of a key signs: the tag of [`Domain::Transaction`], the chain id (u32 length, bytes), the public key,
    /// the body.
    #[must_use]
    pub fn signing_bytes(&self, chain_id: &str, public_key: &[u8; 32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(Domain::Transaction.tag());
        write_canonical(chain_id, &mut bytes);
        bytes.extend_from_slice(public_key);
        self.write_body(&mut bytes);
        bytes
    }

    /// The hash of the body, that is of everything but the authorization. Two transactions of one sender with one id
    /// are the same if their bodies hash alike, whoever signed them when.
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
        write_canonical(&self.valid_until_height, bytes);
        write_canonical(&self.memo, bytes);
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
            nonce: Option::deserialize_reader(reader)?,
            valid_until_height: Option::deserialize_reader(reader)?,
            memo: Option::deserialize_reader(reader)?,
            authorization: Option::deserialize_reader(reader)?,
        })
    }
}
