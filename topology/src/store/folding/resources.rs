//! What all stores of a process share.

use std::sync::Arc;

use super::folder::{Drive, Folder};
use super::thread::FolderThread;
use crate::store::backends::{OnDisk, RocksMemory};
use crate::store::budget::{Budget, Gauges, QueueShare, StoreOptions};
use crate::store::error::Result;

/// What all stores of a process share: the memory budget, RocksDB's caches, and what folds committed segments into
/// backends. Cheap to clone; make one for the process.
///
/// ```
/// use topology::store::{StoreOptions, Resources};
///
/// let resources = Resources::start(StoreOptions { memory_bytes: 64 << 20, ..StoreOptions::default() })?;
/// assert_eq!(resources.budget().segment_bytes, 20 << 20);
/// # Ok::<(), topology::store::Error>(())
/// ```
#[derive(Clone)]
pub struct Resources {
    options: StoreOptions,
    gauges: Arc<Gauges>,
    rocks: RocksMemory,
    folder: Arc<Folder>,
    /// Ends with the last clone.
    _thread: Option<Arc<FolderThread>>,
}

impl std::fmt::Debug for Resources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resources").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Resources {
    /// With a thread that folds: commits do not wait for RocksDB's writes. A stream thread asks [`Resources::has_room`]
    /// before it takes more input, and calls [`Resources::pace`] after its commits.
    pub fn start(options: StoreOptions) -> Result<Self> {
        let budget = Budget::of(options.memory_bytes);
        Self::new(options, budget, Drive::Thread)
    }

    /// Without a thread: commits fold, as far as there is anything to do. For tools and tests.
    pub fn without_thread(options: StoreOptions) -> Self {
        let budget = Budget::of(options.memory_bytes);
        Self::assemble(options, budget, Drive::Commits)
    }

    /// Without a thread: [`Resources::step`] folds, and nothing else. For tests and simulations, which decide what
    /// happens when.
    pub fn stepped(options: StoreOptions) -> Self {
        let budget = Budget::of(options.memory_bytes);
        Self::assemble(options, budget, Drive::Caller)
    }

    /// With other shares than the usual ones.
    #[cfg(test)]
    pub(in crate::store) fn with_budget(options: StoreOptions, budget: Budget, drive: Drive) -> Result<Self> {
        Self::new(options, budget, drive)
    }

    fn new(options: StoreOptions, budget: Budget, drive: Drive) -> Result<Self> {
        let mut resources = Self::assemble(options, budget, drive);
        if drive == Drive::Thread {
            resources._thread = Some(Arc::new(FolderThread::start(Arc::clone(&resources.folder))?));
        }
        Ok(resources)
    }

    fn assemble(options: StoreOptions, budget: Budget, drive: Drive) -> Self {
        let gauges = Arc::new(Gauges::new(budget));
        let folder = Arc::new(Folder::new(Arc::clone(&gauges), drive));
        Self { options, rocks: RocksMemory::new(&budget), gauges, folder, _thread: None }
    }

    /// The settings.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// How the memory is split.
    pub fn budget(&self) -> &Budget {
        self.gauges.budget()
    }

    /// Does one step of folding for the task that needs it most: merges segments, or writes some to a backend. False:
    /// there was nothing to do. A failure reaches the task's next commit.
    pub fn step(&self) -> bool {
        self.folder.step()
    }

    /// Whether more input may be taken: what is committed and not written yet has not used up its share of the memory
    /// ([`Budget::full_bytes`]). Until there is room again a stream thread leaves input where it is.
    pub fn has_room(&self) -> bool {
        self.folder.has_room()
    }

    /// Slows a stream thread down that commits faster than the thread that folds can write ([`Budget::slow_bytes`]):
    /// waits for room, 30 ms at most. Without such a thread it does not wait.
    pub fn pace(&self) {
        self.folder.pace();
    }

    /// How often [`Resources::pace`] waited.
    pub fn wait_count(&self) -> u64 {
        self.gauges.wait_count()
    }

    /// What committed segments of all tasks take in memory now, in bytes.
    pub fn segment_bytes(&self) -> usize {
        self.gauges.segment_bytes()
    }

    /// How many views there are ([`Reader::view`](crate::store::Reader::view)), which somebody keeps or uses just now.
    /// Each holds a snapshot of its task's RocksDB.
    pub fn view_count(&self) -> usize {
        self.gauges.view_count()
    }

    /// What views keep in memory of segments that were written since, about, in bytes. [`Resources::segment_bytes`]
    /// does not count these, and they are in no budget.
    pub fn view_bytes(&self) -> usize {
        self.gauges.written_segment_bytes()
    }

    /// What the hash tables of all stores take now, in bytes.
    pub fn table_bytes(&self) -> usize {
        self.gauges.table_bytes()
    }

    /// What waits in the queues of all tasks now, in bytes, as of the last turn of their threads.
    pub fn queued_bytes(&self) -> usize {
        self.gauges.queued_bytes()
    }

    /// For the queues of a task that begins.
    pub(crate) fn queue_share(&self) -> QueueShare {
        QueueShare::new(Arc::clone(&self.gauges))
    }

    /// What RocksDB's block cache and its write buffers take now, in bytes.
    pub fn rocksdb_bytes(&self) -> (usize, usize) {
        self.rocks.usage()
    }

    /// What RocksDB tells of each store that is open: task, store, figures. It locks each database for a moment.
    pub(crate) fn on_disk(&self) -> Vec<(String, String, OnDisk)> {
        let mut all = Vec::new();
        for door in self.folder.doors() {
            door.enter(|committed| {
                let task = committed.task().unwrap_or_default();
                for (store, name) in door.names().iter().enumerate() {
                    let figures = committed.backend().on_disk(store);
                    all.extend(figures.map(|figures| (task.to_owned(), name.clone(), figures)));
                }
            });
        }
        all
    }

    pub(in crate::store) fn gauges(&self) -> &Arc<Gauges> {
        &self.gauges
    }

    pub(in crate::store) fn rocks(&self) -> &RocksMemory {
        &self.rocks
    }

    pub(in crate::store) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }
}
