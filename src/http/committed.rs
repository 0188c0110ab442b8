//! The ledger's state, as it is committed in the stores of the task that seals: of one commit, whatever is committed
//! meanwhile.

use std::sync::{Arc, Mutex};

use topology::clock::{Clock, SystemClock};
use topology::query::{Error, Queries, Result, Snapshot};
use topology::store::Direction;

use super::context::lock;
use crate::ledger;
use crate::ledger::state::{Table, View, tip};
use crate::sealing::Stores;

/// Between two questions to the group, who has the state, ms.
const ASK_INTERVAL_MS: i64 = 2_000;

/// Finds the state.
#[derive(Clone)]
pub(super) struct Committed {
    queries: Queries,
    stores: Stores,
    clock: SystemClock,
    /// When the group was last asked.
    asked_ms: Arc<Mutex<Option<i64>>>,
}

impl Committed {
    pub(super) fn new(queries: Queries) -> Self {
        Self { queries, stores: Stores::new(), clock: SystemClock::new(), asked_ms: Arc::default() }
    }

    /// The state now. An error where this instance does not have it: it begins, stands by, or ends. Then the group is
    /// asked who has it, and the next error names that one.
    pub(super) fn state(&self) -> Result<State> {
        let found = self.state_here();
        if matches!(found, Err(Error::Moving(_) | Error::Elsewhere { .. })) {
            self.find_out();
        }
        found
    }

    /// Asks the group, on a thread that ends with the answer: where no broker answers, it takes its time.
    fn find_out(&self) {
        let now_ms = self.clock.monotonic_ms();
        let mut asked_ms = lock(&self.asked_ms);
        if asked_ms.is_some_and(|asked_ms| now_ms.saturating_sub(asked_ms) < ASK_INTERVAL_MS) {
            return;
        }
        // Until it is answered.
        *asked_ms = Some(i64::MAX);
        let own = self.clone();
        let ask = move || {
            if let Err(error) = own.queries.metadata() {
                tracing::debug!("cannot find out who has the state: {error}");
            }
            *lock(&own.asked_ms) = Some(own.clock.monotonic_ms());
        };
        if let Err(error) = std::thread::Builder::new().name("cairn-http-group".to_owned()).spawn(ask) {
            tracing::debug!("cannot ask who has the state: {error}");
            *asked_ms = Some(now_ms);
        }
    }

    fn state_here(&self) -> Result<State> {
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
    /// Walks over the entries of a table whose keys begin with `prefix`, behind a key (exclusive), in the order of
    /// their bytes.
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
