//! Deadlines of calls that wait for a broker.

use std::time::{Duration, Instant};

/// A moment until which a call may wait. Waiting for a broker is the one thing of the engine that is measured in real
/// time by its nature: no result depends on it but "not yet".
#[derive(Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So far from now.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// What is left of it; zero when it is over.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn remaining(&self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// What is left of it, in whole ms, rounded up, as librdkafka takes it.
    pub(super) fn remaining_ms(&self) -> i32 {
        millis(self.remaining())
    }
}

/// A duration in whole ms, rounded up: 100 us of waiting is not "no waiting".
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
