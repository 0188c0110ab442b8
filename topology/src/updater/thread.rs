//! The OS thread that steps an updater.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::handle::{Handle, Request};
use super::turns::{Handles, Turn, Updater};
use super::{Listener, LogLines};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::log::Log;

/// How long a step may wait for data, and the thread for a request while it has restores that are to be tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A thread that restores the stores of tasks, which `T` names, for any number of stream threads. Dropped, it gives all
/// stores back to their handles as they are, and ends.
#[derive(Debug)]
pub(crate) struct UpdaterThread<T> {
    handles: Handles<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: PartialEq + Send + 'static> UpdaterThread<T> {
    /// Starts the thread. Without a listener there are log lines now and then.
    pub(crate) fn start<L: Log>(
        name: &str,
        log: L,
        clock: Arc<dyn Clock>,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Self> {
        let listener = listener.unwrap_or_else(|| Arc::new(LogLines::new(Arc::clone(&clock))));
        let (mut updater, handles) = Updater::new(log, clock, listener);
        let body = move || {
            loop {
                match updater.step(PAUSE) {
                    Turn::Stepped | Turn::Followed => {}
                    Turn::Paused => updater.wait(Some(PAUSE)),
                    Turn::Idle => updater.wait(None),
                    Turn::Ended => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let thread =
            thread.map_err(|error| Error::stop("cannot start the thread that restores stores").caused_by(error))?;
        Ok(Self { handles, thread: Some(thread) })
    }

    /// A handle for another stream thread.
    pub(crate) fn handle(&self) -> Result<Handle<T>> {
        self.handles.handle()
    }
}

impl<T> Drop for UpdaterThread<T> {
    fn drop(&mut self) {
        self.handles.send(Request::End);
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported where it happened; its stores are gone, and their changelogs are not.
            let _ = thread.join();
        }
    }
}
