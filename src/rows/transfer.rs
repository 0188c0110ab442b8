//! What moved in a block, or was to: a row for each record, and for each operation that moves something.
//!
//! The rows of a whole chain add up to its state. Over those with status `applied`:
//!
//! ```text
//! balance of a name       what it received (amount)  -  what it sent (amount + fee)
//! stake of a validator    genesis_stake              -  slash
//! ```

use std::fmt::Write;

use serde::Serialize;

use super::VERSION;
use crate::chain::code::codes;
use crate::chain::{Amount, Block, Content, Entry, Hash, Operation, Outcome};

codes! {
    /// What kind of row.
    pub enum TransferKind {
        /// A transaction.
        Transfer = 1 => "transfer",
        /// An account's balance in the genesis. One below zero is sent, to no account.
        Genesis = 2 => "genesis",
        /// A validator's stake in the genesis.
        GenesisStake = 3 => "genesis_stake",
        /// Fees of a block, for its proposer.
        Fee = 4 => "fee",
        /// The reward of a block, for its proposer.
        Reward = 5 => "reward",
        /// A validator's stake, burnt.
        Slash = 6 => "slash",
        /// Fees of a block, for its miner.
        MinerFee = 7 => "miner_fee",
        /// The reward of a block, for its miner.
        MinerReward = 8 => "miner_reward",
    }
}

codes! {
    /// What became of it.
    pub enum Status {
        /// It took effect.
        Applied = 1 => "applied",
        /// A transaction that the rules rejected.
        Rejected = 2 => "rejected",
        /// A record that is no transaction.
        Unreadable = 3 => "unreadable",
    }
}

/// A row of what moved. Height and index together are its key. Amounts are in minor units; times in milliseconds since
/// 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer<'b> {
    /// [`VERSION`].
    pub version: u16,
    /// The block's height.
    pub height: u64,
    /// The place in the block, from 0: its records in their order, then its operations. Block 0 has accounts, then
    /// validators.
    pub index: u32,
    /// The block's hash.
    pub block_hash: Hash,
    /// Stream time at the end of the block.
    pub block_time_ms: i64,
    /// What it is; an unreadable record is nothing.
    pub kind: Option<&'static str>,
    /// What became of it.
    pub status: Status,
    /// Why it is not applied.
    pub reason: Option<&'static str>,
    /// Where its record stood on the transactions topic; operations stand nowhere.
    pub partition: Option<i32>,
    /// See `partition`.
    pub offset: Option<i64>,
    /// The record's timestamp.
    pub record_time_ms: Option<i64>,
    /// Who paid, or would have.
    pub sender: Option<&'b str>,
    /// Who received, or would have.
    pub recipient: Option<&'b str>,
    /// The validator that a fee, a reward, a slash or a stake is about.
    pub validator: Option<&'b str>,
    /// How much moved, or would have.
    pub amount: Option<u64>,
    /// What the sender paid besides; 0 but for applied transactions.
    pub fee: u64,
    /// The sender's balance afterwards.
    pub sender_balance: Option<i64>,
    /// The recipient's balance afterwards.
    pub recipient_balance: Option<i64>,
    /// The transaction's id, if its sender gave it one.
    pub transaction_id: Option<&'b str>,
    /// The transaction's nonce, if it carries one.
    pub nonce: Option<u64>,
    /// The transaction's text, if it has one.
    pub memo: Option<&'b str>,
}

impl Transfer<'_> {
    /// Makes its key the text: `HEIGHT:INDEX`.
    pub fn write_key(&self, key: &mut String) {
        key.clear();
        // Writing to a text does not fail.
        let _ = write!(key, "{}:{}", self.height, self.index);
    }
}

/// The rows of a block in the order of their index. `fee` is what an applied transaction costs
/// ([`Chain::fee`](super::Chain::fee)).
pub fn transfers(block: &Block, fee: Amount) -> impl Iterator<Item = Transfer<'_>> {
    let record_count = u32::try_from(block.entries.len()).unwrap_or(u32::MAX);
    let records = (0_u32..).zip(&block.entries).map(move |(index, entry)| of_entry(block, index, entry, fee));
    let operations = (record_count..).zip(&block.operations);
    let operations = operations.filter_map(move |(index, operation)| of_operation(block, index, operation));
    records.chain(operations).chain(of_genesis(block))
}

fn row(block: &Block, index: u32) -> Transfer<'_> {
    Transfer {
        version: VERSION,
        height: block.header.height,
        index,
        block_hash: block.hash,
        block_time_ms: block.header.time_ms,
        kind: None,
        status: Status::Applied,
        reason: None,
        partition: None,
        offset: None,
        record_time_ms: None,
        sender: None,
        recipient: None,
        validator: None,
        amount: None,
        fee: 0,
        sender_balance: None,
        recipient_balance: None,
        transaction_id: None,
        nonce: None,
        memo: None,
    }
}

fn of_entry<'b>(block: &'b Block, index: u32, entry: &'b Entry, fee: Amount) -> Transfer<'b> {
    let row = Transfer {
        partition: Some(entry.origin.partition),
        offset: Some(entry.origin.offset),
        record_time_ms: Some(entry.origin.timestamp_ms),
        ..row(block, index)
    };
    let (transaction, receipt) = match &entry.content {
        Content::Stub { reason, .. } => {
            return Transfer { status: Status::Unreadable, reason: Some(reason.as_str()), ..row };
        }
        Content::Transaction { transaction, receipt } => (transaction, receipt),
    };
    let (status, reason, fee) = match receipt.outcome {
        Outcome::Applied => (Status::Applied, None, fee.get()),
        Outcome::Rejected(reason) => (Status::Rejected, Some(reason.as_str()), 0),
    };
    Transfer {
        kind: Some(transaction.kind.as_str()),
        status,
        reason,
        sender: Some(transaction.from.as_str()),
        recipient: Some(transaction.to.as_str()),
        validator: transaction.validator.as_ref().map(|id| id.as_str()),
        amount: Some(transaction.amount.get()),
        fee,
        sender_balance: Some(receipt.from_balance),
        recipient_balance: Some(receipt.to_balance),
        transaction_id: transaction.id.as_ref().map(|id| id.as_str()),
        nonce: transaction.nonce,
        memo: transaction.memo.as_ref().map(|memo| memo.as_str()),
        ..row
    }
}

/// `None`: it moves nothing.
fn of_operation<'b>(block: &'b Block, index: u32, operation: &'b Operation) -> Option<Transfer<'b>> {
    let (kind, validator, account, amount, balance) = match operation {
        Operation::Fee { validator, account, amount, balance } => {
            (TransferKind::Fee, Some(validator), Some(account), amount.get(), Some(*balance))
        }
        Operation::Reward { validator, account, amount, balance } => {
            (TransferKind::Reward, Some(validator), Some(account), amount.get(), Some(*balance))
        }
        Operation::MinerFee { account, amount, balance } => {
            (TransferKind::MinerFee, None, Some(account), amount.get(), Some(*balance))
        }
        Operation::MinerReward { account, amount, balance } => {
            (TransferKind::MinerReward, None, Some(account), amount.get(), Some(*balance))
        }
        Operation::Slash { validator, amount, .. } => (TransferKind::Slash, Some(validator), None, *amount, None),
        Operation::Missed { .. } => return None,
    };
    Some(Transfer {
        kind: Some(kind.as_str()),
        recipient: account.map(|account| account.as_str()),
        validator: validator.map(|id| id.as_str()),
        amount: Some(amount),
        recipient_balance: balance,
        ..row(block, index)
    })
}

/// What block 0 begins with.
fn of_genesis(block: &Block) -> impl Iterator<Item = Transfer<'_>> {
    let accounts = block.genesis.iter().flat_map(|genesis| &genesis.accounts);
    let accounts = accounts.map(|(name, balance)| {
        let (name, is_debt) = (name.as_str(), *balance < 0);
        let held = (Some(name), Some(*balance));
        let (sender, recipient) = if is_debt { (held, (None, None)) } else { ((None, None), held) };
        Transfer {
            kind: Some(TransferKind::Genesis.as_str()),
            sender: sender.0,
            recipient: recipient.0,
            amount: Some(balance.unsigned_abs()),
            sender_balance: sender.1,
            recipient_balance: recipient.1,
            ..row(block, 0)
        }
    });
    let validators = block.genesis.iter().flat_map(|genesis| &genesis.validators);
    let validators = validators.map(|validator| Transfer {
        kind: Some(TransferKind::GenesisStake.as_str()),
        validator: Some(validator.id.as_str()),
        amount: Some(validator.stake),
        ..row(block, 0)
    });
    (0_u32..).zip(accounts.chain(validators)).map(|(index, row)| Transfer { index, ..row })
}
