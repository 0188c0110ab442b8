//! Waiting for the end of an application that runs, and telling of it meanwhile.

use std::time::Duration;

use topology::client::{Client, State};
use topology::clock::{Clock, SystemClock};

use super::error::Result;
use super::progress::{CatchingUp, Heights};
use super::shutdown::Shutdown;
use crate::sealing::{Application, Progress, Status};

/// At least so long between two lines that say how far sealing is.
const SEALED_INTERVAL_MS: i64 = 10_000;

/// Waits for the end, telling of changes of state. Asked by a signal, or when `enough` is there, it ends the run
/// cleanly.
pub(crate) async fn until(
    mut client: Client,
    application: &Application,
    shutdown: &mut Shutdown,
    enough: impl Future<Output = ()>,
) -> Result<()> {
    let mut enough = std::pin::pin!(enough);
    let mut is_enough = false;
    let mut states = client.states();
    let mut watch = tokio::time::interval(Duration::from_secs(1));
    let (mut waiting, clock, mut rebuilding) = (None, SystemClock::new(), None);
    let mut sealed = Sealed { height: None, told_ms: clock.monotonic_ms() };
    let (mut states_end, mut told, mut catching_up) = (false, None, CatchingUp::new());
    loop {
        tokio::select! {
            changed = states.changed(), if !states_end => match changed {
                Ok(()) => tell_state(*states.borrow_and_update(), application, &mut told),
                Err(_) => states_end = true,
            },
            request = shutdown.asked() => {
                catching_up.clear();
                tracing::info!("{request}: finishing the commit and leaving the group; once more ends at once");
                // First: they take processors that the last commit can use.
                application.stop_mining();
                client.stop();
            }
            () = &mut enough, if !is_enough => {
                is_enough = true;
                application.stop_mining();
                client.stop();
            }
            _ = watch.tick() => {
                tell_quorum(application, &mut waiting);
                tell_rebuilding(application, &mut rebuilding, &clock);
                let (now_ms, engine) = (clock.monotonic_ms(), client.metrics());
                catching_up.tell(application.status().height, engine.record_count, engine.lag, now_ms);
                if !catching_up.is_shown() {
                    sealed.tell(application, now_ms);
                }
            }
            ended = client.closed() => {
                catching_up.clear();
                // The last change may have come together with the end.
                tell_state(*states.borrow_and_update(), application, &mut told);
                return Ok(ended?);
            }
        }
    }
}

/// Tells a state once, however often it is heard of.
fn tell_state(state: State, application: &Application, told: &mut Option<State>) {
    if told.replace(state) == Some(state) {
        return;
    }
    // `None` until the chain was taken over: another instance seals it.
    let Status { height, rebuilding, .. } = application.status();
    match state {
        State::Running if rebuilding.is_some() => tracing::info!("rebuilding the state from the blockchain topic"),
        State::Created => {}
        State::Rebalancing => tracing::info!("waiting for the group"),
        State::Restoring => tracing::info!("restoring stores"),
        State::Running if height.is_none() => tracing::info!("standing by: another instance seals"),
        State::Running => tracing::info!(height, "running"),
        State::Stopping => tracing::info!("stopping"),
        State::Stopped => tracing::info!(height, "stopped"),
        State::Failed => tracing::error!(height, "failed"),
    }
}

/// A sign of life: how far sealing is, now and then, if it went on.
struct Sealed {
    height: Option<u64>,
    told_ms: i64,
}

impl Sealed {
    fn tell(&mut self, application: &Application, now_ms: i64) {
        let height = application.status().height;
        if height != self.height && now_ms.saturating_sub(self.told_ms) >= SEALED_INTERVAL_MS {
            *self = Self { height, told_ms: now_ms };
            tracing::info!(height, "sealing");
        }
    }
}

/// A bar on a terminal, log lines elsewhere; gone once the state is rebuilt.
fn tell_rebuilding<'c>(application: &Application, heights: &mut Option<Heights<'c>>, clock: &'c SystemClock) {
    match application.status().rebuilding {
        Some(Progress { height, target_height }) => {
            let heights =
                heights.get_or_insert_with(|| Heights::up_to("rebuilding the state", clock, Some(target_height)));
            heights.pass(height);
        }
        None => *heights = None,
    }
}

fn tell_quorum(application: &Application, told: &mut Option<(u64, u64)>) {
    let now = application.status().waiting_for_quorum;
    if now != *told {
        match now {
            Some((have, need)) => tracing::warn!("waiting for quorum ({have}/{need})"),
            None => tracing::info!("there is a quorum again"),
        }
        *told = now;
    }
}
