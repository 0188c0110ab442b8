//! What the stream threads of a process share, and how one is made: when the process begins, and later.

use std::sync::Arc;

use super::seat::Thread;
use crate::client::Config;
use crate::clock::{Clock, ManualClock};
use crate::error::Result;
use crate::graph::Topology;
use crate::log::memory::MemoryLog;
use crate::metrics::Metrics;
use crate::processor::Limits;
use crate::query::Registry;
use crate::simulator::Random;
use crate::simulator::clock::SimulatedClock;
use crate::simulator::log::SimulatedLog;
use crate::simulator::stage::Who;
use crate::standby::Keeper;
use crate::store::{InstanceId, Resources, StateDirectory};
use crate::stream_thread::{Cleanup, Parts, StreamThread};
use crate::task::TaskId;
use crate::updater;
use crate::watch::{Intervals, Known, Watch};

pub(super) struct Shared {
    pub(super) machine: Machine,
    pub(super) config: Config,
    pub(super) topology: Topology,
    pub(super) id: InstanceId,
    pub(super) limits: Limits,
    pub(super) known: Known,
    pub(super) metrics: Arc<Metrics>,
    pub(super) state_directory: Option<Arc<StateDirectory>>,
    pub(super) resources: Resources,
    pub(super) queries: Arc<Registry>,
    pub(super) cleanup: Arc<Cleanup>,
}

/// What a process runs on.
pub(super) struct Machine {
    pub(super) log: MemoryLog,
    pub(super) time: ManualClock,
    pub(super) wall: ManualClock,
}

/// What one thread has for itself.
pub(super) struct Own {
    pub(super) restorer: updater::Handle<TaskId>,
    pub(super) standbys: Option<Arc<Keeper>>,
    pub(super) random: Random,
}

impl Machine {
    /// The log and the time, as one of the process's actors sees them.
    pub(super) fn seen_by(&self, who: Who) -> (SimulatedLog, Arc<dyn Clock>) {
        let clock = SimulatedClock::new(self.time.clone(), self.wall.clone(), who);
        (SimulatedLog::new(self.log.clone(), who), Arc::new(clock))
    }
}

impl Shared {
    /// Makes a stream thread; `who` says which.
    pub(super) fn make_thread(&self, who: Who, own: Own) -> Result<Box<Thread>> {
        let Own { restorer, standbys, mut random } = own;
        let (log, clock) = self.machine.seen_by(who);
        let parts = Parts {
            thread: who.thread,
            topology: self.topology.clone(),
            instance_id: self.id.as_str().to_owned(),
            limits: self.limits.clone(),
            watch: Watch::stepped(log.clone(), Arc::clone(&clock), self.known.clone(), Intervals::default()),
            log,
            clock,
            metrics: Arc::clone(&self.metrics),
            state_directory: self.state_directory.clone(),
            resources: self.resources.clone(),
            restorer,
            incarnations: Box::new(move || {
                let (high, low) = (random.bits(), random.bits());
                (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
            }),
            until_end: None,
            standbys,
            queries: Arc::clone(&self.queries),
            cleanup: Arc::clone(&self.cleanup),
        };
        StreamThread::new(self.config.clone(), parts).map(Box::new)
    }
}
