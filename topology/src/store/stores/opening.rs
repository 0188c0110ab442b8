//! How stores are opened: over which backend, and in which directory.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use super::{NO_CAUSE, Stores};
use crate::error::Class;
use crate::store::backends::{Backend, Memory, open_on_disk};
use crate::store::budget::TableShare;
use crate::store::changelog::{self, Fingerprint};
use crate::store::directory::{StateDirectory, TaskDirectory};
use crate::store::error::{Error, Kind, Result};
use crate::store::folding::Resources;
use crate::store::layers::Slot;
use crate::store::segments::{Closed, Committed, Door};
use crate::store::spec::{Medium, Spec};
use crate::store::stores::flush_schedule::FlushSchedule;
use crate::store::stores::undo::Undo;

impl Stores {
    /// Opens a task's stores. `specs` must be sorted by name; `fingerprint` is the application's. Nothing but
    /// [`Stores::close`] flushes for sure, and nothing is lost by not calling it. Stores on the disk that are damaged
    /// are set aside and opened empty, with a line in the log that says so: restoring rebuilds them.
    pub fn open(
        specs: Vec<Spec>,
        directory: TaskDirectory,
        resources: &Resources,
        fingerprint: Fingerprint,
    ) -> Result<Self> {
        if let Some(files) = directory.simulated() {
            let backend = Box::new(files.open(&specs));
            return Self::over(specs, backend, fingerprint, resources, Some(directory));
        }
        let backend: Box<dyn Backend> = if specs.iter().all(|spec| spec.medium == Medium::Memory) {
            Box::new(Memory::new(specs.len()))
        } else {
            // A caller who only looks changes nothing.
            let (path, may_make) = (directory.path().join("rocksdb"), directory.may_make());
            open_on_disk(&specs, &path, may_make, resources.rocks())?
        };
        Self::over(specs, backend, fingerprint, resources, Some(directory))
    }

    /// A task's stores, in its directory, or without one in memory. An error of class retry where they are open
    /// elsewhere.
    pub(crate) fn of_task(
        task: &str,
        specs: &[Spec],
        directory: Option<&StateDirectory>,
        fingerprint: Fingerprint,
        resources: &Resources,
    ) -> crate::error::Result<Self> {
        let opened = match directory {
            Some(directory) => directory
                .lock_task(task)
                .and_then(|directory| Self::open(specs.to_vec(), directory, resources, fingerprint)),
            None => Self::in_memory(specs.to_vec(), fingerprint, resources),
        };
        opened.map_err(|error| match error.kind() {
            // The application's directory is this process's, so another part of it has the stores open still.
            Kind::Locked => crate::error::Error::new(Class::Retry, error.to_string()).caused_by(error),
            _ => error.into(),
        })
    }

    /// All stores in memory, whatever their specs say, and no directory.
    pub fn in_memory(mut specs: Vec<Spec>, fingerprint: Fingerprint, resources: &Resources) -> Result<Self> {
        specs.iter_mut().for_each(|spec| spec.medium = Medium::Memory);
        let backend = Box::new(Memory::new(specs.len()));
        Self::over(specs, backend, fingerprint, resources, None)
    }

    /// Stores over a backend of the caller's.
    pub(in crate::store) fn over(
        specs: Vec<Spec>,
        backend: Box<dyn Backend>,
        fingerprint: Fingerprint,
        resources: &Resources,
        directory: Option<TaskDirectory>,
    ) -> Result<Self> {
        if let Some(pair) = specs.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            let message = format!("stores {} and {} are not in order, or the same", pair[0].name, pair[1].name);
            return Err(Error::new(Kind::Invalid, message));
        }
        let (options, gauges) = (resources.options(), resources.gauges());
        let slot = |(store, spec): (usize, &Spec)| {
            let share = TableShare::new(Arc::clone(gauges));
            // Memory is read as fast as a table: there the table is for what is not folded yet.
            let (keeps_reads, bytes_max) = match spec.medium {
                Medium::RocksDb => (true, usize::MAX),
                Medium::Memory => (false, resources.budget().fold_bytes().saturating_mul(2)),
            };
            Ok(Slot::new(share, bytes_max, keeps_reads, backend.meta(store)?))
        };
        let slots = specs.iter().enumerate().map(slot).collect::<Result<Vec<_>>>()?;
        let is_read_into = slots.iter().any(|slot| slot.meta.is_none());
        let (committed, closed) = Committed::new(backend, Arc::clone(gauges), directory);
        let committed = Arc::new(committed);
        let door = Arc::new(Door::new(Arc::clone(&committed), specs.iter().map(|spec| spec.name.clone()).collect()));
        resources.folder().register(&door);
        Ok(Self {
            specs,
            slots,
            door,
            committed,
            _closed: Closed(closed),
            resources: resources.clone(),
            commit_count: 0,
            fingerprint,
            hasher: DefaultHashBuilder::default(),
            flush: FlushSchedule::new(options.flush_bytes, options.flush_interval_ms),
            causes: NO_CAUSE,
            undo: Undo::default(),
            covering: None,
            time_ms: changelog::NO_TIME_MS,
            is_read_into,
            scratch: Default::default(),
        })
    }
}
