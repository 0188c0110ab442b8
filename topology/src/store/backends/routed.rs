//! A task some of whose stores lie on the disk, and perhaps others in memory.

use std::path::Path;

use crate::store::backends::rocks::{Rocks, RocksMemory};
use crate::store::backends::{Backend, Bounds, Direction, OnDisk, Snapshot, Visitor, Writes};
use crate::store::backends::{Memory, no_such_store};
use crate::store::changelog::Meta;
use crate::store::error::Result;
use crate::store::spec::{Medium, Spec};

/// Opens a task's stores, of which at least one lies on the disk, under `path`. Only a caller who owns the directory
/// (`may_make`) may set aside what is damaged.
pub(in crate::store) fn open_on_disk(
    specs: &[Spec],
    path: &Path,
    may_make: bool,
    memory: &RocksMemory,
) -> Result<Box<dyn Backend>> {
    let on_disk = specs.iter().filter(|spec| spec.medium == Medium::RocksDb);
    let names: Vec<_> = on_disk.map(|spec| spec.name.clone()).collect();
    let open = if may_make { Rocks::open_or_set_aside } else { Rocks::open };
    let rocks = open(path, &names, memory)?;
    if names.len() == specs.len() {
        return Ok(Box::new(rocks));
    }
    let in_memory = Memory::new(specs.len() - names.len());
    Ok(Box::new(Routed::new(specs.iter().map(|spec| spec.medium), in_memory, rocks)))
}

/// Sends each store's calls to its medium.
///
/// A batch goes to the disk first. That may fail, what memory does cannot; and since memory does not survive a crash,
/// no reader sees one without the other afterwards.
#[derive(Debug)]
struct Routed {
    routes: Vec<(Medium, usize)>,
    memory: Memory,
    rocks: Rocks,
}

impl Routed {
    /// `media` is where each store lies; each medium holds its own in the same order.
    fn new(media: impl Iterator<Item = Medium>, memory: Memory, rocks: Rocks) -> Self {
        let (mut in_memory, mut on_disk) = (0.., 0..);
        let mut number = |medium| match medium {
            Medium::Memory => in_memory.next(),
            Medium::RocksDb => on_disk.next(),
        };
        let routes = media.filter_map(|medium| Some((medium, number(medium)?))).collect();
        Self { routes, memory, rocks }
    }

    fn route(&self, store: usize) -> Result<(&dyn Backend, usize)> {
        match self.routes.get(store) {
            Some((Medium::Memory, store)) => Ok((&self.memory, *store)),
            Some((Medium::RocksDb, store)) => Ok((&self.rocks, *store)),
            None => Err(no_such_store(store)),
        }
    }

    fn writes_to<'a>(&self, medium: Medium, writes: &[Writes<'a>]) -> Result<Vec<Writes<'a>>> {
        let mut selected = Vec::with_capacity(writes.len());
        for writes in writes {
            match self.routes.get(writes.store) {
                Some(&(at, store)) if at == medium => selected.push(Writes { store, ..writes.clone() }),
                Some(_) => {}
                None => return Err(no_such_store(writes.store)),
            }
        }
        Ok(selected)
    }
}

impl Backend for Routed {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let (backend, store) = self.route(store)?;
        backend.get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        let (backend, store) = self.route(store)?;
        backend.range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        let (backend, store) = self.route(store)?;
        backend.meta(store)
    }

    fn on_disk(&self, store: usize) -> Option<OnDisk> {
        let (backend, store) = self.route(store).ok()?;
        backend.on_disk(store)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        let snapshots = [self.memory.snapshot()?, self.rocks.snapshot()?];
        Ok(Box::new(RoutedSnapshot { routes: &self.routes, snapshots }))
    }

    fn apply(&self, writes: &[Writes<'_>]) -> Result<()> {
        let (to_memory, to_disk) = (self.writes_to(Medium::Memory, writes)?, self.writes_to(Medium::RocksDb, writes)?);
        if !to_disk.is_empty() {
            self.rocks.apply(&to_disk)?;
        }
        self.memory.apply(&to_memory)
    }

    fn wipe(&self, store: usize) -> Result<()> {
        match self.routes.get(store) {
            Some((Medium::Memory, store)) => self.memory.wipe(*store),
            Some((Medium::RocksDb, store)) => self.rocks.wipe(*store),
            None => Err(no_such_store(store)),
        }
    }

    fn flush(&self) -> Result<()> {
        self.rocks.flush()
    }

    fn start_flush(&self) -> Result<()> {
        self.rocks.start_flush()
    }
}

/// A snapshot of each medium.
struct RoutedSnapshot<'a> {
    routes: &'a [(Medium, usize)],
    /// Of memory, and of the disk.
    snapshots: [Box<dyn Snapshot + 'a>; 2],
}

impl RoutedSnapshot<'_> {
    fn route(&self, store: usize) -> Result<(&dyn Snapshot, usize)> {
        let [memory, disk] = &self.snapshots;
        match self.routes.get(store) {
            Some((Medium::Memory, store)) => Ok((&**memory, *store)),
            Some((Medium::RocksDb, store)) => Ok((&**disk, *store)),
            None => Err(no_such_store(store)),
        }
    }
}

impl Snapshot for RoutedSnapshot<'_> {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let (snapshot, store) = self.route(store)?;
        snapshot.get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        let (snapshot, store) = self.route(store)?;
        snapshot.range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        let (snapshot, store) = self.route(store)?;
        snapshot.meta(store)
    }
}
