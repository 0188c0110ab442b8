//! The ledger's state, as it is committed in the stores of the task that seals: of one commit, whatever is committed meanwhile.

use topology::query::{Error, Queries, Result, Snapshot};
use topology::store::Direction;

use crate::ledger;
use crate::ledger::state::{Table, View, tip};
use crate::sealing::Stores;

/// Finds the state.
#[derive(Clone)]
pub(super) struct Committed {
    queries: Queries,
    stores: Stores,
}

impl Committed {
    pub(super) fn new(queries: Queries) -> Self {
        Self { queries, stores: Stores::new() }
    }

    /// The state now. An error where this instance does not have it: it begins, stands by, or ends.
    pub(super) fn state(&self) -> Result<State> {
        let store = self.store(Table::Tip)?;
        let snapshot = self.queries.store(store)?.snapshots()?.into_iter().next();
        let snapshot = snapshot.ok_or_else(|| Error::Moving("the state of the chain".to_owned()))?;
        Ok(State { snapshot, stores: self.stores.clone() })
    }

    /// The height of the last committed block; `None` before there is one.
    pub(super) fn height(&self) -> Result<Option<u64>, ledger::Error<Error>> {
        Ok(tip(&self.state().map_err(ledger::Error::View)?)?.map(|tip| tip.height))
    }

    fn store(&self, table: Table) -> Result<&topology::graph::Store<[u8], [u8]>> {
        store_of(&self.stores, table)
    }
}

/// The state after one block.
pub(super) struct State {
    snapshot: Snapshot,
    stores: Stores,
}

/// What a walk over a table comes to, entry by entry.
pub(super) enum Step {
    On,
    Enough,
}

impl State {
    /// Walks over the entries of a table whose keys begin with `prefix`, behind a key (exclusive), in the order of their bytes.
    pub(super) fn walk(
        &self,
        table: Table,
        prefix: &[u8],
        behind: Option<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Step,
    ) -> Result<()> {
        use std::ops::Bound;
        let store = self.snapshot.store(store_of(&self.stores, table)?)?;
        let mut entries = match behind {
            Some(behind) => store.range(Bound::Excluded(&behind), Bound::Unbounded, Direction::Forward)?,
            None => store.prefix(prefix, Direction::Forward)?,
        };
        while let Some(entry) = entries.next_entry()? {
            if !entry.key.starts_with(prefix) || matches!(visit(entry.key, entry.value), Step::Enough) {
                break;
            }
        }
        Ok(())
    }
}

impl View for State {
    type Error = Error;

    fn get(&self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        self.snapshot.store(store_of(&self.stores, table)?)?.get_with(&key, |found| {
            value.extend_from_slice(found.unwrap_or_default());
            found.is_some()
        })
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.walk(table, &[], None, |key, value| {
            visit(key, value);
            Step::On
        })
    }
}

fn store_of(stores: &Stores, table: Table) -> Result<&topology::graph::Store<[u8], [u8]>> {
    let found = Table::ALL.iter().zip(stores.tables()).find(|(named, _)| **named == table);
    found.map(|(_, store)| store).ok_or_else(|| Error::Invalid(format!("there is no store for {}", table.name())))
}
