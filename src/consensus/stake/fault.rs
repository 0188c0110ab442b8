//! Ways in which a validator misbehaves, for tests and demonstrations.

use std::fmt;
use std::str::FromStr;

use crate::chain::{Amount, Content, Entry};
use crate::ledger::Signature;

/// How a validator misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Proposes a block in which one amount is another.
    AlterAmount,
    /// Proposes a block that leaves a transaction out.
    DropTransaction,
    /// Signs two headers in its turn.
    Equivocate,
    /// Neither proposes nor votes. No offence: it only forfeits what it would have earned.
    Silent,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 4] = [Fault::AlterAmount, Fault::DropTransaction, Fault::Equivocate, Fault::Silent];

    /// The name, as on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::AlterAmount => "alter-amount",
            Fault::DropTransaction => "drop-transaction",
            Fault::Equivocate => "equivocate",
            Fault::Silent => "silent",
        }
    }

    /// What a validator with this fault executes in place of the input. `None`: the input itself.
    pub(super) fn instead(self, entries: &[Entry], signatures: &[Signature]) -> Option<(Vec<Entry>, Vec<Signature>)> {
        match self {
            Fault::AlterAmount => alter_amount(entries.to_vec(), signatures.to_vec()),
            Fault::DropTransaction => drop_transaction(entries.to_vec(), signatures.to_vec()),
            Fault::Equivocate | Fault::Silent => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// No fault has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault; write alter-amount, drop-transaction, equivocate or silent")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Fault, UnknownFault> {
        Fault::ALL.into_iter().find(|fault| fault.as_str() == text).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

type Instead = Option<(Vec<Entry>, Vec<Signature>)>;

/// The input with the first transaction's amount one higher, or one lower at the top. `None`: no transaction.
fn alter_amount(mut entries: Vec<Entry>, signatures: Vec<Signature>) -> Instead {
    let altered = entries.iter_mut().find_map(|entry| match &mut entry.content {
        Content::Transaction { transaction, .. } => Some(&mut transaction.amount),
        Content::Stub { .. } => None,
    })?;
    *altered = Amount::new(altered.get() + 1).or_else(|| Amount::new(altered.get().saturating_sub(1)))?;
    Some((entries, signatures))
}

/// The input without its first transaction. `None`: no transaction, or nothing would be left.
fn drop_transaction(mut entries: Vec<Entry>, mut signatures: Vec<Signature>) -> Instead {
    let dropped = entries.iter().position(|entry| matches!(entry.content, Content::Transaction { .. }))?;
    if entries.len() < 2 || signatures.len() != entries.len() {
        return None;
    }
    entries.remove(dropped);
    signatures.remove(dropped);
    Some((entries, signatures))
}
