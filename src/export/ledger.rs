//! The chain as far as an export has followed it, with what rows need of it: its validators, and its accounts.

use std::collections::HashMap;

use super::error::{Error, Result};
use crate::audit::Broken;
use crate::chain::{Block, Hash};
use crate::consensus::follow::Seals;
use crate::ledger::state::Account;
use crate::rows::{Balance, Chain, Tip, VERSION, Validator, ValidatorStatus, balances};

/// A chain as far as it was followed.
pub(super) struct Ledger {
    chain: Chain,
    accounts: HashMap<Box<str>, Account>,
    /// Those that are still to be checked.
    seals: Seals,
}

impl Ledger {
    /// Begins with block 0; also the rows of its accounts.
    pub(super) fn begin(block: &Block) -> Result<(Self, Vec<Balance<'_>>)> {
        let mut ledger = Self::resume(Chain::begin(block)?, HashMap::new());
        let rows = ledger.post(block)?;
        Ok((ledger, rows))
    }

    /// Goes on from where a chain was, with its accounts then.
    pub(super) fn resume(chain: Chain, accounts: HashMap<Box<str>, Account>) -> Self {
        Self { chain, accounts, seals: Seals::default() }
    }

    /// Takes in the next block, which must follow; its seal is checked by [`Ledger::check_seals`], at the latest. The rows of the
    /// accounts that it changed. After an error there is nothing more to be had.
    pub(super) fn follow<'b>(&mut self, block: &'b Block) -> Result<Vec<Balance<'b>>> {
        if let Some(claims) = self.chain.follow(block)? {
            self.seals.push(block.header.height, claims);
        }
        let rows = self.post(block)?;
        if self.seals.is_full() {
            self.check_seals()?;
        }
        Ok(rows)
    }

    fn post<'b>(&mut self, block: &'b Block) -> Result<Vec<Balance<'b>>> {
        let accounts = &mut self.accounts;
        let rows = balances(block, self.chain.fee(), |name| Ok(accounts.get(name).copied().unwrap_or_default()))?;
        for row in &rows {
            match row.account() {
                // The chain does not keep it either.
                account if account == Account::default() => drop(accounts.remove(row.name)),
                account => match accounts.get_mut(row.name) {
                    Some(known) => *known = account,
                    None => drop(accounts.insert(row.name.into(), account)),
                },
            }
        }
        Ok(rows)
    }

    /// Checks the seals of all blocks that were taken in.
    pub(super) fn check_seals(&mut self) -> Result<(), Broken> {
        std::mem::take(&mut self.seals).check()
    }

    /// What is told of an error and the seals that were not checked yet.
    pub(super) fn first_breach(&self, error: Error) -> Error {
        match error {
            Error::Broken(broken) => self.seals.first_breach(broken).into(),
            other => other,
        }
    }

    /// The chain after the last block.
    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The accounts after the last block, by name.
    pub(super) fn accounts(&self) -> Vec<(&str, Account)> {
        let mut accounts: Vec<_> = self.accounts.iter().map(|(name, account)| (&**name, *account)).collect();
        accounts.sort_unstable_by_key(|(name, _)| *name);
        accounts
    }

    /// A row for each account after the last block, by name: what an export begins with that does not begin with the chain.
    pub(super) fn opening_balances(&self) -> impl Iterator<Item = Balance<'_>> {
        let &Tip { height, hash, time_ms, .. } = self.chain.tip();
        self.accounts().into_iter().map(move |(name, account)| Balance {
            version: VERSION,
            name,
            balance: account.balance,
            nonce: account.nonce,
            // As in the genesis, so that what is exported adds up.
            delta: account.balance,
            height,
            block_hash: hash,
            block_time_ms: time_ms,
        })
    }

    /// A row for each validator after the last block, by id.
    pub(super) fn opening_validators(&self) -> impl Iterator<Item = Validator<'_>> {
        let &Tip { height, hash, time_ms, .. } = self.chain.tip();
        self.chain.standings().map(move |(id, standing)| Validator {
            version: VERSION,
            id: id.as_str(),
            status: match standing.slashed_at_height {
                None => ValidatorStatus::Active,
                Some(_) => ValidatorStatus::Slashed,
            },
            stake: standing.stake,
            slashed_at_height: standing.slashed_at_height,
            blocks_proposed: standing.blocks_proposed,
            rounds_missed: standing.rounds_missed,
            height,
            block_hash: hash,
            block_time_ms: time_ms,
        })
    }

    /// The height that must come next.
    pub(super) fn next_height(&self) -> u64 {
        self.chain.tip().height.saturating_add(1)
    }

    /// The hash of the last block.
    pub(super) fn last_hash(&self) -> Hash {
        self.chain.tip().hash
    }
}
