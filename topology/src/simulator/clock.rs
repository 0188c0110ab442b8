//! The time of a simulated machine.

use std::time::Duration;

use super::stage::{self, Who};
use crate::clock::{Clock, ManualClock};

/// The time of the simulation, which passes for all while one sleeps.
#[derive(Clone, Debug)]
pub(super) struct SimulatedClock {
    /// The machine's own wall clock; monotonic time is the same everywhere.
    wall: ManualClock,
    time: ManualClock,
    who: Who,
}

impl SimulatedClock {
    /// `wall` holds how far the machine's wall clock is off, as its wall time.
    pub(super) fn new(time: ManualClock, wall: ManualClock, who: Who) -> Self {
        Self { wall, time, who }
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        self.time.now_ms() + self.wall.now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        self.time.monotonic_ms()
    }

    fn sleep(&self, duration: Duration) {
        stage::with(|stage| stage.pass(self.who, i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)));
    }
}
