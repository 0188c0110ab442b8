//! Progress of long commands, on stderr: a line that moves for a person, log lines for everybody else.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use topology::client::{RestoreListener, RestoreProgress};
use topology::clock::{Clock, SystemClock};

/// Between two log lines, in ms.
const INTERVAL_MS: i64 = 10_000;

/// Heights as they pass.
pub(crate) struct Heights<'c> {
    doing: &'static str,
    clock: &'c SystemClock,
    /// For a person.
    bar: Option<ProgressBar>,
    logged_ms: i64,
}

impl<'c> Heights<'c> {
    pub(crate) fn new(doing: &'static str, clock: &'c SystemClock) -> Self {
        Self::up_to(doing, clock, None)
    }

    /// Where it is known how many there are.
    pub(crate) fn up_to(doing: &'static str, clock: &'c SystemClock, last: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(doing, last));
        Self { doing, clock, bar, logged_ms: clock.monotonic_ms() }
    }

    /// This height has passed.
    pub(crate) fn pass(&mut self, height: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(height);
            return;
        }
        let now_ms = self.clock.monotonic_ms();
        if now_ms.saturating_sub(self.logged_ms) >= INTERVAL_MS {
            self.logged_ms = now_ms;
            tracing::info!(height, "{}", self.doing);
        }
    }
}

impl Drop for Heights<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows a person how far the engine's restores are. `None` where there is none: the engine says it in log lines.
pub(crate) fn restore_listener() -> Option<Arc<dyn RestoreListener>> {
    std::io::stderr().is_terminal().then(|| Arc::new(Restores::default()) as Arc<dyn RestoreListener>)
}

/// One bar for all stores together, while any is being restored.
#[derive(Debug, Default)]
struct Restores {
    bar: Mutex<Option<ProgressBar>>,
}

impl RestoreListener for Restores {
    fn overall(&self, progress: Option<RestoreProgress>) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(progress) = progress else {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            return;
        };
        let bar = bar.get_or_insert_with(|| {
            styled(
                ProgressBar::new(progress.total),
                "{spinner} restoring stores [{bar:30}] {human_pos} of {human_len} ({per_sec}, {eta} left) {msg}",
            )
        });
        bar.set_length(progress.total);
        bar.set_position(progress.total.saturating_sub(progress.remaining));
        bar.set_message(if progress.waiting { "waiting for an open transaction" } else { "" });
    }
}

fn bar(doing: &'static str, last: Option<u64>) -> ProgressBar {
    let (bar, template) = match last {
        Some(last) => {
            (ProgressBar::new(last), "{spinner} {msg} [{bar:30}] height {pos} of {len} ({per_sec}, {eta} left)")
        }
        None => (ProgressBar::no_length(), "{spinner} {msg} height {pos} ({per_sec})"),
    };
    let bar = styled(bar, template);
    bar.set_message(doing);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
