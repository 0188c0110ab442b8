//! Progress of long commands, on stderr: a line that moves on a terminal, log lines elsewhere.

use std::io::IsTerminal;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use topology::client::{RestoreListener, RestoreProgress};
use topology::clock::{Clock, SystemClock};

use super::output::grouped;

/// Between two log lines, in ms.
const INTERVAL_MS: i64 = 10_000;

/// All bars of the process: one below the other, and none within a log line.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Writes to stderr while no bar stands there.
pub(crate) fn beside_bars<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

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
            clear(bar);
        }
    }
}

/// Less than this to go is no catching up, in seconds; once it is shown, less than [`CAUGHT_UP_S`].
const BEHIND_S: f64 = 3.0;
const CAUGHT_UP_S: f64 = 1.0;

/// One line that moves, for a person, while what waits takes seconds to process.
pub(crate) struct CatchingUp {
    is_for_people: bool,
    speed: Speed,
    bar: Option<ProgressBar>,
}

impl CatchingUp {
    pub(crate) fn new() -> Self {
        Self { is_for_people: std::io::stderr().is_terminal(), speed: Speed::default(), bar: None }
    }

    /// Whether a line is shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// How far it is now. To be told about once in a second.
    pub(crate) fn tell(&mut self, height: Option<u64>, record_count: u64, lag: u64, now_ms: i64) {
        if !self.is_for_people {
            return;
        }
        self.speed.note(record_count, now_ms);
        match self.speed.line(height, lag, self.bar.is_some()) {
            Some(line) => self.bar.get_or_insert_with(spinner).set_message(line),
            None => self.clear(),
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            clear(&bar);
        }
    }
}

impl Drop for CatchingUp {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How fast records are processed: half of it is what was seen last.
#[derive(Debug, Default)]
struct Speed {
    last: Option<(u64, i64)>,
    per_second: Option<f64>,
}

impl Speed {
    fn note(&mut self, record_count: u64, now_ms: i64) {
        let Some((before, then_ms)) = self.last else {
            self.last = Some((record_count, now_ms));
            return;
        };
        let took_ms = now_ms.saturating_sub(then_ms);
        if took_ms > 0 {
            let now = record_count.saturating_sub(before) as f64 * 1_000.0 / took_ms as f64;
            self.per_second = Some(self.per_second.map_or(now, |known| (known + now) / 2.0));
            self.last = Some((record_count, now_ms));
        }
    }

    /// What is shown; `None` where nothing is to be waited for.
    fn line(&self, height: Option<u64>, lag: u64, is_shown: bool) -> Option<String> {
        let per_second = self.per_second?;
        // What moves by less than one record in a second stands still.
        let left_s = (per_second >= 1.0).then(|| lag as f64 / per_second);
        let limit_s = if is_shown { CAUGHT_UP_S } else { BEHIND_S };
        if lag == 0 || left_s.map_or(!is_shown, |left_s| left_s < limit_s) {
            return None;
        }
        let height = height.map(|height| format!("height {}, ", grouped(height))).unwrap_or_default();
        let left = left_s
            .map_or_else(|| "standing still".to_owned(), |left_s| format!("{} left", HumanDuration(seconds(left_s))));
        Some(format!("catching up: {height}{} records/s, {} behind, {left}", grouped(per_second as u64), grouped(lag)))
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs(seconds.ceil() as u64)
}

fn spinner() -> ProgressBar {
    let bar = styled(ProgressBar::no_length(), "{spinner} {msg}");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
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
        // Stores that are as they should be are looked at, too, and that takes no time.
        let Some(progress) = progress.filter(|progress| progress.total > 0 || progress.waiting) else {
            if let Some(bar) = bar.take() {
                clear(&bar);
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

/// A bar beside all others; hidden where stderr is no terminal.
pub(crate) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let bar = BARS.add(bar);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Takes a bar away.
pub(crate) fn clear(bar: &ProgressBar) {
    bar.finish_and_clear();
    BARS.remove(bar);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catching_up_is_told_with_speed_lag_and_time_left_until_a_second_is_left() {
        let mut speed = Speed::default();
        assert_eq!(speed.line(None, 1_000, false), None, "no speed is known yet");
        speed.note(0, 0);
        speed.note(20_000, 1_000);
        let line = |speed: &Speed, lag, is_shown| speed.line(Some(1_234), lag, is_shown);
        let expected = "catching up: height 1,234, 20,000 records/s, 1,200,000 behind, 60 seconds left";
        assert_eq!(line(&speed, 1_200_000, false).as_deref(), Some(expected));
        assert_eq!(line(&speed, 40_000, false), None);
        assert!(line(&speed, 40_000, true).is_some(), "what is shown goes on to the end");
        assert_eq!(line(&speed, 10_000, true), None);
        for second in 2..40 {
            speed.note(20_000, second * 1_000);
        }
        assert_eq!(line(&speed, 40_000, false), None, "who only waits does not catch up");
        assert!(line(&speed, 40_000, true).unwrap().ends_with("0 records/s, 40,000 behind, standing still"));
        assert_eq!(line(&speed, 0, true), None);
    }

    #[test]
    fn a_speed_needs_time_and_follows_what_was_seen_last() {
        let mut speed = Speed::default();
        for (count, now_ms, expected) in [
            (5, 7, None),
            (9, 7, None),
            (1_005, 1_007, Some(1_000.0)),
            (1_005, 2_007, Some(500.0)),
            (0, 3_007, Some(250.0)),
        ] {
            speed.note(count, now_ms);
            assert_eq!(speed.per_second, expected);
        }
    }
}
