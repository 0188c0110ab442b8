//! A watch without a thread: its caller asks the log, and waits by the clock.

use std::sync::Arc;
use std::time::Duration;

use super::thread::{AGAIN, Exchange, State};
use crate::clock::Clock;

/// What looks where there is no thread, when it is stepped.
pub(super) struct Stepped {
    watcher: Box<dyn Look + Send>,
    clock: Arc<dyn Clock>,
    /// When it looks unasked, monotonic ms.
    due_ms: i64,
}

pub(super) trait Look {
    /// Makes this check. How long until the next one is due; `None` where the topics are others.
    fn look(&mut self, check: u64) -> Option<Duration>;
}

impl Stepped {
    pub(super) fn new(watcher: Box<dyn Look + Send>, clock: Arc<dyn Clock>) -> Self {
        Self { watcher, clock, due_ms: i64::MIN }
    }

    pub(super) fn look_if_due(&mut self, exchange: &Exchange) {
        if exchange.lock().is_asked() || self.clock.monotonic_ms() >= self.due_ms {
            self.look(exchange);
        }
    }

    /// Looks, and looks again, until it has waited so long.
    pub(super) fn look_while(&mut self, exchange: &Exchange, timeout: Duration, waits: impl Fn(&mut State) -> bool) {
        let until_ms = after(&*self.clock, timeout);
        while waits(&mut exchange.lock()) {
            self.look(exchange);
            if !waits(&mut exchange.lock()) || self.clock.monotonic_ms() >= until_ms {
                return;
            }
            self.clock.sleep(AGAIN);
        }
    }

    fn look(&mut self, exchange: &Exchange) {
        let check = exchange.lock().begin();
        self.due_ms = self.watcher.look(check).map_or(i64::MAX, |pause| after(&*self.clock, pause));
    }
}

fn after(clock: &dyn Clock, duration: Duration) -> i64 {
    clock.monotonic_ms().saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
