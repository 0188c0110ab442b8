//! SIGTERM and SIGINT: the first asks for a clean end, the second ends the process at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::error::{Error, Result};

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Waits for the signals that end a process.
pub(crate) struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
    /// When a clean end was asked for.
    asked: Option<Instant>,
}

/// What comes sooner after the first is the same request: `timeout` and shells signal a process and its group.
const SAME_REQUEST: Duration = Duration::from_secs(1);

impl Shutdown {
    /// Takes the signals over. Must be called on the async runtime.
    pub(crate) fn listen() -> Result<Self> {
        let take = |kind| {
            signal(kind).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")).caused_by(error))
        };
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())?, asked: None })
    }

    /// Returns when a clean end is asked for. When asked again, the process ends here.
    pub(crate) async fn asked(&mut self) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        if let Some(asked) = self.asked {
            if asked.elapsed() < SAME_REQUEST {
                return;
            }
            tracing::warn!("{name} again: ending at once; what was not committed is done again at the next start");
            std::process::exit(INTERRUPTED);
        }
        self.asked = Some(Instant::now());
        tracing::info!("{name}: finishing the commit and leaving the group; once more ends at once");
    }
}
