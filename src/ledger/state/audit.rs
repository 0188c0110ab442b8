//! Passes over the whole state: its tree, the sum of everything in it, and whether tables that follow from others do.

use std::hash::{DefaultHasher, Hasher};

use super::records::{parameters, supply, validators};
use super::{Account, ListedId, RememberedId, StateError, Supply, Table, View, value_hash};
use crate::chain::from_canonical;
use crate::ledger::{Error, Tree};

/// The state tree of a state, from its tables. What a process does when it starts.
pub fn build_tree<V: View + ?Sized>(view: &V) -> Result<Tree, Error<V::Error>> {
    let mut leaves = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| table.in_tree()) {
        view.scan(table, &mut |key, value| leaves.push((table.path(key), value_hash(value)))).map_err(Error::View)?;
    }
    Ok(Tree::from_leaves(leaves)?)
}

/// Sums up all balances and stakes and compares with the supply on record, which is the answer if they agree.
pub fn audit_supply<V: View + ?Sized>(view: &V) -> Result<Supply, Error<V::Error>> {
    let recorded = supply(view)?;
    let (mut sum, mut broken) = (0i128, None);
    view.scan(Table::Accounts, &mut |key, value| match Account::from_record(value) {
        Some(account) => sum = sum.saturating_add(i128::from(account.balance)),
        None => broken = Some(StateError::corrupt(Table::Accounts, key, "an account has 16 bytes")),
    })
    .map_err(Error::View)?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    for (_, validator) in validators(view)? {
        sum = sum.saturating_add(i128::from(validator.stake));
    }
    if sum != recorded.current() {
        return Err(StateError::Supply { found: sum, recorded: recorded.current() }.into());
    }
    Ok(recorded)
}

/// Checks that the table of ids holds exactly what the lists of ids say, each id once: the state root commits to the lists, and
/// ids are looked up in the table. Answers how many there are.
///
/// One pass over both, in constant memory: sums of hashes are compared, in which the order does not matter. That finds what got
/// lost or was damaged; it is not meant to withstand somebody who can write to the stores.
pub fn audit_ids<V: View + ?Sized>(view: &V) -> Result<u64, Error<V::Error>> {
    let remember_blocks = parameters(view)?.ids_remember_blocks;
    let (mut listed, mut held, mut broken) = (Tally::default(), Tally::default(), None);
    view.scan(Table::Expiries, &mut |key, value| {
        let height = key.first_chunk().map(|height| u64::from_be_bytes(*height));
        let used_at = height.and_then(|height| height.checked_sub(remember_blocks)?.checked_sub(1));
        match (used_at, from_canonical::<Vec<ListedId>>(value)) {
            (Some(height), Ok(list)) => {
                list.iter().for_each(|(key, body)| listed.add(key, &RememberedId { height, body: *body }));
            }
            (None, _) => {
                broken = Some(StateError::corrupt(Table::Expiries, key, "no id can be forgotten at its height"))
            }
            (_, Err(error)) => broken = Some(StateError::corrupt(Table::Expiries, key, error)),
        }
    })
    .map_err(Error::View)?;
    view.scan(Table::Ids, &mut |key, value| match from_canonical(value) {
        Ok(remembered) => held.add(key, &remembered),
        Err(error) => broken = Some(StateError::corrupt(Table::Ids, key, error)),
    })
    .map_err(Error::View)?;
    match broken {
        Some(error) => Err(error.into()),
        None if held != listed => Err(StateError::Ids { held: held.count, listed: listed.count }.into()),
        None => Ok(held.count),
    }
}

/// A set of remembered ids, boiled down.
#[derive(Default, PartialEq, Eq)]
struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, key: &[u8], remembered: &RememberedId) {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        hasher.write(&remembered.height.to_be_bytes());
        hasher.write(remembered.body.as_bytes());
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}
