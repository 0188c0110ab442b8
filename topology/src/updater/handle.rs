//! A stream thread's side of the updater.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use super::restore::Plan;
use super::restore::replay::Restored;
use crate::error::{Error, Result};
use crate::store::Stores;

/// Hands the stores of tasks, which `T` names, to the updater, and gets them back. Dropped, it takes none back: they
/// are closed where they are.
pub(crate) struct Handle<T> {
    owner: Owner,
    requests: Sender<Request<T>>,
    finished: Receiver<Finished<T>>,
    life: Arc<Life>,
    /// `None` where a thread does.
    takes_requests: Option<Arc<dyn TakesRequests>>,
}

/// A sign of life of an updater: when it took a step last.
#[derive(Debug)]
pub(super) struct Life(AtomicI64);

impl Default for Life {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Life {
    /// It takes a step, or has taken one.
    pub(super) fn note(&self, monotonic_ms: i64) {
        self.0.store(monotonic_ms, Ordering::Relaxed);
    }
}

/// An updater that has no thread: it takes what was asked when it is told to.
pub(super) trait TakesRequests: Send + Sync {
    /// Takes all that was asked so far.
    fn take_requests(&self);
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A task's stores, on their way back.
#[derive(Debug)]
pub(crate) struct Finished<T> {
    /// Which task.
    pub task: T,
    /// Its stores.
    pub stores: Stores,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a restore.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The stores hold all that is committed; what was done, by store.
    Restored(Vec<Restored>),
    /// It failed. The stores may be restored again, from where they are.
    Failed(Error),
    /// It was cancelled: by request, or because the updater ends.
    Cancelled,
}

/// A handle's number.
pub(super) type Owner = u64;

/// What is asked of the updater.
pub(super) enum Request<T> {
    /// There is another handle, and this is where its stores go.
    Open(Owner, Sender<Finished<T>>),
    Restore(Box<Job<T>>),
    /// As a restore that never ends.
    Follow(Box<Job<T>>),
    Cancel(Owner, T),
    /// The handle goes: it wants all its stores back.
    Close(Owner),
    /// All want theirs, and the thread ends.
    End,
}

/// Stores to be restored.
pub(super) struct Job<T> {
    pub(super) owner: Owner,
    pub(super) task: T,
    pub(super) stores: Stores,
    pub(super) plan: Plan,
}

impl<T> Handle<T> {
    pub(super) fn new(
        owner: Owner,
        requests: Sender<Request<T>>,
        finished: Receiver<Finished<T>>,
        life: Arc<Life>,
    ) -> Self {
        Self { owner, requests, finished, life, takes_requests: None }
    }

    /// Of an updater without a thread.
    pub(super) fn taken_by(mut self, takes_requests: Arc<dyn TakesRequests>) -> Self {
        self.takes_requests = Some(takes_requests);
        self
    }

    /// Hands a task's stores over for restoring.
    pub(crate) fn submit(&self, task: T, stores: Stores, plan: Plan) -> Result<()> {
        self.request(Request::Restore(Box::new(Job { owner: self.owner, task, stores, plan })))
    }

    /// Hands a task's stores over to follow their changelogs: they come back when they are asked for, or cannot follow.
    pub(crate) fn follow(&self, task: T, stores: Stores, plan: Plan) -> Result<()> {
        self.request(Request::Follow(Box::new(Job { owner: self.owner, task, stores, plan })))
    }

    /// Asks for a task's stores back as they are. They may come back restored or failed all the same.
    pub(crate) fn cancel(&self, task: T) -> Result<()> {
        self.request(Request::Cancel(self.owner, task))
    }

    /// The next task that is finished, if there is one. An error: the updater has died, and all stores it had with it.
    pub(crate) fn try_finished(&self) -> Result<Option<Finished<T>>> {
        match self.finished.try_recv() {
            Ok(finished) => Ok(Some(finished)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(dead()),
        }
    }

    /// For how long the updater has given no sign of life since it was asked for something, ms. While it restores it
    /// gives one many times a second.
    pub(crate) fn silent_ms(&self, asked_ms: i64, monotonic_ms: i64) -> i64 {
        monotonic_ms.saturating_sub(self.life.0.load(Ordering::Relaxed).max(asked_ms))
    }

    /// The next task that is finished, waiting for it up to `timeout`.
    #[cfg(test)]
    pub(crate) fn wait_finished(&self, timeout: std::time::Duration) -> Option<Finished<T>> {
        self.finished.recv_timeout(timeout).ok()
    }

    /// Gives back all stores that the updater still had of this handle. Waits for the step it is at.
    pub(crate) fn close(self) -> Vec<Finished<T>> {
        // An updater that has ended, or died, has let go of the other end of the channel.
        let _ = self.request(Request::Close(self.owner));
        let Some(updater) = &self.takes_requests else { return self.finished.iter().collect() };
        updater.take_requests();
        self.finished.try_iter().collect()
    }

    fn request(&self, request: Request<T>) -> Result<()> {
        self.requests.send(request).map_err(|_| dead())
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Close(self.owner));
    }
}

pub(super) fn dead() -> Error {
    Error::stop("the thread that restores stores has died: see the log above, and start again")
}
