//! All rows of a chain, block by block from block 0, with its accounts in memory.

use std::collections::HashMap;

use super::{Balance, Chain, Error, Transfer, Validator, balances, transfers, validators};
use crate::chain::Block;
use crate::consensus::follow::Reason;
use crate::consensus::scheme::verify_many;
use crate::ledger::state::Account;

/// The rows of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<'b> {
    /// What moved, by index.
    pub transfers: Vec<Transfer<'b>>,
    /// The accounts that it changed, by name.
    pub balances: Vec<Balance<'b>>,
    /// The validators that it concerns, by id.
    pub validators: Vec<Validator<'b>>,
}

/// A chain as far as its rows were made, with the accounts that the chain keeps.
#[derive(Clone, Debug, Default)]
pub struct Book {
    chain: Option<Chain>,
    accounts: HashMap<Box<str>, Account>,
}

impl Book {
    /// Before block 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows of the next block, which must follow and be sealed. After an error there is nothing more to be had.
    pub fn rows<'b>(&mut self, block: &'b Block) -> Result<Rows<'b>, Error> {
        let chain = match &mut self.chain {
            None => self.chain.insert(Chain::begin(block)?),
            Some(chain) => {
                if let Some(claims) = chain.follow(block)? {
                    verify_many(&[claims])
                        .map_err(|(_, flaw)| Error::broken(block.header.height, Reason::Seal, flaw))?;
                }
                chain
            }
        };
        let accounts = &mut self.accounts;
        let fee = chain.fee();
        let balances = balances(block, fee, |name| Ok(accounts.get(name).copied().unwrap_or_default()))?;
        for row in &balances {
            match row.account() {
                // The chain does not keep it either.
                account if account == Account::default() => drop(accounts.remove(row.name)),
                account => drop(accounts.insert(row.name.into(), account)),
            }
        }
        Ok(Rows { transfers: transfers(block, fee).collect(), balances, validators: validators(chain, block) })
    }

    /// The chain after the last block; `None` before block 0.
    #[must_use]
    pub fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// The accounts after the last block, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, Account)> {
        self.accounts.iter().map(|(name, account)| (&**name, *account))
    }
}
