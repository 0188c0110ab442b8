//! What the stream threads of a process share, and how one of them is made.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::graph::{Topic, Topology};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::processor::Limits;
use crate::query::{Identity, Lookout, Registry};
use crate::store::{InstanceId, Resources, StateDirectory, StoreOptions};
use crate::stream_thread::{Cleanup, Config, Parts, StreamThread, UntilEnd};
use crate::task::TaskId;
use crate::updater::{self, LogLines, UpdaterThread};
use crate::watch::{Intervals, Watch};

use super::log_readings::LogReadings;
use super::readings::{Noting, ProcessReadings};
use super::standbys::{self, ProcessHome, Standbys};
use super::topics;

/// All of it.
pub(super) struct Process<L: Log> {
    config: Config,
    topology: Topology,
    log: L,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    instance: InstanceId,
    limits: Limits,
    directory: Option<Arc<StateDirectory>>,
    resources: Resources,
    watch: Watch,
    until_end: Option<Arc<UntilEnd>>,
    cleanup: Arc<Cleanup>,
    queries: Arc<Registry>,
    _lookout: Lookout,
    /// `None` where none are wanted.
    standbys: Option<Standbys>,
    /// Ends when this is dropped, after all threads that use it.
    updater: UpdaterThread<TaskId>,
}

/// What a client is started with.
pub(super) struct Request<L: Log> {
    pub(super) config: Config,
    pub(super) topology: Topology,
    pub(super) log: L,
    pub(super) metrics: Arc<Metrics>,
    pub(super) queries: Arc<Registry>,
}

impl<L: Log> Process<L> {
    /// All that must be there before the first thread: the state directory, the topics, threads beside the stream
    /// threads.
    pub(super) fn prepare(request: Request<L>, stop: &AtomicBool) -> Result<Self> {
        let Request { config, topology, log, metrics, queries } = request;
        // Stream threads serve their clients.
        let (log, statistics) = log.reporting();
        metrics.exported().register_readings(LogReadings(statistics));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let instance = InstanceId::new(clock.now_ms(), super::random());
        let directory = match &config.state_directory {
            Some(root) => Some(Arc::new(StateDirectory::open(root, &config.application_id, instance.clone())?)),
            None => None,
        };
        let told_to_stop = || stop.load(Ordering::SeqCst);
        let wanted = topology.has_patterns().then(|| topology.wanted(&config.application_id));
        let topology = topics::resolve(&topology, (&log, &*clock), &config.application_id, &told_to_stop)?;
        let topics::Prepared { topology, limits, mut known } =
            topics::prepare(&topology, (&log, &*clock), &config, &told_to_stop)?;
        let log = log.writing_to(&topology.written_topics(&config.application_id));
        queries.resolve(&topology);
        wanted.into_iter().for_each(|wanted| known.want(wanted));
        // The client was dropped: nothing is begun that others would notice.
        if told_to_stop() {
            return Err(Error::stop("told to stop before it ran"));
        }
        let instance = directory.as_ref().map_or(instance, |directory| directory.instance_id().clone());
        let take_ends = || UntilEnd::take(&topology, &log, &*clock).map(Arc::new);
        let until_end = config.until_end.then(take_ends).transpose()?;
        let planned = standbys::planned(&topology, &config);
        let asking = Identity { application_id: config.application_id.clone(), instance_id: instance.to_string() };
        let memory_bytes = config.memory_bytes;
        let resources = Resources::start(StoreOptions { memory_bytes, ..StoreOptions::default() })?;
        let listener = listener(&config, &metrics, &resources, &clock);
        let updater = UpdaterThread::start("updater", log.clone(), Arc::clone(&clock), Some(listener))?;
        let keep_warm = || {
            let home = ProcessHome {
                config: config.clone(),
                topology: topology.clone(),
                log: log.clone(),
                directory: directory.clone(),
                resources: resources.clone(),
                queries: Arc::clone(&queries),
                metrics: Arc::clone(&metrics),
                followed: Mutex::default(),
            };
            Standbys::start(home, &instance, &updater)
        };
        Ok(Self {
            standbys: if config.standby_replicas > 0 { keep_warm()? } else { None },
            resources,
            watch: Watch::start(log.clone(), Arc::clone(&clock), known, Intervals::default())?,
            updater,
            _lookout: Lookout::start(Arc::clone(&queries), log.clone(), asking, planned)?,
            cleanup: Arc::default(),
            queries,
            config,
            topology,
            log,
            metrics,
            clock,
            instance,
            limits,
            directory,
            until_end,
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The log closes what it has for questions, while the stream threads end; unless these have records of repartition
    /// topics deleted then.
    pub(super) fn rest(&self) {
        if !self.topology.source_topics().into_iter().any(Topic::is_repartition) {
            self.log.rest();
        }
    }

    /// Makes a stream thread; to be called on the OS thread that it will run on.
    pub(super) fn stream_thread(&self, thread: usize) -> Result<StreamThread<L>> {
        let parts = Parts {
            thread,
            topology: self.topology.clone(),
            instance_id: self.instance.as_str().to_owned(),
            limits: self.limits.clone(),
            log: self.log.clone(),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            state_directory: self.directory.clone(),
            resources: self.resources.clone(),
            restorer: self.updater.handle()?,
            watch: self.watch.for_another(),
            incarnations: Box::new(incarnation),
            until_end: self.until_end.clone(),
            cleanup: Arc::clone(&self.cleanup),
            queries: Arc::clone(&self.queries),
            standbys: self.standbys.as_ref().map(Standbys::keeper),
        };
        StreamThread::new(self.config.clone(), parts)
    }

    pub(super) fn monotonic_ms(&self) -> i64 {
        self.clock.monotonic_ms()
    }

    /// So many stream threads there are now.
    pub(super) fn note_thread_count(&self, count: usize) {
        if let Some(until_end) = &self.until_end {
            until_end.set_thread_count(count);
        }
    }

    /// A stream thread has gone.
    pub(super) fn forget(&self, thread: usize) {
        self.cleanup.forget(thread);
    }
}

/// Tells the application's listener, or log lines, how far restores are, and the metrics.
fn listener(
    config: &Config,
    metrics: &Metrics,
    resources: &Resources,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn updater::Listener> {
    let remaining = Arc::<AtomicU64>::default();
    let restore_remaining = Arc::clone(&remaining);
    metrics.exported().register_readings(ProcessReadings { resources: resources.clone(), restore_remaining });
    let next = config.restore_listener.clone().unwrap_or_else(|| Arc::new(LogLines::new(Arc::clone(clock))));
    Arc::new(Noting { remaining, next })
}

fn incarnation() -> [u8; 16] {
    let (high, low) = (super::random(), super::random());
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}
