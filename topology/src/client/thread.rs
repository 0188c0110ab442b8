//! One stream thread on its OS thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::log::Log;
use crate::stream_thread::{self, Panic, StreamThread};

use super::process::Process;
use super::state::{State, States};

/// How a stream thread ended.
pub(super) enum Ended {
    /// Before it began.
    NotStarted(Error),
    /// It was told to, or its bounded run is over. All is committed.
    Well,
    /// By an error that it cannot mend.
    Failed(Error),
    /// By a panic outside of a task. Whether it had committed anything since it was made.
    Panicked { error: Error, had_committed: bool },
}

/// Makes a stream thread, says that it is made, runs it, and says how it ended, also where giving it up panics.
pub(super) fn run<L: Log>(
    process: &Process<L>,
    thread: usize,
    stop: &AtomicBool,
    states: &States,
    started: impl FnOnce(),
) -> Ended {
    let ran = catch_unwind(AssertUnwindSafe(|| match process.stream_thread(thread) {
        Ok(made) => {
            started();
            run_to_end(made, thread, stop, states)
        }
        Err(error) => Ended::NotStarted(error),
    }));
    ran.unwrap_or_else(|panic| Ended::Panicked { error: panicked(&*panic), had_committed: false })
}

/// Runs it until it is told to stop, a bounded run ends, or nothing helps.
fn run_to_end<L: Log>(mut running: StreamThread<L>, thread: usize, stop: &AtomicBool, states: &States) -> Ended {
    let mut had_committed = false;
    loop {
        states.note(thread, running.state().into());
        if stop.load(Ordering::SeqCst) || running.state() == stream_thread::State::Finished {
            states.note(thread, State::Stopping);
            return running.close().map_or_else(Ended::Failed, |()| Ended::Well);
        }
        // Nothing of the thread is used after a panic but what gives up what it has.
        let turned = catch_unwind(AssertUnwindSafe(|| running.run_once()));
        let ended = match turned {
            Ok(Ok(turn)) => {
                had_committed |= turn.committed;
                continue;
            }
            Ok(Err(error)) => Ended::Failed(error),
            Err(panic) => Ended::Panicked { error: panicked(&*panic), had_committed },
        };
        if let Ended::Failed(error) | Ended::Panicked { error, .. } = &ended {
            tracing::error!(%error, thread, "a stream thread ends");
        }
        // Uncommitted work stays uncommitted; the group is told, so that others need not wait.
        if catch_unwind(AssertUnwindSafe(|| running.abandon())).is_err() {
            tracing::warn!("giving up what the thread had panicked as well; others wait until sessions time out");
        }
        return ended;
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = Panic::text(panic);
    Error::stop(format!("the stream thread panicked: {text}. Nothing uncommitted was kept; see the log above"))
}
