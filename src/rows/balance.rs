//! The accounts that a block changed, from what moved in it; every receipt is compared with what the movements add up
//! to.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use super::{Error, Status, Transfer, VERSION, transfers};
use crate::chain::{Amount, Block, Hash};
use crate::consensus::follow::Reason;
use crate::ledger::state::Account;

/// A row of an account after a block that changed it. Amounts are in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Balance<'b> {
    /// [`VERSION`].
    pub version: u16,
    /// The account.
    pub name: &'b str,
    /// What it holds. An account with balance 0 and nonce 0 is one that the chain no longer keeps.
    pub balance: i64,
    /// The nonce that its next transaction with a nonce must carry.
    pub nonce: u64,
    /// By how much the block changed the balance.
    pub delta: i64,
    /// The block's height.
    pub height: u64,
    /// The block's hash.
    pub block_hash: Hash,
    /// Stream time at the end of the block, in milliseconds since 1970 UTC.
    pub block_time_ms: i64,
}

impl Balance<'_> {
    /// The account after the block.
    #[must_use]
    pub fn account(&self) -> Account {
        Account { balance: self.balance, nonce: self.nonce }
    }
}

/// The rows of a block, one for each account that it leaves other than it was, by name. `read` gives an account before
/// the block; the default where there is none. `fee` is what an applied transaction costs. Where a receipt is not what
/// the accounts and the movements give, the chain is broken.
pub fn balances<'b, E>(
    block: &'b Block,
    fee: Amount,
    read: impl FnMut(&str) -> Result<Account, E>,
) -> Result<Vec<Balance<'b>>, Error<E>> {
    let mut touched = Touched { height: block.header.height, read, accounts: BTreeMap::new() };
    for row in transfers(block, fee) {
        touched.post(&row)?;
    }
    let changed = touched.accounts.into_iter().filter(|(_, (before, now))| before != now);
    let rows = changed.map(|(name, (before, now))| Balance {
        version: VERSION,
        name,
        balance: now.balance,
        nonce: now.nonce,
        // Both lie within 2^53 of zero.
        delta: now.balance - before.balance,
        height: block.header.height,
        block_hash: block.hash,
        block_time_ms: block.header.time_ms,
    });
    Ok(rows.collect())
}

/// Accounts that a block names, before it and now. Ordered rather than hashed: names come from strangers.
struct Touched<'b, R> {
    height: u64,
    read: R,
    accounts: BTreeMap<&'b str, (Account, Account)>,
}

impl<'b, R> Touched<'b, R> {
    fn post<E>(&mut self, row: &Transfer<'b>) -> Result<(), Error<E>>
    where
        R: FnMut(&str) -> Result<Account, E>,
    {
        let is_applied = row.status == Status::Applied;
        // Both at most 2^53 - 1.
        let amount = row.amount.filter(|_| is_applied).unwrap_or(0).cast_signed();
        if let Some(sender) = row.sender {
            let height = self.height;
            let account = self.account(sender)?;
            if let Some(nonce) = row.nonce.filter(|_| is_applied) {
                if nonce != account.nonce {
                    let expected = account.nonce;
                    return Err(broken(
                        height,
                        row,
                        format_args!("nonce {nonce} was applied where {expected} is next"),
                    ));
                }
                account.nonce += 1;
            }
            account.balance -= amount + row.fee.cast_signed();
        }
        if let Some(recipient) = row.recipient {
            self.account(recipient)?.balance += amount;
        }
        self.compare(row, row.sender, row.sender_balance)?;
        self.compare(row, row.recipient, row.recipient_balance)
    }

    fn account<E>(&mut self, name: &'b str) -> Result<&mut Account, Error<E>>
    where
        R: FnMut(&str) -> Result<Account, E>,
    {
        let (_, now) = match self.accounts.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let account = (self.read)(name).map_err(Error::Accounts)?;
                new.insert((account, account))
            }
        };
        Ok(now)
    }

    fn compare<E>(&self, row: &Transfer<'b>, name: Option<&str>, says: Option<i64>) -> Result<(), Error<E>> {
        let held = name.and_then(|name| self.accounts.get(name)).map(|(_, now)| now.balance);
        if held == says && held.is_none_or(|held| held.unsigned_abs() <= Account::BALANCE_MAX.unsigned_abs()) {
            return Ok(());
        }
        let (name, held, says) = (name.unwrap_or_default(), held.unwrap_or_default(), says.unwrap_or_default());
        let detail = format_args!("it leaves {name} a balance of {says}, everything that moved before makes it {held}");
        Err(broken(self.height, row, detail))
    }
}

fn broken<E>(height: u64, row: &Transfer<'_>, detail: std::fmt::Arguments<'_>) -> Error<E> {
    let place = match (row.partition, row.offset) {
        (Some(partition), Some(offset)) => format!("transaction {partition}:{offset}"),
        _ => format!("the {} at index {}", row.kind.unwrap_or("row"), row.index),
    };
    Error::broken(height, Reason::Execution, format_args!("{place}: {detail}"))
}
