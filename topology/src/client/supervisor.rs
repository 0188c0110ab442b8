//! Starts the stream threads of a client, replaces those that panic, and ends them.
//!
//! ```text
//!   add ──> spawned ──> started ──┬── told to, or its run is over ──> gone
//!             │                   ├── an error ──> all are told to end, and that was the client's end
//!             └── not started ──> │
//!                                 └── a panic ──> made anew after a pause, under its number ──> spawned
//! ```

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::query::Registry;

use super::process::{Process, Request};
use super::state::{State, States};
use super::thread::{self, Ended};

/// So often the pause before a thread is made anew doubles with each panic with no commit between them.
const DOUBLINGS_MAX: u32 = 6;
/// After so many panics with no commit between them a thread is not made anew.
const IN_A_ROW_MAX: u32 = 10;

/// What a supervisor is told.
pub(super) enum Order {
    /// All threads are to end.
    Stop,
    /// One more thread; its number, or why there is none.
    Add(Sender<Result<usize>>),
    /// One thread less; its number, where there was one.
    Remove(Sender<Option<usize>>),
    /// A thread is made.
    Started(usize),
    /// A thread has ended.
    Ended(usize, Ended),
}

/// The stream threads of a client by the system's ids.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnThreads(Arc<Mutex<HashSet<ThreadId>>>);

impl OwnThreads {
    /// Whether the caller is one of them.
    pub(super) fn is_caller(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&std::thread::current().id())
    }

    fn enter(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(std::thread::current().id());
    }

    fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&std::thread::current().id());
    }
}

/// The other ends of what a client has.
pub(super) struct Ends {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) states: States,
    pub(super) own: OwnThreads,
    pub(super) orders: Receiver<Order>,
    pub(super) to_itself: Sender<Order>,
}

/// Runs a client from its start to its end. Tells once how the start went; where it failed, that was the end.
pub(super) fn run<L: Log>(request: Request<L>, ends: Ends, started: impl FnOnce(Result<()>)) -> Result<()> {
    // Said also where this thread panics.
    let (states, queries) = (ends.states.clone(), Arc::clone(&request.queries));
    let mut last = Last { states, queries, state: State::Failed };
    let prepared = Process::prepare(request, &ends.stop).and_then(|process| {
        let mut supervisor = Supervisor::new(process, ends);
        supervisor.start().map(|()| supervisor)
    });
    let mut supervisor = match prepared {
        Ok(supervisor) => supervisor,
        Err(error) => {
            started(Err(error));
            return Ok(());
        }
    };
    started(Ok(()));
    let result = supervisor.supervise();
    drop(supervisor);
    if result.is_ok() {
        last.state = State::Stopped;
    }
    result
}

/// Tells the last state.
struct Last {
    states: States,
    queries: Arc<Registry>,
    state: State,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.queries.close();
        self.states.set(self.state);
    }
}

struct Supervisor<L: Log> {
    process: Arc<Process<L>>,
    ends: Ends,
    threads: BTreeMap<usize, Thread>,
    /// Threads that have panicked: those that are to be made anew, whose numbers no other thread gets, and those that
    /// run again. One that ends otherwise is forgotten.
    panicked: BTreeMap<usize, Panicked>,
    is_stopping: bool,
    failure: Option<Error>,
}

struct Thread {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
    /// Who asked for it, until it is started.
    added: Option<Sender<Result<usize>>>,
    /// Who asked that it end.
    removed: Option<Sender<Option<usize>>>,
}

/// Who asked for a thread, and who asked that it end.
type Asked = (Option<Sender<Result<usize>>>, Option<Sender<Option<usize>>>);

#[derive(Clone, Copy)]
struct Panicked {
    /// Of panics with no commit between them.
    backoff: Backoff,
    /// When it is made anew, monotonic ms; `None` while it runs.
    again_ms: Option<i64>,
}

impl<L: Log> Supervisor<L> {
    fn new(process: Process<L>, ends: Ends) -> Self {
        Self {
            process: Arc::new(process),
            ends,
            threads: BTreeMap::new(),
            panicked: BTreeMap::new(),
            is_stopping: false,
            failure: None,
        }
    }

    /// Makes the threads that the settings ask for. Where one cannot be made, none stays.
    fn start(&mut self) -> Result<()> {
        let count = self.process.config().thread_count;
        self.process.note_thread_count(count);
        let mut result = (1..=count).try_for_each(|thread| self.spawn(thread, None));
        let mut waiting = self.threads.len();
        while waiting > 0 {
            match self.ends.orders.recv() {
                Ok(Order::Started(_)) => waiting -= 1,
                Ok(Order::Ended(thread, Ended::NotStarted(error))) => {
                    waiting -= 1;
                    self.bury(thread);
                    result = result.and(Err(error));
                }
                Ok(order) => self.obey(order),
                Err(_) => break,
            }
        }
        if let Err(error) = result {
            self.stop_all();
            // The error that there was first says all.
            drop(self.supervise());
            return Err(error);
        }
        Ok(())
    }

    /// Obeys until the last thread has ended.
    fn supervise(&mut self) -> Result<()> {
        while !self.is_over() {
            let order = match self.until_next_replacement() {
                Some(pause) => self.ends.orders.recv_timeout(pause),
                None => self.ends.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => self.replace_threads(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// A client without threads waits for some; one that was told to stop, or failed, is over with the last.
    fn is_over(&self) -> bool {
        self.is_stopping && self.threads.is_empty()
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop => self.stop_all(),
            Order::Add(told) => self.add(told),
            Order::Remove(told) => self.remove(told),
            Order::Started(thread) => {
                if let Some(told) = self.threads.get_mut(&thread).and_then(|thread| thread.added.take()) {
                    // Who asked may have gone.
                    let _ = told.send(Ok(thread));
                }
            }
            Order::Ended(thread, ended) => self.ended(thread, ended),
        }
    }

    fn ended(&mut self, thread: usize, ended: Ended) {
        let Some((added, removed)) = self.bury(thread) else { return };
        let before = self.panicked.remove(&thread);
        match ended {
            Ended::NotStarted(error) => match added {
                Some(told) => drop(told.send(Err(error))),
                None => self.fail(error),
            },
            Ended::Failed(error) => self.fail(error),
            Ended::Panicked { error, had_committed } if removed.is_none() => {
                let backoff = before.map(|before| before.backoff).filter(|_| !had_committed);
                self.panicked(thread, error, backoff.unwrap_or(Backoff::new(DOUBLINGS_MAX)));
            }
            Ended::Well | Ended::Panicked { .. } => match removed {
                Some(told) => drop(told.send(Some(thread))),
                // A bounded run is over for all of them.
                None => self.begin_to_stop(),
            },
        }
        self.process.note_thread_count(self.threads.len().max(1));
    }

    fn panicked(&mut self, thread: usize, error: Error, mut backoff: Backoff) {
        let (in_a_row, pause_ms) = (backoff.failed(), backoff.wait_ms());
        if self.is_stopping || in_a_row > IN_A_ROW_MAX || !self.process.config().replaces_threads() {
            return self.fail(error);
        }
        tracing::warn!(thread, in_a_row, pause_ms, "the stream thread is made anew");
        let again_ms = self.process.monotonic_ms().saturating_add(pause_ms);
        self.panicked.insert(thread, Panicked { backoff, again_ms: Some(again_ms) });
    }

    /// The first failure is the client's.
    fn fail(&mut self, error: Error) {
        if self.failure.is_none() {
            self.failure = Some(error);
        }
        self.stop_all();
    }

    fn stop_all(&mut self) {
        self.panicked.clear();
        self.threads.values().for_each(|thread| thread.stop.store(true, Ordering::SeqCst));
        self.begin_to_stop();
    }

    /// No thread is made any more.
    fn begin_to_stop(&mut self) {
        if !std::mem::replace(&mut self.is_stopping, true) {
            self.process.rest();
        }
    }

    fn add(&mut self, told: Sender<Result<usize>>) {
        if self.is_stopping {
            let error = Error::stop("the client is ending: it takes no more threads");
            return drop(told.send(Err(error)));
        }
        let is_taken = |number: &usize| self.threads.contains_key(number) || self.panicked.contains_key(number);
        let number = (1..).find(|number| !is_taken(number)).unwrap_or(usize::MAX);
        if let Err(error) = self.process.config().check_thread_count(number) {
            return drop(told.send(Err(error)));
        }
        self.process.note_thread_count(self.threads.len() + 1);
        if let Err(error) = self.spawn(number, Some(told.clone())) {
            let _ = told.send(Err(error));
        }
    }

    /// The youngest goes. One that waits to be made anew has gone already.
    fn remove(&mut self, told: Sender<Option<usize>>) {
        let staying = self.threads.iter().filter(|(_, thread)| thread.removed.is_none()).map(|(number, _)| *number);
        let waiting = self.panicked.keys().filter(|number| !self.threads.contains_key(number)).copied();
        let Some(youngest) = staying.chain(waiting).max().filter(|_| !self.is_stopping) else {
            // Who asked may have gone.
            let _ = told.send(None);
            return;
        };
        match self.threads.get_mut(&youngest) {
            Some(thread) => {
                thread.removed = Some(told);
                thread.stop.store(true, Ordering::SeqCst);
            }
            None => {
                self.panicked.remove(&youngest);
                let _ = told.send(Some(youngest));
            }
        }
    }

    fn until_next_replacement(&self) -> Option<Duration> {
        let now_ms = self.process.monotonic_ms();
        let next = self.panicked.values().filter_map(|panicked| panicked.again_ms).min()?;
        Some(Duration::from_millis(u64::try_from(next - now_ms).unwrap_or(0)))
    }

    fn replace_threads(&mut self) {
        let now_ms = self.process.monotonic_ms();
        let due = self.panicked.iter_mut().filter(|(_, panicked)| panicked.again_ms.is_some_and(|at| at <= now_ms));
        let due: Vec<usize> = due.map(|(thread, panicked)| (panicked.again_ms = None, *thread).1).collect();
        for thread in due {
            if let Err(error) = self.spawn(thread, None) {
                return self.fail(error);
            }
        }
    }

    fn spawn(&mut self, thread: usize, added: Option<Sender<Result<usize>>>) -> Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let body = {
            let (process, stop) = (Arc::clone(&self.process), Arc::clone(&stop));
            let (states, own, orders) = (self.ends.states.clone(), self.ends.own.clone(), self.ends.to_itself.clone());
            move || {
                own.enter();
                let started = || drop(orders.send(Order::Started(thread)));
                let ended = thread::run(&process, thread, &stop, &states, started);
                own.leave();
                // The shared parts end with the supervisor, not here.
                drop(process);
                // The supervisor waits for this.
                let _ = orders.send(Order::Ended(thread, ended));
            }
        };
        let spawned = std::thread::Builder::new().name(format!("stream-{thread:02}")).spawn(body);
        let handle =
            spawned.map_err(|error| Error::stop(format!("cannot start a stream thread: {error}")).caused_by(error))?;
        self.threads.insert(thread, Thread { stop, handle, added, removed: None });
        Ok(())
    }

    /// A thread that has told its end is gone. Returns who asked for it, and who asked that it end.
    fn bury(&mut self, thread: usize) -> Option<Asked> {
        let Thread { handle, added, removed, .. } = self.threads.remove(&thread)?;
        self.ends.states.forget(thread);
        self.process.forget(thread);
        // What it has to say it has said.
        let _ = handle.join();
        Some((added, removed))
    }
}
