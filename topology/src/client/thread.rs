//! The OS thread around a stream thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::store::{InstanceId, Options as StoreOptions, Resources, StateDirectory};
use crate::stream_thread::{self, Config, StreamThread};
use crate::task::TaskId;
use crate::updater::UpdaterThread;
use crate::watch::{Options, Watch};

use super::topics;

/// How a client is.
///
/// ```text
///   Created ──> Rebalancing <──> Restoring <──> Running
///                   │                │             │
///                   └────────────────┴──────┬──────┘
///                                           v
///                        Stopping ──> Stopped | Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet in the group.
    Created,
    /// Waiting for the group's word.
    Rebalancing,
    /// Bringing stores up to their changelogs.
    Restoring,
    /// Processing.
    Running,
    /// Committing, closing, leaving.
    Stopping,
    /// Ended, all committed.
    Stopped,
    /// Ended by an error that the engine cannot mend.
    Failed,
}

impl From<stream_thread::State> for State {
    fn from(state: stream_thread::State) -> Self {
        match state {
            stream_thread::State::Joining => State::Rebalancing,
            stream_thread::State::Restoring => State::Restoring,
            stream_thread::State::Running => State::Running,
            stream_thread::State::Finished => State::Stopping,
        }
    }
}

pub(super) struct Parts<L: Log> {
    pub(super) topology: Topology,
    pub(super) log: L,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) states: watch::Sender<State>,
}

/// Runs until it is told to stop, a bounded run ends, or nothing helps. Tells how the start went; where it failed, that was the
/// end.
pub(super) fn run<L: Log>(config: Config, parts: Parts<L>, started: impl FnOnce(Result<()>)) -> Result<()> {
    let mut end = End { states: parts.states.clone(), state: State::Failed };
    let (states, stop) = (parts.states.clone(), Arc::clone(&parts.stop));
    let (thread, _updater) = match prepare(config, parts) {
        Ok(prepared) => prepared,
        Err(error) => {
            started(Err(error));
            return Ok(());
        }
    };
    started(Ok(()));
    let result = run_to_end(thread, &states, &stop);
    if result.is_ok() {
        end.state = State::Stopped;
    }
    result
}

/// Tells the last state, also where a processor's panic ends the thread.
struct End {
    states: watch::Sender<State>,
    state: State,
}

impl Drop for End {
    fn drop(&mut self) {
        set(&self.states, self.state);
    }
}

/// A thread, and the one beside it that restores its stores: it ends when it is dropped.
type Prepared<L> = (StreamThread<L>, UpdaterThread<TaskId>);

/// All that must be there before the first turn: the state directory, the topics, threads beside this one, a consumer.
fn prepare<L: Log>(config: Config, parts: Parts<L>) -> Result<Prepared<L>> {
    let Parts { topology, log, metrics, stop, .. } = parts;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let instance = InstanceId::new(clock.now_ms(), super::random());
    let directory = match &config.state_directory {
        Some(root) => Some(Arc::new(StateDirectory::open(root, &config.application_id, instance.clone())?)),
        None => None,
    };
    let told_to_stop = || stop.load(Ordering::SeqCst);
    let wanted = topology.has_patterns().then(|| topology.wanted(&config.application_id));
    let topology = topics::resolve(&topology, &log, &config.application_id, &told_to_stop)?;
    let topics::Prepared { limits, mut known } = topics::prepare(&topology, &log, &config, &told_to_stop)?;
    wanted.into_iter().for_each(|wanted| known.want(wanted));
    // Nobody waits any more: nothing is begun that others would notice.
    if told_to_stop() {
        return Err(Error::stop("told to stop before it ran"));
    }
    let instance = directory.as_ref().map_or(instance, |directory| directory.instance_id().clone());
    let listener = config.restore_listener.clone();
    let updater = UpdaterThread::start("updater", log.clone(), Arc::clone(&clock), listener)?;
    let watch = Watch::start(log.clone(), Arc::clone(&clock), known, Options::default())?;
    let memory_bytes = config.memory_bytes;
    let resources = Resources::start(StoreOptions { memory_bytes, ..StoreOptions::default() })?;
    let thread = StreamThread::new(
        config,
        stream_thread::Parts {
            topology,
            instance_id: instance.as_str().to_owned(),
            limits,
            log,
            clock,
            metrics,
            state_directory: directory,
            resources,
            restorer: updater.handle()?,
            watch,
            incarnations: Box::new(incarnation),
        },
    )?;
    Ok((thread, updater))
}

fn run_to_end<L: Log>(mut thread: StreamThread<L>, states: &watch::Sender<State>, stop: &AtomicBool) -> Result<()> {
    loop {
        set(states, thread.state().into());
        if stop.load(Ordering::SeqCst) || thread.state() == stream_thread::State::Finished {
            set(states, State::Stopping);
            return thread.close();
        }
        // Nothing of the thread is used after a panic but what gives up what it has.
        let turned =
            catch_unwind(AssertUnwindSafe(|| thread.run_once())).unwrap_or_else(|panic| Err(panicked(&*panic)));
        if let Err(error) = turned {
            tracing::error!(%error, "stopping");
            // What is uncommitted stays so; the group is told, that others need not wait.
            if catch_unwind(AssertUnwindSafe(|| thread.abandon())).is_err() {
                tracing::warn!("giving up what the thread had panicked as well; others wait until sessions time out");
            }
            return Err(error);
        }
    }
}

/// What a processor, or the engine, says where it gives itself up.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::stop(format!(
        "the stream thread panicked: {}. Nothing uncommitted was kept; see the log above",
        text.unwrap_or("it said nothing")
    ))
}

fn set(states: &watch::Sender<State>, state: State) {
    states.send_if_modified(|now| {
        let changes = *now != state;
        if changes {
            tracing::debug!(from = ?now, to = ?state, "state");
            *now = state;
        }
        changes
    });
}

fn incarnation() -> [u8; 16] {
    let (high, low) = (super::random(), super::random());
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}
