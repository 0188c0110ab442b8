//! How far restores are, as log lines.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Listener, Progress};
use crate::clock::Clock;

/// Between two lines, in ms.
const SAY_EVERY_MS: i64 = 3_000;

/// Says now and then in the log how far everything that is being restored is.
pub(crate) struct LogLines {
    clock: Arc<dyn Clock>,
    /// `None` while nothing is being restored.
    times: Mutex<Option<Times>>,
}

/// Monotonic, in ms.
#[derive(Clone, Copy, Debug)]
struct Times {
    began_ms: i64,
    said_ms: i64,
}

impl LogLines {
    /// `clock` tells when a line is due.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, times: Mutex::new(None) }
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines").field("times", &self.times).finish_non_exhaustive()
    }
}

impl Listener for LogLines {
    fn overall(&self, progress: Option<Progress>) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(progress) = progress else {
            *times = None;
            return;
        };
        let now_ms = self.clock.monotonic_ms();
        let times = times.get_or_insert(Times { began_ms: now_ms, said_ms: now_ms });
        if now_ms.saturating_sub(times.said_ms) < SAY_EVERY_MS {
            return;
        }
        times.said_ms = now_ms;
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(times.began_ms)).unwrap_or(0).max(1);
        let read = progress.total.saturating_sub(progress.remaining);
        let per_second = progress.restored_records.saturating_mul(1_000) / elapsed_ms;
        let eta_s = (read > 0).then(|| progress.remaining.saturating_mul(elapsed_ms) / read / 1_000);
        let (records, remaining) = (progress.restored_records, progress.remaining);
        tracing::info!(records, remaining, per_second, eta_s, "restoring stores");
    }
}
