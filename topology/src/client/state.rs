//! How a client is, as its threads make it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::stream_thread;

/// How a client is.
///
/// ```text
///   Created ──> Rebalancing <──> Restoring <──> Running
///                   │                │             │
///                   └────────────────┴──────┬──────┘
///                                           v
///                        Stopping ──> Stopped | Failed
/// ```
/// Of several threads the one that is least far counts: a client runs when all of its threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not yet in the group.
    Created,
    /// Waiting for the group's word.
    Rebalancing,
    /// Bringing stores up to their changelogs.
    Restoring,
    /// Processing.
    Running,
    /// Committing, closing, leaving.
    Stopping,
    /// Ended, all committed.
    Stopped,
    /// Ended by an error that the engine cannot mend.
    Failed,
}

impl From<stream_thread::State> for State {
    fn from(state: stream_thread::State) -> Self {
        match state {
            stream_thread::State::Joining => State::Rebalancing,
            stream_thread::State::Restoring => State::Restoring,
            stream_thread::State::Running => State::Running,
            stream_thread::State::Finished => State::Stopping,
        }
    }
}

/// What the threads say of themselves, put together.
#[derive(Clone)]
pub(super) struct States {
    threads: Arc<Mutex<BTreeMap<usize, State>>>,
    told: watch::Sender<State>,
}

impl States {
    pub(super) fn new(told: watch::Sender<State>) -> Self {
        Self { threads: Arc::default(), told }
    }

    /// A thread is like this.
    pub(super) fn note(&self, thread: usize, state: State) {
        self.change(|threads| threads.insert(thread, state) != Some(state));
    }

    /// A thread has gone.
    pub(super) fn forget(&self, thread: usize) {
        self.change(|threads| threads.remove(&thread).is_some());
    }

    /// The whole client is like this, whatever its threads say from now on.
    pub(super) fn set(&self, state: State) {
        self.told.send_if_modified(|now| {
            let changes = *now < state;
            if changes {
                tracing::debug!(from = ?now, to = ?state, "state");
                *now = state;
            }
            changes
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<usize, State>) -> bool) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut threads) {
            return;
        }
        // The last one that goes has nothing to say: how the client ends is told by its supervisor.
        let Some(state) = threads.values().min().copied() else { return };
        self.told.send_if_modified(|now| {
            let changes = *now < State::Stopping && *now != state;
            if changes {
                tracing::debug!(from = ?now, to = ?state, "state");
                *now = state;
            }
            changes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_whose_last_thread_has_gone_is_as_it_was_until_its_end_is_told() {
        let (told, states) = watch::channel(State::Created);
        let threads = States::new(told);
        threads.note(0, State::Rebalancing);
        threads.forget(0);
        assert_eq!(*states.borrow(), State::Rebalancing, "it does not run");
        threads.set(State::Failed);
        assert_eq!(*states.borrow(), State::Failed);
    }
}
