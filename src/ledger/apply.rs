//! One transaction against two accounts: the rules of `docs/ledger-rules.md`, in the order in which they are asked.
//!
//! A rejected transaction changes nothing: no balance, no nonce, no fee, and its id stays unused.

use super::Signature;
use super::state::{Account, RememberedId};
use crate::chain::{Amount, Balances, Kind, Name, Parameters, ReasonCode, Signatures, Transaction};

/// What is the same for all transactions of a block.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The chain parameters.
    pub parameters: &'a Parameters,
    /// By what ids and validity are counted in the block: one more than the blocks before it with an applied
    /// transaction.
    pub active_height: u64,
}

/// A transaction, and what the state says about its sender.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The transaction.
    pub transaction: &'a Transaction,
    /// What its signature is worth.
    pub signature: Signature,
    /// The key that owns the sending account, if one does.
    pub owner: Option<[u8; 32]>,
    /// The sender's earlier use of the transaction's id, if it is remembered.
    pub remembered: Option<RememberedId>,
    /// Whether no block can hold the transaction.
    pub too_large: bool,
}

/// Both accounts afterwards. Where they are one account, both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The sender's.
    pub from: Account,
    /// The receiver's.
    pub to: Account,
}

impl Rules<'_> {
    /// What the transaction makes of its accounts, or why it is rejected: the first rule it breaks. `to` is `None`
    /// where sender and receiver are one account.
    pub fn apply(&self, request: &Request<'_>, from: Account, to: Option<Account>) -> Result<Transfer, ReasonCode> {
        self.form(request)?;
        self.signature(request)?;
        if request.transaction.valid_until.is_some_and(|last| last < self.active_height) {
            return Err(ReasonCode::Expired);
        }
        if let Some(remembered) = request.remembered {
            let same = remembered.body == request.transaction.body_hash();
            return Err(if same { ReasonCode::Duplicate } else { ReasonCode::Conflict });
        }
        self.replay(request)?;
        let nonce = next_nonce(request.transaction, from.nonce)?;
        if request.transaction.fee.is_some_and(|agreed| agreed < self.parameters.fee) {
            return Err(ReasonCode::FeeTooLow);
        }
        self.transfer(request.transaction, Account { nonce, ..from }, to)
    }

    fn form(&self, request: &Request<'_>) -> Result<(), ReasonCode> {
        let transaction = request.transaction;
        if transaction.kind != Kind::Transfer {
            return Err(ReasonCode::UnknownKind);
        }
        if transaction.validator.is_some() || transaction.timeout_ms.is_some() || transaction.reference.is_some() {
            return Err(ReasonCode::UnexpectedField);
        }
        if transaction.asset != 0 {
            return Err(ReasonCode::UnknownAsset);
        }
        // Of the system's accounts only the earnings of validators have an owner. None of them is paid by a
        // transaction, so a stranger cannot fill one up to where it takes no more.
        let is_earnings = transaction.from.is_system() && request.owner.is_some();
        let nobody = |name: &Name| self.parameters.consensus.is_nobody(name.as_str());
        if transaction.to.is_system()
            || (transaction.from.is_system() && !is_earnings)
            || nobody(&transaction.from)
            || nobody(&transaction.to)
        {
            return Err(ReasonCode::ReservedName);
        }
        if transaction.amount == Amount::ZERO {
            return Err(ReasonCode::ZeroAmount);
        }
        if request.too_large {
            return Err(ReasonCode::TooLarge);
        }
        Ok(())
    }

    fn signature(&self, request: &Request<'_>) -> Result<(), ReasonCode> {
        let policy = self.parameters.signatures;
        if policy == Signatures::Off {
            // Nothing is looked at, so nothing can speak for an account that belongs to a key.
            return if request.owner.is_some() { Err(ReasonCode::SignatureRequired) } else { Ok(()) };
        }
        match (request.signature, request.owner, request.transaction.authorization) {
            (Signature::Invalid, _, _) => Err(ReasonCode::BadSignature),
            (Signature::Valid, Some(owner), Some(given)) if given.public_key == owner => Ok(()),
            (Signature::Valid, Some(_), _) => Err(ReasonCode::BadSignature),
            // No key owns the account, so a signature proves nothing about it.
            (Signature::Valid, None, _) if policy == Signatures::Required => Err(ReasonCode::BadSignature),
            (Signature::Absent, Some(_), _) => Err(ReasonCode::SignatureRequired),
            (Signature::Absent, None, _) if policy == Signatures::Required => Err(ReasonCode::SignatureRequired),
            (Signature::Valid | Signature::Absent, None, _) => Ok(()),
        }
    }

    /// A transaction that only its owner could have made must not be usable twice by everybody else.
    fn replay(&self, request: &Request<'_>) -> Result<(), ReasonCode> {
        let transaction = request.transaction;
        if request.owner.is_none() || transaction.nonce.is_some() {
            return Ok(());
        }
        let (Some(_), Some(last)) = (&transaction.id, transaction.valid_until) else {
            return Err(ReasonCode::Replayable);
        };
        // Applied now, the id is remembered through this active height: the transaction must not outlive it.
        if last > self.active_height.saturating_add(self.parameters.ids_remember_blocks) {
            return Err(ReasonCode::ValidityTooLong);
        }
        Ok(())
    }

    fn transfer(&self, transaction: &Transaction, from: Account, to: Option<Account>) -> Result<Transfer, ReasonCode> {
        let lowest = match self.parameters.balances {
            // An account that has used a nonce lasts as long as the chain. It pays for that with a unit that stays in
            // it.
            Balances::Strict => i64::from(from.nonce > 0),
            Balances::Open { overdraft_max } => -overdraft_max.signed(),
        };
        // Two amounts of at most 2^53 - 1: no overflow. The debit is covered in full before anything is credited, also
        // where the sender pays itself.
        let debit = transaction.amount.signed() + self.parameters.fee.signed();
        let after_debit = from.balance.checked_sub(debit).filter(|balance| *balance >= lowest);
        let balance = after_debit.ok_or(ReasonCode::InsufficientFunds)?;
        let from = Account { balance, ..from };
        let credited = to.unwrap_or(from);
        let after_credit = credited.balance.checked_add(transaction.amount.signed());
        let balance = after_credit.filter(|balance| *balance <= Account::BALANCE_MAX);
        let credited = Account { balance: balance.ok_or(ReasonCode::BalanceOverflow)?, ..credited };
        Ok(Transfer { from: if to.is_some() { from } else { credited }, to: credited })
    }
}

/// The sender's nonce afterwards.
fn next_nonce(transaction: &Transaction, nonce: u64) -> Result<u64, ReasonCode> {
    match transaction.nonce {
        None => Ok(nonce),
        Some(given) if given == nonce && nonce < Account::NONCE_MAX => Ok(nonce + 1),
        Some(_) => Err(ReasonCode::BadNonce),
    }
}
