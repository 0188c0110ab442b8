//! Passes over the whole state: its tree, and the sum of everything in it.

use super::records::{supply, validators};
use super::{Account, StateError, Supply, Table, View};
use crate::chain::Hash;
use crate::ledger::{Error, Tree};

/// The state tree of a state, from its tables. What a process does when it starts.
pub fn build_tree<V: View + ?Sized>(view: &V) -> Result<Tree, Error<V::Error>> {
    let mut leaves = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| table.in_tree()) {
        view.scan(table, &mut |key, value| leaves.push((table.path(key), Hash::of(value)))).map_err(Error::View)?;
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
