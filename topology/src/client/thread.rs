//! The OS thread around a stream thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::processor::Limits;
use crate::store::{Options as StoreOptions, Resources, StateDirectory};
use crate::stream_thread::{self, Config, StreamThread};
use crate::updater::UpdaterThread;
use crate::watch::{Known, Options, Watch};

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
    pub(super) instance_id: String,
    pub(super) limits: Limits,
    pub(super) known: Known,
    pub(super) log: L,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) directory: Option<Arc<StateDirectory>>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) states: watch::Sender<State>,
}

/// Runs until it is told to stop, a bounded run ends, or nothing helps.
pub(super) fn run<L: Log>(config: Config, parts: Parts<L>) -> Result<()> {
    let mut end = End { states: parts.states.clone(), state: State::Failed };
    let result = run_to_end(config, parts);
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

fn run_to_end<L: Log>(config: Config, parts: Parts<L>) -> Result<()> {
    let Parts { stop, states, .. } = parts;
    let listener = config.restore_listener.clone();
    let updater = UpdaterThread::start("updater", parts.log.clone(), Arc::clone(&parts.clock), listener)?;
    let watch = Watch::start(parts.log.clone(), Arc::clone(&parts.clock), parts.known, Options::default())?;
    let memory_bytes = config.memory_bytes;
    let resources = Resources::start(StoreOptions { memory_bytes, ..StoreOptions::default() })?;
    let mut thread = StreamThread::new(
        config,
        stream_thread::Parts {
            topology: parts.topology,
            instance_id: parts.instance_id,
            limits: parts.limits,
            log: parts.log,
            clock: parts.clock,
            metrics: parts.metrics,
            state_directory: parts.directory,
            resources,
            restorer: updater.handle()?,
            watch,
            incarnations: Box::new(incarnation),
        },
    )?;
    loop {
        set(&states, thread.state().into());
        if stop.load(Ordering::SeqCst) || thread.state() == stream_thread::State::Finished {
            set(&states, State::Stopping);
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
