//! Progress of long commands, on stderr and only for a person.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts heights as they pass.
pub(crate) fn heights(doing: &'static str) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::no_length();
    bar.set_draw_target(target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} height {pos} ({per_sec})") {
        bar.set_style(style);
    }
    bar.set_message(doing);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
