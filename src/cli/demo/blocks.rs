//! A block as a line for people or machines, and what the blocks of a chain add up to.

use std::collections::BTreeMap;

use super::super::output::{Align, Paint, Table, grouped};
use crate::chain::{Block, Content, Evidence, Genesis, Operation, Outcome, ValidatorId};

/// The headings over the lines of [`text`].
pub(crate) const HEADINGS: &str = "height  cut           transactions  rejected  unreadable  proposer          hash";

/// A block as an aligned line, with one below it for each validator that did not do its part in it.
pub(crate) fn text(block: &Block, paint: Paint) -> String {
    let (header, counts) = (&block.header, Counts::of(block));
    let hash: String = block.hash.to_string().chars().take(16).collect();
    let mut line = format!(
        "{:>6}  {:<12}  {:>12}  {:>8}  {:>10}  {:<16}  {}",
        header.height,
        header.cut.to_string(),
        counts.applied + counts.rejected,
        counts.rejected,
        counts.unreadable,
        proposer(block),
        paint.dim(&hash)
    );
    for operation in &block.operations {
        match operation {
            Operation::Slash { round, validator, amount, evidence } => {
                let offence = offence(evidence);
                let said = format!(
                    "{validator} cheated in round {round}: {offence}; its stake of {} is burnt",
                    grouped(*amount)
                );
                line += &format!("\n        └ {}", paint.red(&said));
            }
            Operation::Missed { round, validator } => {
                line += &format!("\n        └ {}", paint.dim(&format!("{validator} was silent in round {round}")));
            }
            Operation::Fee { .. }
            | Operation::Reward { .. }
            | Operation::MinerFee { .. }
            | Operation::MinerReward { .. } => {}
        }
    }
    line
}

/// A block as a line of JSON.
pub(crate) fn json(block: &Block) -> String {
    let (header, counts) = (&block.header, Counts::of(block));
    let slashed: Vec<_> = block
        .operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Slash { round, validator, amount, evidence } => Some(serde_json::json!({
                "round": round, "validator": validator.to_string(), "amount": amount, "offence": offence(evidence),
            })),
            _ => None,
        })
        .collect();
    serde_json::json!({
        "height": header.height,
        "block_hash": block.hash,
        "state_root": header.state_root,
        "cut": header.cut.to_string(),
        "transactions": counts.applied + counts.rejected,
        "rejected": counts.rejected,
        "unreadable": counts.unreadable,
        "proposer": proposer(block),
        "round": header.round(),
        "slashed": slashed,
    })
    .to_string()
}

/// Who proposed or mined a block; block 0 has no maker.
fn proposer(block: &Block) -> &str {
    block.header.maker().unwrap_or("-")
}

fn offence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Equivocation { .. } => "signed two blocks".to_owned(),
        Evidence::Refusal { reason, .. } => format!("its block {}", reason.to_string().replace('_', " ")),
    }
}

/// What the records of a block are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    applied: u64,
    /// Transactions that the rules rejected.
    rejected: u64,
    /// Records that are no transactions.
    unreadable: u64,
}

impl Counts {
    fn of(block: &Block) -> Self {
        let mut counts = Self::default();
        for entry in &block.entries {
            let count = match &entry.content {
                Content::Stub { .. } => &mut counts.unreadable,
                Content::Transaction { receipt, .. } if receipt.outcome == Outcome::Applied => &mut counts.applied,
                Content::Transaction { .. } => &mut counts.rejected,
            };
            *count += 1;
        }
        counts
    }
}

/// What the blocks of a chain add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) height: u64,
    pub(crate) applied_count: u64,
    pub(crate) rejected_count: u64,
    pub(crate) unreadable_count: u64,
    validators: BTreeMap<ValidatorId, Validator>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Validator {
    stake: u64,
    block_count: u64,
    missed_count: u64,
    balance: i64,
    is_slashed: bool,
}

impl Tally {
    /// Before the first block.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let start = |stake| Validator { stake, ..Validator::default() };
        let validators = genesis.validators.iter().map(|one| (one.id.clone(), start(one.stake))).collect();
        Self { validators, ..Self::default() }
    }

    /// Adds a block.
    pub(crate) fn add(&mut self, block: &Block) {
        self.height = block.header.height;
        let counts = Counts::of(block);
        self.applied_count = self.applied_count.saturating_add(counts.applied);
        self.rejected_count = self.rejected_count.saturating_add(counts.rejected);
        self.unreadable_count = self.unreadable_count.saturating_add(counts.unreadable);
        if let Some(proposer) = block.header.proposer().and_then(|id| self.validators.get_mut(id)) {
            proposer.block_count = proposer.block_count.saturating_add(1);
        }
        for operation in &block.operations {
            let (Operation::Fee { validator, .. }
            | Operation::Reward { validator, .. }
            | Operation::Missed { validator, .. }
            | Operation::Slash { validator, .. }) = operation
            else {
                continue;
            };
            let Some(validator) = self.validators.get_mut(validator) else { continue };
            match operation {
                Operation::Fee { balance, .. } | Operation::Reward { balance, .. } => validator.balance = *balance,
                Operation::Missed { .. } => validator.missed_count = validator.missed_count.saturating_add(1),
                Operation::Slash { amount, .. } => {
                    validator.stake = validator.stake.saturating_sub(*amount);
                    validator.is_slashed = true;
                }
                Operation::MinerFee { .. } | Operation::MinerReward { .. } => {}
            }
        }
    }

    /// The validators as a table; `None` where there are none.
    pub(crate) fn table(&self) -> Option<Table> {
        if self.validators.is_empty() {
            return None;
        }
        let mut table = Table::new(&[
            ("validator", Align::Left),
            ("stake", Align::Right),
            ("balance", Align::Right),
            ("blocks", Align::Right),
            ("missed", Align::Right),
            ("status", Align::Left),
        ]);
        for (id, validator) in &self.validators {
            table.row([
                id.to_string(),
                grouped(validator.stake),
                grouped(validator.balance),
                validator.block_count.to_string(),
                validator.missed_count.to_string(),
                if validator.is_slashed { "slashed" } else { "active" }.to_owned(),
            ]);
        }
        Some(table)
    }

    /// The validators as JSON.
    pub(crate) fn validators_json(&self) -> serde_json::Value {
        let rows = self.validators.iter().map(|(id, validator)| {
            serde_json::json!({
                "validator": id.to_string(),
                "stake": validator.stake,
                "balance": validator.balance,
                "blocks": validator.block_count,
                "missed": validator.missed_count,
                "status": if validator.is_slashed { "slashed" } else { "active" },
            })
        });
        rows.collect()
    }
}
