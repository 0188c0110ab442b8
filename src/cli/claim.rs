//! What a proof shows, in words.

use super::output::grouped;
use crate::chain::{Content, Entry, Outcome};
use crate::proof::{Claim, Proof};

/// What a proof shows, in a sentence.
pub(crate) fn claimed(proof: &Proof) -> String {
    let height = proof.header.height;
    match &proof.claim {
        Claim::Transaction { entry, .. } => format!("{} in block {height}: {}", place(entry), became(entry)),
        Claim::IdUsed { entry, .. } => {
            format!("the id was used in block {height} by {}: {}", place(entry), became(entry))
        }
        Claim::IdUnused { sender, id, listed } => {
            let what = format!("{sender} has not used the id {id}");
            match listed.active_heights(&proof.header) {
                None => format!("{what}, as far as ids are remembered after block {height}: none is"),
                Some((1, last)) => format!("{what} up to block {height} (active heights 1 to {last}: the whole chain)"),
                Some((first, last)) => format!(
                    "{what} at the active heights {first} to {last}, which are remembered after block {height}; what came before is \
                     forgotten, and an id of then is free again"
                ),
            }
        }
        Claim::Balance { name, account, .. } if *account == Default::default() => {
            format!("{name} has no account after block {height}: its balance is 0")
        }
        Claim::Balance { name, account, .. } => {
            let (balance, nonce) = (grouped(account.balance), account.nonce);
            format!("{name} has {balance} after block {height}; its next nonce is {nonce}")
        }
        Claim::Validator { id, record: None, .. } => format!("there is no validator {id} after block {height}"),
        Claim::Validator { id, record: Some(record), .. } => {
            let slashed = record.slashed_at_height.map(|height| format!(", slashed at height {height}"));
            let (stake, missed, slashed) = (grouped(record.stake), record.missed, slashed.unwrap_or_default());
            format!("validator {id} has a stake of {stake} after block {height}, missed rounds {missed}{slashed}")
        }
        Claim::Block => format!("the chain has block {height}"),
    }
}

fn place(entry: &Entry) -> String {
    format!("the record at offset {} of partition {}", entry.origin.offset, entry.origin.partition)
}

/// What became of a record.
fn became(entry: &Entry) -> String {
    let Content::Transaction { transaction, receipt } = &entry.content else {
        let Content::Stub { reason, .. } = &entry.content else { return String::new() };
        return format!("no transaction could be read ({reason})");
    };
    let outcome = match receipt.outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Rejected(reason) => format!("rejected, {reason}"),
    };
    let id = transaction.id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let (from, to, amount) = (&transaction.from, &transaction.to, grouped(transaction.amount.get()));
    let (from_balance, to_balance) = (grouped(receipt.from_balance), grouped(receipt.to_balance));
    format!("{from} to {to}, {amount}{id}: {outcome}; afterwards {from} has {from_balance}, {to} has {to_balance}")
}
