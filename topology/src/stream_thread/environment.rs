//! What a stream thread runs in: its settings, what all threads of a process share, and what it was handed for itself.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::graph::Topology;
use crate::log::Log;
use crate::metrics::{Metrics, ThreadMetrics};
use crate::processor::Limits;
use crate::query::Registry;
use crate::standby::Keeper;
use crate::store::{Resources, StateDirectory};
use crate::task::TaskId;
use crate::updater;
use crate::watch::Watch;

use super::cleanup::Cleanup;
use super::config::Config;
use super::until_end::UntilEnd;

/// What a stream thread is made from, besides its settings.
pub(crate) struct Parts<L: Log> {
    /// Which of the process's stream threads it is, from 1.
    pub thread: usize,
    /// The graph.
    pub topology: Topology,
    /// This instance's identity: sortable, unique, the same after a restart.
    pub instance_id: String,
    /// What the topics take that are written.
    pub limits: Limits,
    /// The log.
    pub log: L,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Shared with those who look at it.
    pub metrics: Arc<Metrics>,
    /// The locked state directory; `None` where all stores are in memory.
    pub state_directory: Option<Arc<StateDirectory>>,
    /// What the stores of all tasks share.
    pub resources: Resources,
    /// Brings stores up to their changelogs.
    pub restorer: updater::Handle<TaskId>,
    /// Watches over the topics.
    pub watch: Watch,
    /// Makes a random id for a new changelog.
    pub incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
    /// Where the process's run ends; `None`: when it is told to.
    pub until_end: Option<Arc<UntilEnd>>,
    /// What is kept warm of what others have: one for the process.
    pub standbys: Option<Arc<Keeper>>,
    /// What tasks left behind that run elsewhere: one for the process.
    pub cleanup: Arc<Cleanup>,
    /// Where tasks are offered to be read: one for the process.
    pub queries: Arc<Registry>,
}

/// The same, as the parts of the thread use it.
pub(super) struct Environment<L: Log> {
    pub(super) config: Config,
    pub(super) topology: Topology,
    pub(super) limits: Arc<Limits>,
    pub(super) log: L,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) thread_metrics: ThreadMetrics,
    pub(super) state_directory: Option<Arc<StateDirectory>>,
    pub(super) resources: Resources,
    pub(super) restorer: updater::Handle<TaskId>,
    pub(super) watch: Rc<Watch>,
    pub(super) incarnations: Box<dyn FnMut() -> [u8; 16] + Send>,
    pub(super) until_end: Option<Arc<UntilEnd>>,
    pub(super) standbys: Option<Arc<Keeper>>,
    pub(super) cleanup: Arc<Cleanup>,
    pub(super) queries: Arc<Registry>,
    pub(super) thread: usize,
}

impl<L: Log> Environment<L> {
    pub(super) fn new(config: Config, parts: Parts<L>) -> Self {
        Self {
            config,
            topology: parts.topology,
            limits: Arc::new(parts.limits),
            log: parts.log,
            clock: parts.clock,
            thread_metrics: parts.metrics.exported().thread(parts.thread),
            metrics: parts.metrics,
            state_directory: parts.state_directory,
            resources: parts.resources,
            restorer: parts.restorer,
            watch: Rc::new(parts.watch),
            incarnations: parts.incarnations,
            until_end: parts.until_end,
            standbys: parts.standbys,
            cleanup: parts.cleanup,
            queries: parts.queries,
            thread: parts.thread,
        }
    }

    /// The consumer group.
    pub(super) fn group(&self) -> &str {
        &self.config.application_id
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.request_timeout_ms))
    }

    pub(super) fn note_rewind(&self) {
        self.metrics.add_rewind();
        self.thread_metrics.add_rewind();
    }

    pub(super) fn note_commit(&self, took_ms: i64) {
        self.metrics.add_commit(took_ms);
        self.thread_metrics.add_commit(took_ms);
    }

    pub(super) fn note_restored(&self, record_count: u64) {
        self.metrics.add_restored(record_count);
        self.metrics.exported().add_restored(record_count);
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(super) fn monotonic_ms(&self) -> i64 {
        self.clock.monotonic_ms()
    }
}
