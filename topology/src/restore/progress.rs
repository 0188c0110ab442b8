//! Tells whoever watches how far the restores are: a bar on a terminal, lines in a log elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::machine::Progress;

/// The progress of everything that is being restored at the same time.
pub(super) struct Report {
    bar: Option<ProgressBar>,
    began_at_ms: i64,
    said_at_ms: i64,
    active: bool,
}

const SAY_EVERY_MS: i64 = 3_000;

impl Report {
    pub(super) fn new() -> Self {
        Self { bar: None, began_at_ms: 0, said_at_ms: 0, active: false }
    }

    /// Shows where it stands now, `progress` being the sum over all active restores.
    pub(super) fn update(&mut self, progress: Progress, monotonic_ms: i64) {
        if !self.active {
            *self = Self { bar: bar(), began_at_ms: monotonic_ms, said_at_ms: monotonic_ms, active: true };
        }
        let read = progress.total.saturating_sub(progress.remaining);
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(read);
            bar.set_message(if progress.waiting { "waiting for an open transaction" } else { "" });
            return;
        }
        if monotonic_ms.saturating_sub(self.said_at_ms) < SAY_EVERY_MS {
            return;
        }
        self.said_at_ms = monotonic_ms;
        let elapsed_ms = u64::try_from(monotonic_ms.saturating_sub(self.began_at_ms)).unwrap_or(0).max(1);
        let per_second = progress.restored_records.saturating_mul(1_000) / elapsed_ms;
        let eta_s = (read > 0).then(|| progress.remaining.saturating_mul(elapsed_ms) / read / 1_000);
        let (records, remaining) = (progress.restored_records, progress.remaining);
        tracing::info!(records, remaining, per_second, eta_s, "restoring stores");
    }

    /// Nothing is being restored any more.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.active = false;
    }
}

fn bar() -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let style = "restoring {bar:40} {human_pos}/{human_len} {per_sec} eta {eta} {msg}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    Some(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style))
}
