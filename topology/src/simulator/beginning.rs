//! What a process may use that is about to begin, for a topology of its own.

use std::sync::Arc;

use super::Random;
use super::log::SimulatedLog;
use crate::clock::Clock;

/// A process that is about to begin: see [`Simulation::each_process`](super::Simulation::each_process).
pub struct Beginning {
    pub(super) instance: usize,
    pub(super) log: SimulatedLog,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Random,
}

impl Beginning {
    /// On which instance, from 0. Each of its processes is another one, and remembers nothing of those before.
    pub fn instance(&self) -> usize {
        self.instance
    }

    /// The log as this process sees it: calls take their time, fail, and do not return where the process dies. To be
    /// used on the thread that runs the simulation.
    pub fn log(&self) -> SimulatedLog {
        self.log.clone()
    }

    /// The time on this instance's machine.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Chance.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}
