//! An updater without a thread, for simulations, which decide what happens when.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use super::Listener;
use super::handle::{Handle, TakesRequests};
use super::turns::{Handles, Turn, Updater};
use crate::clock::Clock;
use crate::error::Result;
use crate::log::Log;

/// Restores the stores of tasks, which `T` names, when it is stepped. A handle that is closed gets back what the
/// updater has of it at once, unless that is in the middle of a step.
pub(crate) struct SteppedUpdater<T, L: Log> {
    updater: Arc<Mutex<Updater<T, L>>>,
    handles: Handles<T>,
}

impl<T: PartialEq + Send + 'static, L: Log> SteppedUpdater<T, L> {
    pub(crate) fn new(log: L, clock: Arc<dyn Clock>, listener: Arc<dyn Listener>) -> Self {
        let (updater, handles) = Updater::new(log, clock, listener);
        Self { updater: Arc::new(Mutex::new(updater)), handles }
    }

    /// A handle for another stream thread.
    pub(crate) fn handle(&self) -> Result<Handle<T>> {
        let updater = Arc::clone(&self.updater) as Arc<dyn TakesRequests>;
        self.handles.handle().map(|handle| handle.taken_by(updater))
    }

    /// One step: some records of one task's changelogs. It waits for none. Nothing is done while it is in the middle of
    /// something, as of giving stores back.
    pub(crate) fn step(&self) -> Turn {
        match self.updater.try_lock() {
            Ok(mut updater) => updater.step(Duration::ZERO),
            Err(TryLockError::Poisoned(updater)) => updater.into_inner().step(Duration::ZERO),
            Err(TryLockError::WouldBlock) => Turn::Paused,
        }
    }
}

impl<T: PartialEq + Send, L: Log> TakesRequests for Mutex<Updater<T, L>> {
    fn take_requests(&self) {
        match self.try_lock() {
            Ok(mut updater) => updater.take_all(),
            Err(TryLockError::Poisoned(updater)) => updater.into_inner().take_all(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}
