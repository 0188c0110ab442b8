//! What a simulated disk holds, and what a crash leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::backend::Simulated;
use crate::store::backends::{Bounds, Direction, Memory, Version};
use crate::store::changelog::Meta;
use crate::store::error::{Error, Kind, Result};
use crate::store::locked;
use crate::store::spec::{Medium, Spec};

/// The state of one application on one machine. Clones are the same disk; it outlives the processes of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    tasks: BTreeMap<String, Arc<Files>>,
    locked: BTreeSet<String>,
    /// Goes up with each crash: what a process of before still holds is no business of this disk.
    life: u64,
}

/// The files of one task.
#[derive(Debug, Default)]
pub(super) struct Files {
    versions: Mutex<Versions>,
}

#[derive(Debug, Default)]
struct Versions {
    specs: Vec<Spec>,
    /// The last safe one, and those written since.
    since_safe: Vec<Version>,
    /// A flush has begun when so many had been written.
    flushing: Option<usize>,
}

/// A task's lock, held until it is dropped, or the machine crashes.
#[derive(Debug)]
pub(crate) struct TaskLock {
    task: String,
    disk: Disk,
    life: u64,
    files: Arc<Files>,
}

/// What a task's stores hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskState {
    /// The task's name.
    pub(crate) task: String,
    /// Its stores, by name.
    pub(crate) stores: Vec<StoreState>,
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreState {
    pub(crate) spec: Spec,
    /// Where it stands.
    pub(crate) meta: Option<Meta>,
    /// Values with their event times, as they lie there.
    pub(crate) entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Disk {
    /// The tasks that have files, sorted by name.
    pub(crate) fn tasks(&self) -> Vec<String> {
        locked(&self.inside).tasks.keys().cloned().collect()
    }

    /// Locks a task's files, made if need be.
    pub(crate) fn lock(&self, task: &str) -> Result<TaskLock> {
        let mut inside = locked(&self.inside);
        if !inside.locked.insert(task.to_owned()) {
            let message = format!("task {task} is in use on this machine: its stores must be closed there first");
            return Err(Error::new(Kind::Locked, message));
        }
        let files = Arc::clone(inside.tasks.entry(task.to_owned()).or_default());
        Ok(TaskLock { task: task.to_owned(), disk: self.clone(), life: inside.life, files })
    }

    /// Deletes a task's files.
    pub(crate) fn delete(&self, task: &str) {
        locked(&self.inside).tasks.remove(task);
    }

    /// The machine crashes: of what was written since the last flush, `choose` says how much is left, given how many
    /// versions there are. What processes of it hold is theirs alone from now on.
    pub(crate) fn crash(&self, mut choose: impl FnMut(usize) -> usize) {
        let mut inside = locked(&self.inside);
        inside.locked.clear();
        inside.life += 1;
        for files in inside.tasks.values_mut() {
            *files = Arc::new(files.left_by_a_crash(&mut choose));
        }
    }

    /// Another disk, with what a crash would leave of this one. This one stays as it is.
    pub(crate) fn left_by_a_crash(&self, mut choose: impl FnMut(usize) -> usize) -> Self {
        let inside = locked(&self.inside);
        let left = inside.tasks.iter().map(|(task, files)| (task.clone(), files.left_by_a_crash(&mut choose)));
        let tasks = left.map(|(task, files)| (task, Arc::new(files))).collect();
        Self { inside: Arc::new(Mutex::new(Inside { tasks, ..Inside::default() })) }
    }

    /// All files are gone.
    pub(crate) fn lose(&self) {
        let mut inside = locked(&self.inside);
        inside.tasks.clear();
        inside.locked.clear();
        inside.life += 1;
    }

    /// What is written, flushed or not, of each task that was ever opened.
    pub(crate) fn states(&self) -> Vec<TaskState> {
        let inside = locked(&self.inside);
        let states = inside.tasks.iter().filter_map(|(task, files)| files.state(task));
        states.collect()
    }
}

impl TaskLock {
    /// Opens the stores. Those in memory are empty.
    pub(in crate::store) fn open(&self, specs: &[Spec]) -> Simulated {
        let mut versions = locked(&self.files.versions);
        let before = versions.since_safe.last().filter(|_| versions.specs == specs);
        let in_memory = |store: usize| specs.get(store).is_some_and(|spec| spec.medium == Medium::Memory);
        let version = before.map_or_else(|| Memory::new(specs.len()).version(), |before| before.without(in_memory));
        let memory = Memory::of(&version);
        versions.specs = specs.to_vec();
        // What the process before had not flushed is as unsafe as before.
        versions.since_safe.push(version);
        drop(versions);
        Simulated::new(memory, Arc::clone(&self.files))
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        let mut inside = locked(&self.disk.inside);
        if inside.life == self.life {
            inside.locked.remove(&self.task);
        }
    }
}

impl Files {
    pub(super) fn write(&self, version: Version) {
        let mut versions = locked(&self.versions);
        if let Some(count) = versions.flushing.take() {
            versions.since_safe.drain(..count.saturating_sub(1));
        }
        versions.since_safe.push(version);
    }

    pub(super) fn flush(&self) {
        let mut versions = locked(&self.versions);
        let unsafe_count = versions.since_safe.len().saturating_sub(1);
        versions.since_safe.drain(..unsafe_count);
        versions.flushing = None;
    }

    /// It is through with the next write; until then a crash may leave what was there before.
    pub(super) fn start_flush(&self) {
        let mut versions = locked(&self.versions);
        versions.flushing = Some(versions.since_safe.len());
    }

    fn left_by_a_crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let versions = locked(&self.versions);
        let is_gone = |store: usize| versions.specs.get(store).is_some_and(|spec| spec.medium == Medium::Memory);
        let left = match versions.since_safe.len() {
            0 => None,
            count => versions.since_safe.get(choose(count).min(count - 1)).map(|version| version.without(is_gone)),
        };
        let since_safe = left.into_iter().collect();
        Self { versions: Mutex::new(Versions { specs: versions.specs.clone(), since_safe, flushing: None }) }
    }

    fn state(&self, task: &str) -> Option<TaskState> {
        let versions = locked(&self.versions);
        let snapshot = versions.since_safe.last()?.snapshot();
        let stores = versions.specs.iter().enumerate().map(|(store, spec)| {
            let mut entries = BTreeMap::new();
            // Memory has no error but that there is no such store.
            let _ = snapshot.range(store, Bounds::ALL, Direction::Forward, &mut |key, value| {
                entries.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            });
            StoreState { spec: spec.clone(), meta: snapshot.meta(store).ok().flatten(), entries }
        });
        Some(TaskState { task: task.to_owned(), stores: stores.collect() })
    }
}
