//! The restores of all stream threads of a process, in turns.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use super::Listener;
use super::follower::{Follower, GivenUp};
use super::handle::{Finished, Handle, Job, Life, Outcome, Owner, Request, dead};
use super::restore::{Progress, Restore};
use super::telling::Telling;
use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::Log;
use crate::store::Stores;

/// So many at once: each has a consumer of its own; more would only take memory from each other.
const ACTIVE_MAX: usize = 4;
/// How long a log may ask to try again before that is an error.
const RETRY_MAX_MS: i64 = 60_000;
/// Between two attempts.
const RETRY_MS: i64 = 50;

/// Restores the stores of tasks, which `T` names, a step at a time. It has neither a thread nor a pause of its own:
/// [`super::UpdaterThread`] gives it both.
pub(super) struct Updater<T, L: Log> {
    log: L,
    clock: Arc<dyn Clock>,
    listener: Arc<dyn Listener>,
    incoming: Receiver<Request<T>>,
    /// Where the stores of each handle go.
    homes: BTreeMap<Owner, Sender<Finished<T>>>,
    waiting: VecDeque<Job<T>>,
    active: VecDeque<Active<T, L>>,
    standbys: Follower<T, L>,
    life: Arc<Life>,
    ended: bool,
}

/// Makes handles of an updater. Cheap to clone.
pub(super) struct Handles<T> {
    requests: Sender<Request<T>>,
    next_owner: Arc<AtomicU64>,
    life: Arc<Life>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A task is a step further, or finished.
    Stepped,
    /// What there is to be done failed, and is tried again a moment later.
    Paused,
    /// Nothing is to be restored, and standbys have followed.
    Followed,
    /// Nothing is to be restored, and nothing followed.
    Idle,
    /// It was told to end, and has given all stores back.
    Ended,
}

struct Active<T, L: Log> {
    owner: Owner,
    task: T,
    stores: Stores,
    restore: Restore<L>,
    progress: Progress,
    telling: Telling,
    /// Since when the log has been asking to try again, and when to do that next; monotonic.
    failing: Option<Failing>,
}

#[derive(Clone, Copy)]
struct Failing {
    since_ms: i64,
    again_ms: i64,
}

impl<T: PartialEq, L: Log> Updater<T, L> {
    /// An updater, and what makes its handles.
    pub(super) fn new(log: L, clock: Arc<dyn Clock>, listener: Arc<dyn Listener>) -> (Self, Handles<T>) {
        let (requests, incoming) = channel();
        let life = Arc::<Life>::default();
        let updater = Self {
            standbys: Follower::new(log.clone(), Arc::clone(&clock)),
            log,
            clock,
            listener,
            incoming,
            homes: BTreeMap::new(),
            waiting: VecDeque::new(),
            active: VecDeque::new(),
            life: Arc::clone(&life),
            ended: false,
        };
        (updater, Handles { requests, next_owner: Arc::default(), life })
    }

    /// Takes what was asked, and brings the task whose turn it is a step further. A step waits for data up to `timeout`
    /// where this is the only task, and a tenth of it where others are waiting for their turns.
    pub(super) fn step(&mut self, timeout: Duration) -> Turn {
        self.life.note(self.clock.monotonic_ms());
        let turn = self.turn(timeout);
        self.life.note(self.clock.monotonic_ms());
        turn
    }

    fn turn(&mut self, timeout: Duration) -> Turn {
        self.take_all();
        if self.ended {
            return Turn::Ended;
        }
        while self.active.len() < ACTIVE_MAX
            && let Some(job) = self.waiting.pop_front()
        {
            self.active.push_back(self.activate(job));
        }
        if self.active.is_empty() {
            return self.follow(timeout);
        }
        let now_ms = self.clock.monotonic_ms();
        let is_due = |active: &Active<T, L>| active.failing.is_none_or(|failing| failing.again_ms <= now_ms);
        let Some(active) = self.active.iter().position(is_due).and_then(|at| self.active.remove(at)) else {
            return Turn::Paused;
        };
        self.advance(active, timeout);
        self.listener.overall(self.progress());
        Turn::Stepped
    }

    /// Nothing is to be restored: standbys may follow.
    fn follow(&mut self, timeout: Duration) -> Turn {
        if self.standbys.is_empty() {
            return Turn::Idle;
        }
        if self.standbys.is_resting() {
            return Turn::Paused;
        }
        for given_up in self.standbys.step(timeout) {
            self.return_standby(given_up);
        }
        Turn::Followed
    }

    fn return_standby(&self, given_up: GivenUp<T>) {
        let GivenUp { owner, task, stores, error } = given_up;
        let outcome = error.map_or(Outcome::Cancelled, Outcome::Failed);
        self.send(owner, Finished { task, stores, outcome });
    }

    /// Waits for a request, up to `timeout`.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) {
        let request = match timeout {
            Some(timeout) => self.incoming.recv_timeout(timeout),
            None => self.incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match request {
            Ok(request) => self.take(request),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.end(),
        }
    }

    /// Takes all that was asked so far.
    pub(super) fn take_all(&mut self) {
        // It may have been told to end while it waited for a request.
        while !self.ended {
            match self.incoming.try_recv() {
                Ok(request) => self.take(request),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.end(),
            }
        }
    }

    fn take(&mut self, request: Request<T>) {
        match request {
            Request::Open(owner, home) => drop(self.homes.insert(owner, home)),
            Request::Restore(job) => self.waiting.push_back(*job),
            Request::Follow(job) => {
                let Job { owner, task, stores, plan } = *job;
                self.standbys.add(owner, task, stores, plan);
            }
            Request::Cancel(owner, task) => self.give_back(|of, name| of == owner && *name == task),
            Request::Close(owner) => {
                self.give_back(|of, _| of == owner);
                self.homes.remove(&owner);
            }
            Request::End => self.end(),
        }
    }

    /// Gives all stores back, for good.
    fn end(&mut self) {
        self.give_back(|_, _| true);
        self.homes.clear();
        self.ended = true;
    }

    /// Gives the stores back that are asked for, as they are.
    fn give_back(&mut self, is_asked: impl Fn(Owner, &T) -> bool) {
        let (asked, rest) =
            std::mem::take(&mut self.active).into_iter().partition(|active| is_asked(active.owner, &active.task));
        self.active = rest;
        let asked: VecDeque<Active<T, L>> = asked;
        let gave_some = !asked.is_empty();
        for mut active in asked {
            active.telling.suspended(&active.restore, &*self.listener);
            let Active { owner, task, stores, .. } = active;
            self.send(owner, Finished { task, stores, outcome: Outcome::Cancelled });
        }
        let (asked, rest) =
            std::mem::take(&mut self.waiting).into_iter().partition(|job| is_asked(job.owner, &job.task));
        self.waiting = rest;
        let asked: VecDeque<Job<T>> = asked;
        for Job { owner, task, stores, .. } in asked {
            self.send(owner, Finished { task, stores, outcome: Outcome::Cancelled });
        }
        for given_up in self.standbys.give_back(&is_asked) {
            self.return_standby(given_up);
        }
        if gave_some {
            self.listener.overall(self.progress());
        }
    }

    fn activate(&self, job: Job<T>) -> Active<T, L> {
        let Job { owner, task, stores, plan } = job;
        let telling = Telling::new(plan.changelogs.len());
        let restore = Restore::new(self.log.clone(), plan, Arc::clone(&self.clock));
        Active { owner, task, stores, restore, progress: Progress::default(), telling, failing: None }
    }

    fn advance(&mut self, mut active: Active<T, L>, timeout: Duration) {
        // Alone, it may wait for data; among others it must not keep them waiting.
        let timeout = if self.active.is_empty() { timeout } else { timeout / 10 };
        let outcome = match active.restore.step(&mut active.stores, timeout) {
            Ok(progress) => {
                active.failing = None;
                active.progress = progress;
                active.telling.advanced(&active.restore, &*self.listener);
                progress.done.then(|| Outcome::Restored(active.restore.restored()))
            }
            Err(error) => active.judge(error, self.clock.monotonic_ms()).map(Outcome::Failed),
        };
        match outcome {
            None => self.active.push_back(active),
            Some(outcome) => {
                active.telling.suspended(&active.restore, &*self.listener);
                let Active { owner, task, stores, .. } = active;
                self.send(owner, Finished { task, stores, outcome });
            }
        }
    }

    /// To a handle that may be gone: then the stores are closed here.
    fn send(&self, owner: Owner, finished: Finished<T>) {
        if let Some(home) = self.homes.get(&owner) {
            let _ = home.send(finished);
        }
    }

    /// Of all that is being restored; `None` where nothing is.
    fn progress(&self) -> Option<Progress> {
        let mut all = self.active.iter().map(|active| active.progress);
        let first = all.next()?;
        Some(all.fold(first, |sum, one| Progress {
            restored_records: sum.restored_records + one.restored_records,
            remaining: sum.remaining + one.remaining,
            total: sum.total + one.total,
            waiting: sum.waiting | one.waiting,
            done: sum.done & one.done,
        }))
    }
}

impl<T, L: Log> Active<T, L> {
    /// The error, where it ends the restore.
    fn judge(&mut self, error: Error, now_ms: i64) -> Option<Error> {
        let since_ms = self.failing.map_or(now_ms, |failing| failing.since_ms);
        if error.class() != Class::Retry || now_ms.saturating_sub(since_ms) > RETRY_MAX_MS {
            return Some(error);
        }
        if self.failing.is_none() {
            tracing::warn!("restoring stores: {error}; trying again");
        }
        self.failing = Some(Failing { since_ms, again_ms: now_ms.saturating_add(RETRY_MS) });
        None
    }
}

impl<T> Handles<T> {
    /// A handle for another stream thread. An error: the updater has died.
    pub(super) fn handle(&self) -> Result<Handle<T>> {
        let owner = self.next_owner.fetch_add(1, Ordering::Relaxed);
        let (home, finished) = channel();
        self.requests.send(Request::Open(owner, home)).map_err(|_| dead())?;
        Ok(Handle::new(owner, self.requests.clone(), finished, Arc::clone(&self.life)))
    }

    pub(super) fn send(&self, request: Request<T>) {
        // One that has ended needs no request.
        let _ = self.requests.send(request);
    }
}

impl<T> Clone for Handles<T> {
    fn clone(&self) -> Self {
        let (next_owner, life) = (Arc::clone(&self.next_owner), Arc::clone(&self.life));
        Self { requests: self.requests.clone(), next_owner, life }
    }
}

impl<T> fmt::Debug for Handles<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").finish_non_exhaustive()
    }
}
