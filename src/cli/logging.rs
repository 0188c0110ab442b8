//! Log lines to stderr.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use super::arguments::LogFormat;
use super::error::{Error, Result};
use super::output::{Paint, Stderr};
use super::{progress, terminal};

/// A consumer that is dropped closes its queue a second time, and calls that an error.
const HARMLESS: &str = "rdkafka::consumer::base_consumer=off";

/// Sends log lines to stderr. `RUST_LOG` says which; without it `usual`, or with `verbose` those of level debug.
pub(crate) fn start(format: LogFormat, verbose: bool, usual: &str) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| Error::usage(format!("RUST_LOG: {error}; write for example info,topology=debug")))?,
        _ => EnvFilter::new(format!("{},{HARMLESS}", if verbose { "info,cairn=debug,topology=debug" } else { usual })),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_timer(SystemTime);
    let started = match format {
        LogFormat::Json => lines.with_writer(|| Stderr).json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let colours = Paint::of(&std::io::stderr()).is_enabled();
            lines.with_writer(|| Text).compact().with_ansi(colours).with_target(verbose).try_init()
        }
    };
    // It fails only where a program that embeds this one has set up its own log lines.
    started.or(Ok(()))
}

/// Stderr for lines of text: they may quote texts of strangers. Each line comes as a whole, above the bars that may
/// stand there.
struct Text;

impl Write for Text {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        progress::beside_bars(|| Stderr.write_all(terminal::lines(&text).as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
