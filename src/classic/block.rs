//! A block of the chain as a classic block, and what links it to the next.
//!
//! ```text
//! work    {"index": height + 1, "previous_hash": "..", "proof": p, "timestamp": seconds, "transactions":
//!           [{"amount": n, "recipient": "..", "sender": ".."}, .., {"amount": reward, "recipient": miner, "sender": "0"}]}
//! stake   {"Index": height, "PreviousHash": "..", "Timestamp": milliseconds, "Transactions":
//!           [{"Amount": n, "Recipient": "..", "Sender": ".."}, ..], "Validator": ".."}
//!
//! the hash of a block is SHA-256 of these very bytes
//! ```
//!
//! Block 0 has `previous_hash` 1 and `proof` 100, as the system in Python begins; under stake `PreviousHash` "0" and no
//! validator. Only what was applied is in the list: what the ledger rejected has moved nothing. Fees have no place in
//! either shape.

use std::fmt::Write;

use serde::Deserialize;

use super::json::{list, seconds, text};
use super::kind::Kind;
use crate::chain::{Amount, Block, Content, Entry, Hash, Name, Operation, Seal, Work};

/// The last classic block, as the next one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The height of the chain's block that it was made of.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Link {
    /// Of a value that [`render`] wrote; `None` for any other.
    #[must_use]
    pub fn read(kind: Kind, value: &[u8]) -> Option<Link> {
        #[derive(Deserialize)]
        struct Glance {
            #[serde(alias = "Index")]
            index: u64,
        }
        let Glance { index } = serde_json::from_slice(value).ok()?;
        let height = match kind {
            Kind::Stake => index,
            Kind::Work => index.checked_sub(1)?,
        };
        Some(Link { height, hash: Hash::of(value) })
    }
}

/// The classic block of a block, behind the classic block before. Without one: of block 0.
#[must_use]
pub fn render(kind: Kind, before: Option<&Link>, block: &Block) -> String {
    let mut out = String::with_capacity(128 + 96 * block.entries.len());
    let (height, time_ms) = (block.header.height, block.header.time_ms);
    out.push_str(&opening(kind, height));
    match (kind, before) {
        (_, Some(link)) => text(&mut out, &link.hash.to_string()),
        (Kind::Work, None) => out.push('1'),
        (Kind::Stake, None) => text(&mut out, "0"),
    }
    out.push_str(&stamp(kind, time_ms, proof(block)));
    let transfers = block.entries.iter().filter_map(applied).chain(block.operations.iter().filter_map(minted));
    list(&mut out, transfers, |out, transfer| transfer.render(kind, out));
    if kind == Kind::Stake {
        out.push_str(", \"Validator\": ");
        match block.header.proposer() {
            Some(proposer) => text(&mut out, proposer.as_str()),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    out
}

/// What stands before the hash of the block before.
fn opening(kind: Kind, height: u64) -> String {
    match kind {
        Kind::Work => format!("{{\"index\": {}, \"previous_hash\": ", height.saturating_add(1)),
        Kind::Stake => format!("{{\"Index\": {height}, \"PreviousHash\": "),
    }
}

/// What stands between that and the transactions.
fn stamp(kind: Kind, time_ms: i64, proof: u64) -> String {
    match kind {
        Kind::Work => {
            let mut out = format!(", \"proof\": {proof}, \"timestamp\": ");
            seconds(&mut out, time_ms);
            out.push_str(", \"transactions\": ");
            out
        }
        Kind::Stake => format!(", \"Timestamp\": {time_ms}, \"Transactions\": "),
    }
}

/// The proof in a block's seal; block 0 stands for 100.
fn proof(block: &Block) -> u64 {
    block.seal.as_ref().and_then(Seal::work).map_or(100, |seal| seal.proof)
}

/// Units that moved.
struct Transfer<'b> {
    from: &'b str,
    to: &'b Name,
    amount: Amount,
}

/// What a transaction moved, if it was applied.
fn applied(entry: &Entry) -> Option<Transfer<'_>> {
    match &entry.content {
        Content::Transaction { transaction, receipt } if receipt.is_applied() => {
            Some(Transfer { from: transaction.from.as_str(), to: &transaction.to, amount: transaction.amount })
        }
        _ => None,
    }
}

/// The reward of a miner, which comes from no account.
fn minted(operation: &Operation) -> Option<Transfer<'_>> {
    match operation {
        Operation::MinerReward { account, amount, .. } => {
            Some(Transfer { from: Work::NOBODY, to: account, amount: *amount })
        }
        _ => None,
    }
}

impl Transfer<'_> {
    fn render(&self, kind: Kind, out: &mut String) {
        let [amount, recipient, sender] = match kind {
            Kind::Work => ["{\"amount\": ", ", \"recipient\": ", ", \"sender\": "],
            Kind::Stake => ["{\"Amount\": ", ", \"Recipient\": ", ", \"Sender\": "],
        };
        // Writing to a string does not fail.
        let _ = write!(out, "{amount}{}{recipient}", self.amount);
        text(out, self.to.as_str());
        out.push_str(sender);
        text(out, self.from);
        out.push('}');
    }
}
