//! A backend that notes what is done to it, that can be made to refuse writes, and to take as long for one as a test
//! wants.

use std::sync::{Arc, Condvar, Mutex};

use crate::store::backends::{Backend, Bounds, Direction, Memory, Snapshot, Visitor, Writes};
use crate::store::budget::Budget;
use crate::store::folding::{Drive, Resources};
use crate::store::{Error, Kind, Medium, Meta, Result, Spec, StoreOptions, Stores, locked};

/// What happened to a backend.
#[derive(Default)]
pub(in crate::store) struct Record {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// For each batch: of each store in it, how many keys and which position.
    batches: Vec<Vec<(usize, usize, i64)>>,
    flushes: usize,
    refuses: bool,
    panics: bool,
    /// Writes wait at the gate.
    held: bool,
    waiting: usize,
}

impl Record {
    pub(in crate::store) fn batches(&self) -> Vec<Vec<(usize, usize, i64)>> {
        locked(&self.state).batches.clone()
    }

    pub(in crate::store) fn flushes(&self) -> usize {
        locked(&self.state).flushes
    }

    pub(in crate::store) fn refuse(&self, refuses: bool) {
        locked(&self.state).refuses = refuses;
    }

    pub(in crate::store) fn panic(&self) {
        locked(&self.state).panics = true;
    }

    /// From now on a write does not return before it is let go.
    pub(in crate::store) fn hold(&self, held: bool) {
        locked(&self.state).held = held;
        self.changed.notify_all();
    }

    /// Waits until a write waits.
    pub(in crate::store) fn wait_until_held(&self) {
        drop(self.changed.wait_while(locked(&self.state), |state| state.waiting == 0).unwrap());
    }
}

pub(in crate::store) struct Recorder {
    memory: Memory,
    record: Arc<Record>,
}

impl Backend for Recorder {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.memory.get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        self.memory.range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        self.memory.meta(store)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        self.memory.snapshot()
    }

    fn apply(&self, writes: &[Writes<'_>]) -> Result<()> {
        let mut state = locked(&self.record.state);
        assert!(!state.panics, "as it was told to");
        if state.refuses {
            return Err(Error::new(Kind::DiskFull, "full"));
        }
        state.waiting += 1;
        self.record.changed.notify_all();
        state = self.record.changed.wait_while(state, |state| state.held).unwrap();
        state.waiting -= 1;
        state.batches.push(writes.iter().map(|w| (w.store, w.run.len(), w.meta.position)).collect());
        drop(state);
        self.memory.apply(writes)
    }

    fn wipe(&self, store: usize) -> Result<()> {
        self.memory.wipe(store)
    }

    fn flush(&self) -> Result<()> {
        locked(&self.record.state).flushes += 1;
        Ok(())
    }
}

/// What a process shares, with so small a bound, in bytes, for what is gathered.
pub(in crate::store) fn resources(fold_bytes: usize, drive: Drive) -> Resources {
    let budget = Budget { segment_bytes: 5 * fold_bytes, table_bytes: 1 << 20, ..Budget::of(16 << 20) };
    Resources::with_budget(StoreOptions::default(), budget, drive).unwrap()
}

/// Two stores over a recorder.
pub(in crate::store) fn stores(resources: &Resources) -> (Stores, Arc<Record>) {
    let record = Arc::new(Record::default());
    let recorder = Recorder { memory: Memory::new(2), record: Arc::clone(&record) };
    let specs = vec![Spec::new("a", Medium::RocksDb).unwrap(), Spec::new("b", Medium::RocksDb).unwrap()];
    let mut stores = Stores::over(specs, Box::new(recorder), [0; 32], resources, None).unwrap();
    stores.begin_changelog(0, [0; 16]).unwrap();
    stores.begin_changelog(1, [1; 16]).unwrap();
    (stores, record)
}

/// Puts the same value under each of these keys of the first store.
pub(in crate::store) fn put(stores: &mut Stores, keys: std::ops::Range<u32>, value: u8) {
    for key in keys {
        stores.put(0, &key.to_be_bytes(), &[value]).unwrap();
    }
}
