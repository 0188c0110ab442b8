//! Stores to try, and what is read from them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::store::budget::Budget;
use crate::store::folding::Drive;
use crate::store::{Bounds, Direction, InstanceId, Medium, Resources, Spec, StateDirectory, StoreOptions, Stores};

/// Two stores on the media under test, in a directory that can be opened again.
pub(super) struct Bench {
    root: TempDir,
    pub(super) media: [Medium; 2],
    pub(super) resources: Resources,
}

impl Bench {
    /// `fold_bytes`: so large a backlog is written; `drive`: who does it.
    pub(super) fn new(media: [Medium; 2], fold_bytes: usize, drive: Drive) -> Self {
        // Memtables large enough that RocksDB never flushes by itself here, and tables so small that they overflow.
        let budget = Budget {
            block_cache_bytes: 8 << 20,
            write_buffer_bytes: 8 << 20,
            segment_bytes: 5 * fold_bytes,
            table_bytes: 6_000,
            client_queue_bytes: 0,
        };
        let resources = Resources::with_budget(StoreOptions::default(), budget, drive).unwrap();
        Self { root: tempfile::tempdir().unwrap(), media, resources }
    }

    pub(super) fn open(&self) -> Stores {
        let state = StateDirectory::open(self.root.path(), "app", InstanceId::new(0, 0)).unwrap();
        let specs = vec![Spec::new("a", self.media[0]).unwrap(), Spec::new("b", self.media[1]).unwrap()];
        let mut stores = Stores::open(specs, state.lock_task("t_0").unwrap(), &self.resources, [7; 32]).unwrap();
        for store in 0..2 {
            if stores.meta(store).is_none() {
                stores.begin_changelog(store, [store as u8; 16]).unwrap();
            }
        }
        stores
    }

    /// The process is killed, and another one opens what is on the disk then.
    pub(super) fn crash(&mut self, stores: Stores) -> Stores {
        let image = image(self.root.path());
        drop(stores);
        self.root = image;
        self.open()
    }
}

/// What is on the disk at one moment: copied again if files changed meanwhile.
fn image(root: &Path) -> TempDir {
    loop {
        let image = tempfile::tempdir().unwrap();
        let mut before = Vec::new();
        let whole = files(root, &mut before).is_ok()
            && before.iter().all(|(path, _)| {
                let target = image.path().join(path.strip_prefix(root).unwrap());
                std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                std::fs::copy(path, target).is_ok()
            });
        let mut after = Vec::new();
        if whole && files(root, &mut after).is_ok() && before == after {
            return image;
        }
    }
}

/// The files below a directory, and their sizes.
fn files(path: &Path, found: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if metadata.is_dir() { files(&path, found)? } else { found.push((path, metadata.len())) }
    }
    found.sort();
    Ok(())
}

pub(super) fn get(stores: &mut Stores, store: usize, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = b"left over".to_vec();
    stores.get(store, key, &mut value).unwrap().then_some(value)
}

pub(super) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn range(
    stores: &mut Stores,
    store: usize,
    bounds: Bounds<'_>,
    direction: Direction,
    count_max: usize,
) -> Entries {
    let mut found = Vec::new();
    stores
        .range(store, bounds, direction, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    found
}

pub(super) fn all(stores: &mut Stores, store: usize) -> Entries {
    range(stores, store, Bounds::ALL, Direction::Forward, usize::MAX)
}

pub(super) fn entries(entries: &[(&str, &str)]) -> Entries {
    entries.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}
