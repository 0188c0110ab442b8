//! A chain as far as its rows were made, with its accounts in memory, and the seals that are still to be checked.

use std::collections::HashMap;

use super::{Balance, Chain, Error, Tip, VERSION, Validator, balances};
use crate::chain::{Block, Hash};
use crate::consensus::follow::{Broken, Seals};
use crate::ledger::state::Account;

/// A chain as far as its rows were made, with the accounts that the chain keeps.
#[derive(Debug)]
pub struct Book {
    chain: Chain,
    accounts: HashMap<Box<str>, Account>,
    /// Those that are still to be checked.
    seals: Seals,
}

impl Book {
    /// Begins with block 0; also the rows of its accounts.
    pub fn begin(block: &Block) -> Result<(Self, Vec<Balance<'_>>), Error> {
        let mut book = Self::resume(Chain::begin(block)?, HashMap::new());
        let rows = book.post(block)?;
        Ok((book, rows))
    }

    /// Goes on from where a chain was, with its accounts then.
    #[must_use]
    pub fn resume(chain: Chain, accounts: HashMap<Box<str>, Account>) -> Self {
        Self { chain, accounts, seals: Seals::default() }
    }

    /// Takes in the next block, which must follow; its seal is checked by [`Book::check_seals`], at the latest. The
    /// rows of the accounts that it changed. After an error there is nothing more to be had.
    pub fn follow<'b>(&mut self, block: &'b Block) -> Result<Vec<Balance<'b>>, Error> {
        if let Some(claims) = self.chain.follow(block)? {
            self.seals.push(block.header.height, claims);
        }
        let rows = self.post(block)?;
        if self.seals.is_full() {
            self.check_seals()?;
        }
        Ok(rows)
    }

    fn post<'b>(&mut self, block: &'b Block) -> Result<Vec<Balance<'b>>, Error> {
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

    /// Checks the seals of all blocks that were taken in; of bad ones the lowest is told.
    pub fn check_seals(&mut self) -> Result<(), Broken> {
        std::mem::take(&mut self.seals).check()
    }

    /// Of a breach and the seals that were not checked yet, what is told: see [`Seals::first_breach`].
    #[must_use]
    pub fn first_breach(&self, broken: Broken) -> Broken {
        self.seals.first_breach(broken)
    }

    /// The chain after the last block.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The accounts after the last block, by name.
    #[must_use]
    pub fn accounts(&self) -> Vec<(&str, Account)> {
        let mut accounts: Vec<_> = self.accounts.iter().map(|(name, account)| (&**name, *account)).collect();
        accounts.sort_unstable_by_key(|(name, _)| *name);
        accounts
    }

    /// A row for each account after the last block, by name: what an export begins with that does not begin with the
    /// chain.
    pub fn opening_balances(&self) -> impl Iterator<Item = Balance<'_>> {
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
    pub fn opening_validators(&self) -> impl Iterator<Item = Validator<'_>> {
        self.chain.standings().map(|(id, standing)| Validator::of(id, standing, self.chain.tip()))
    }

    /// The height that must come next.
    #[must_use]
    pub fn next_height(&self) -> u64 {
        self.chain.tip().height.saturating_add(1)
    }

    /// The hash of the last block.
    #[must_use]
    pub fn last_hash(&self) -> Hash {
        self.chain.tip().hash
    }
}
