//! Restores on a thread of their own, so that the stream thread keeps polling its group.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::machine::{Plan, Progress, Restore};
use super::progress::Report;
use super::replay::Restored;
use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::Log;
use crate::store::Stores;

/// A thread that restores the stores of tasks, which `T` names. Stores move in, and come back when they are done.
///
/// ```text
///   submit(task, stores, plan) ---> [ waiting ... | up to 4 being restored, in turns ] ---> Finished
///   cancel(task) ----------------------------^-------------^                       (also at shutdown)
/// ```
#[derive(Debug)]
pub struct RestoreThread<T> {
    orders: Sender<Order<T>>,
    finished: Receiver<Finished<T>>,
    thread: JoinHandle<()>,
}

/// A task's stores, on their way back.
#[derive(Debug)]
pub struct Finished<T> {
    /// Which task.
    pub task: T,
    /// Its stores.
    pub stores: Stores,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a restore.
#[derive(Debug)]
pub enum Outcome {
    /// The stores hold all that is committed; what was done, by store.
    Restored(Vec<Restored>),
    /// It failed. The stores may be restored again, from where they are.
    Failed(Error),
    /// It was cancelled, by request or by shutdown.
    Cancelled,
}

enum Order<T> {
    Restore(Box<Job<T>>),
    Cancel(T),
}

struct Job<T> {
    task: T,
    stores: Stores,
    plan: Plan,
}

struct Active<T, L: Log> {
    task: T,
    stores: Stores,
    restore: Restore<L>,
    progress: Progress,
    /// Since when, monotonic, the log has been asking to try again.
    failing_since_ms: Option<i64>,
}

/// Each has a consumer of its own; more at once would only take memory from each other.
const ACTIVE_MAX: usize = 4;
/// How long a log may ask to try again before that is an error.
const RETRY_MS: i64 = 60_000;
const PAUSE: Duration = Duration::from_millis(50);

impl<T: PartialEq + Send + 'static> RestoreThread<T> {
    /// Starts the thread.
    pub fn start<L: Log>(name: &str, log: L, clock: Arc<dyn Clock>) -> Result<Self> {
        let (orders, incoming) = channel();
        let (outgoing, finished) = channel();
        let worker = Worker { log, clock, incoming, outgoing, waiting: VecDeque::new(), active: VecDeque::new() };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(|error| Error::stop("cannot start a restore thread").caused_by(error))?;
        Ok(Self { orders, finished, thread })
    }

    /// Hands a task's stores over for restoring.
    pub fn submit(&self, task: T, stores: Stores, plan: Plan) -> Result<()> {
        self.order(Order::Restore(Box::new(Job { task, stores, plan })))
    }

    /// Asks for a task's stores back as they are. They may come back restored or failed all the same.
    pub fn cancel(&self, task: T) -> Result<()> {
        self.order(Order::Cancel(task))
    }

    /// The next task that is finished, if there is one. An error: the thread has died, and all stores it had with it.
    pub fn try_finished(&self) -> Result<Option<Finished<T>>> {
        match self.finished.try_recv() {
            Ok(finished) => Ok(Some(finished)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(dead()),
        }
    }

    /// The next task that is finished, waiting for it up to `timeout`.
    pub fn wait_finished(&self, timeout: Duration) -> Option<Finished<T>> {
        self.finished.recv_timeout(timeout).ok()
    }

    /// Ends the thread, and gives back all stores that it still had.
    pub fn shutdown(self) -> Vec<Finished<T>> {
        drop(self.orders);
        let finished = self.finished.iter().collect();
        // A panic in the thread was reported where it happened; its stores are gone, and their changelogs are not.
        let _ = self.thread.join();
        finished
    }

    fn order(&self, order: Order<T>) -> Result<()> {
        self.orders.send(order).map_err(|_| dead())
    }
}

fn dead() -> Error {
    Error::stop("the restore thread has died: see the log above, and start again")
}

struct Worker<T, L: Log> {
    log: L,
    clock: Arc<dyn Clock>,
    incoming: Receiver<Order<T>>,
    outgoing: Sender<Finished<T>>,
    waiting: VecDeque<Job<T>>,
    active: VecDeque<Active<T, L>>,
}

impl<T: PartialEq, L: Log> Worker<T, L> {
    fn run(mut self) {
        let mut report = Report::new();
        while self.take_orders() {
            while self.active.len() < ACTIVE_MAX
                && let Some(Job { task, stores, plan }) = self.waiting.pop_front()
            {
                let restore = Restore::new(self.log.clone(), plan, Arc::clone(&self.clock));
                let progress = Progress::default();
                self.active.push_back(Active { task, stores, restore, progress, failing_since_ms: None });
            }
            if let Some(active) = self.active.pop_front() {
                self.step(active);
            }
            match self.active.is_empty() {
                true => report.end(),
                false => report.update(self.progress(), self.clock.monotonic_ms()),
            }
        }
        report.end();
        let waiting = self.waiting.into_iter().map(|job| (job.task, job.stores));
        let active = self.active.into_iter().map(|active| (active.task, active.stores));
        for (task, stores) in active.chain(waiting) {
            // Nobody may be there to take it any more.
            let _ = self.outgoing.send(Finished { task, stores, outcome: Outcome::Cancelled });
        }
    }

    /// Takes what was ordered, and waits for it if there is nothing to do; false when there will be no more.
    fn take_orders(&mut self) -> bool {
        loop {
            let idle = self.active.is_empty() && self.waiting.is_empty();
            let order = match idle {
                true => self.incoming.recv().map_err(|_| TryRecvError::Disconnected),
                false => self.incoming.try_recv(),
            };
            match order {
                Ok(Order::Restore(job)) => self.waiting.push_back(*job),
                Ok(Order::Cancel(task)) => self.cancel(&task),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn cancel(&mut self, task: &T) {
        let waiting = self.waiting.iter().position(|job| job.task == *task);
        let waiting = waiting.and_then(|at| self.waiting.remove(at)).map(|job| (job.task, job.stores));
        let active = self.active.iter().position(|active| active.task == *task);
        let active = active.and_then(|at| self.active.remove(at)).map(|active| (active.task, active.stores));
        for (task, stores) in waiting.into_iter().chain(active) {
            let _ = self.outgoing.send(Finished { task, stores, outcome: Outcome::Cancelled });
        }
    }

    fn step(&mut self, mut active: Active<T, L>) {
        // Alone, it may wait for data; among others it must not keep them waiting.
        let timeout = if self.active.is_empty() { PAUSE } else { PAUSE / 10 };
        let outcome = match active.restore.step(&mut active.stores, timeout) {
            Ok(progress) => {
                active.failing_since_ms = None;
                active.progress = progress;
                progress.done.then(|| Outcome::Restored(active.restore.restored()))
            }
            Err(error) => self.judge(&mut active, error),
        };
        match outcome {
            None => self.active.push_back(active),
            Some(outcome) => {
                let Active { task, stores, .. } = active;
                let _ = self.outgoing.send(Finished { task, stores, outcome });
            }
        }
    }

    /// Whether an error ends the restore.
    fn judge(&self, active: &mut Active<T, L>, error: Error) -> Option<Outcome> {
        let now_ms = self.clock.monotonic_ms();
        let since_ms = *active.failing_since_ms.get_or_insert(now_ms);
        if error.class() != Class::Retry || now_ms.saturating_sub(since_ms) > RETRY_MS {
            return Some(Outcome::Failed(error));
        }
        if since_ms == now_ms {
            tracing::warn!("restoring stores: {error}; trying again");
        }
        std::thread::sleep(PAUSE);
        None
    }

    fn progress(&self) -> Progress {
        let mut sum = Progress::default();
        for Active { progress, .. } in &self.active {
            sum.restored_records += progress.restored_records;
            sum.remaining += progress.remaining;
            sum.total += progress.total;
            sum.waiting |= progress.waiting;
        }
        sum
    }
}
