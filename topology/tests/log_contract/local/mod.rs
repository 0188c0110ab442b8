//! The logs of this process, and what they promise beyond the contract.

pub(crate) mod compaction;
mod time;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use topology::log::Clock;
use topology::log::memory::MemoryLog;

use crate::harness::Fixture;

/// The real time.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        since.as_millis() as i64
    })
}

/// A time that stands still until it is moved.
#[derive(Clone, Default)]
pub(crate) struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub(crate) fn clock(&self) -> Clock {
        let time = self.clone();
        Arc::new(move || time.now_ms())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

pub(crate) fn memory() -> Fixture<MemoryLog> {
    Fixture { log: MemoryLog::new(wall_clock()), _keep: None }
}
