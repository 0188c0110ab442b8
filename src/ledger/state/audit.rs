//! The pass over a whole state that comes before it is used: its tree, the sum of everything in it, and whether the
//! table that follows from others does.

use super::reading::{supply, tip, validators};
use super::records::{StateError, from_record};
use super::{Account, RememberedId, Supply, Table, Tip, View, expiry_key, parameters, visit_chunk};
use crate::chain::Hash;
use crate::ledger::{Error, Tree};

/// What an audit of a state finds.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The last block.
    pub tip: Tip,
    /// The state tree. Its root is the tip's.
    pub tree: Tree,
    /// The supply, which is the sum of all balances and stakes.
    pub supply: Supply,
    /// How many ids are remembered.
    pub id_count: u64,
}

/// Audits a state; `None` where it is empty. Root, supply and ids are all compared in full: a state that passes is the
/// one that the tip's block left, even where a forger could write to the stores meanwhile.
pub fn audit<V: View + ?Sized>(view: &V) -> Result<Option<Audited>, Error<V::Error>> {
    let Some(tip) = tip(view)? else {
        return if is_empty(view)? { Ok(None) } else { Err(StateError::missing(Table::Tip, b"tip").into()) };
    };
    let (leaves, balances) = leaves(view)?;
    let tree = Tree::from_leaves(leaves)?;
    if tree.root() != tip.state_root {
        return Err(StateError::Root { tables: tree.root(), tip: tip.state_root }.into());
    }
    let supply = audit_supply(view, balances)?;
    let id_count = audit_ids(view, &tip)?;
    Ok(Some(Audited { tip, tree, supply, id_count }))
}

fn is_empty<V: View + ?Sized>(view: &V) -> Result<bool, Error<V::Error>> {
    let mut found = false;
    for table in Table::ALL {
        view.scan(table, &mut |_, _| found = true).map_err(Error::View)?;
    }
    Ok(!found)
}

/// The leaves of the state tree, and the sum of all balances.
fn leaves<V: View + ?Sized>(view: &V) -> Result<(Vec<(Hash, Hash)>, i128), Error<V::Error>> {
    let (mut leaves, mut balances, mut broken) = (Vec::new(), 0i128, None);
    for table in Table::ALL.into_iter().filter(|table| table.in_tree()) {
        view.scan(table, &mut |key, record| {
            leaves.push(table.leaf(key, record));
            if table == Table::Accounts {
                match Account::from_record(key, record) {
                    Ok(account) => balances = balances.saturating_add(i128::from(account.balance)),
                    Err(error) => broken = broken.take().or(Some(error)),
                }
            }
        })
        .map_err(Error::View)?;
    }
    broken.map_or(Ok((leaves, balances)), |error| Err(error.into()))
}

/// Compares the sum of balances and stakes with the supply on record, which is the answer if they agree.
fn audit_supply<V: View + ?Sized>(view: &V, balances: i128) -> Result<Supply, Error<V::Error>> {
    let recorded = supply(view)?;
    let stakes: i128 = validators(view)?.iter().map(|(_, record)| i128::from(record.stake)).sum();
    let found = balances.saturating_add(stakes);
    if found == recorded.current() {
        Ok(recorded)
    } else {
        Err(StateError::Supply { found, recorded: recorded.current() }.into())
    }
}

/// Checks that the table of ids holds exactly what the lists of ids say: the state root commits to the lists, and ids
/// are looked up in the table. Answers how many there are.
///
/// Every listed id is looked up, and no id can be listed twice: lists of two active heights say different things about
/// an id, and one list is searched for repetitions. So if all that is listed is found, and as many are held as are
/// listed, there is nothing else. Memory: one list.
fn audit_ids<V: View + ?Sized>(view: &V, tip: &Tip) -> Result<u64, Error<V::Error>> {
    let remember_blocks = parameters(view)?.ids_remember_blocks;
    let (mut listed, mut found) = (0u64, 0u64);
    for (forgotten_at, chunk_count) in lists(view)? {
        let used_at = forgotten_at.checked_sub(remember_blocks).and_then(|last| last.checked_sub(1));
        let is_possible = |used_at: &u64| *used_at <= tip.active_height && forgotten_at > tip.active_height;
        let used_at = used_at.filter(is_possible).ok_or_else(|| {
            let key = expiry_key(forgotten_at, 0);
            StateError::corrupt(Table::Expiries, &key, "no id can be forgotten at this active height")
        })?;
        let list = read_list(view, forgotten_at, chunk_count)?;
        if let Some(pair) = list.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(StateError::corrupt(Table::Ids, &pair[0].0, "the id is listed twice").into());
        }
        listed += list.len() as u64;
        found += held_as_listed(view, &list, used_at)?;
    }
    let mut held = 0u64;
    view.scan(Table::Ids, &mut |_, _| held += 1).map_err(Error::View)?;
    if held == listed && found == listed { Ok(held) } else { Err(StateError::Ids { held, listed, found }.into()) }
}

/// The lists by the active height at which their ids are forgotten, each with the number of its chunks.
fn lists<V: View + ?Sized>(view: &V) -> Result<Vec<(u64, u32)>, Error<V::Error>> {
    let (mut lists, mut broken): (Vec<(u64, u32)>, _) = (Vec::new(), None);
    view.scan(Table::Expiries, &mut |key, _| {
        let parts = key.split_first_chunk::<8>().and_then(|(height, chunk)| Some((height, chunk.try_into().ok()?)));
        match (parts.map(|(height, chunk)| (u64::from_be_bytes(*height), u32::from_be_bytes(chunk))), lists.last_mut())
        {
            (Some((height, chunk)), Some((last, count))) if height == *last && chunk == *count => *count += 1,
            (Some((height, 0)), None) => lists.push((height, 1)),
            (Some((height, 0)), Some((last, _))) if height > *last => lists.push((height, 1)),
            _ => {
                broken =
                    broken.take().or_else(|| Some(StateError::corrupt(Table::Expiries, key, "no list belongs here")))
            }
        }
    })
    .map_err(Error::View)?;
    broken.map_or(Ok(lists), |error| Err(error.into()))
}

/// An id on a list: its key in [`Table::Ids`], and the hash of the transaction's body.
type ListedId = (Vec<u8>, Hash);

/// A list, in the order of the ids' keys.
fn read_list<V: View + ?Sized>(
    view: &V,
    forgotten_at: u64,
    chunk_count: u32,
) -> Result<Vec<ListedId>, Error<V::Error>> {
    let (mut list, mut record) = (Vec::new(), Vec::new());
    for chunk in 0..chunk_count {
        let key = expiry_key(forgotten_at, chunk);
        view.get(Table::Expiries, &key, &mut record).map_err(Error::View)?;
        visit_chunk(&key, &record, |id_key, body| list.push((id_key.to_vec(), body)))?;
    }
    list.sort_unstable();
    Ok(list)
}

/// How many of the listed ids, which are in the order of their keys, the table of ids holds exactly as listed.
fn held_as_listed<V: View + ?Sized>(view: &V, list: &[ListedId], used_at: u64) -> Result<u64, Error<V::Error>> {
    let keys: Vec<&[u8]> = list.iter().map(|(key, _)| key.as_slice()).collect();
    let (mut count, mut broken) = (0, None);
    view.get_many(Table::Ids, &keys, &mut |place, record| {
        let (key, body) = &list[place];
        match from_record::<RememberedId>(Table::Ids, key, record) {
            Ok(remembered) => count += u64::from(remembered == RememberedId { active_height: used_at, body: *body }),
            Err(error) => broken = broken.take().or(Some(error)),
        }
    })
    .map_err(Error::View)?;
    broken.map_or(Ok(count), |error| Err(error.into()))
}
