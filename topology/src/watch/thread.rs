//! Asks the log on a thread of its own, and tells who must know.
//!
//! ```text
//!   stream thread                        this thread                      the log
//!   read records
//!   ask ──────── wanted: check n+1 ────> check n+1 begins ──────────────> ids now
//!   flush, send offsets                                                      │
//!   vouch <───── passed: n+1 ─────────── the same as at the start <──────────┘
//!   commit, sign
//! ```
//! **Why this is enough.** No id comes again. So where the topic of a name has the id known at the start, it had it all
//! the time since, and what was read under that name before the check *began* was read from it. A check that began
//! before the records were read proves nothing of them. It takes a broker's answer to be at least as new as the
//! records: see the decision record on topic identity for what remains.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::Log;
use crate::processor::Vouch;

use super::Known;
use super::judgement::{Judge, Verdict};
use super::newcomers::Newcomers;
use super::stepped::{Look, Stepped};

/// How closely topics are watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intervals {
    /// Between two checks that were not asked for.
    pub interval: Duration,
    /// How long a topic may not be to be seen before it counts as gone, ms.
    pub gone_after_ms: i64,
    /// Between two looks for topics that a run would read, had they been there at its start.
    pub list_interval: Duration,
    /// How long one question to the log may take.
    pub request_timeout: Duration,
    /// How long [`Watch::vouch`] waits for an answer.
    pub vouch_timeout: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            gone_after_ms: 10_000,
            list_interval: Duration::from_secs(5),
            request_timeout: Duration::from_secs(2),
            vouch_timeout: Duration::from_secs(4),
        }
    }
}

/// How soon it is asked again where a topic is not to be seen, or no answer came.
pub(super) const AGAIN: Duration = Duration::from_millis(250);
/// How often it is said that no check passes, ms.
const COMPLAIN_EVERY_MS: i64 = 5_000;

/// The watch over the topics of a run, as one stream thread sees it. When the last is dropped the thread that asks
/// ends, as soon as the question that is under way has been answered or has timed out.
pub(crate) struct Watch {
    thread: Arc<AskingThread>,
    /// What looks where there is no thread.
    stepped: Option<Mutex<Stepped>>,
    vouch_timeout: Duration,
    /// The check that vouches for all that this stream thread read so far; 0 where one is yet to begin.
    check: AtomicU64,
}

/// The thread that asks.
struct AskingThread {
    exchange: Arc<Exchange>,
    thread: Option<JoinHandle<()>>,
}

pub(super) struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
}

/// Checks are numbered from 1, in the order in which they begin.
#[derive(Default)]
pub(super) struct State {
    /// Somebody waits for this check.
    wanted: u64,
    /// The last check that began.
    begun: u64,
    /// The last check that found the topics to be those known.
    passed: u64,
    /// Why the last check passed not.
    complaint: String,
    /// The topics are others.
    others: Option<String>,
    /// The handle is gone, or the thread is.
    is_over: bool,
}

impl Watch {
    /// Starts to watch.
    pub(crate) fn start<L: Log>(log: L, clock: Arc<dyn Clock>, known: Known, intervals: Intervals) -> Result<Self> {
        let watcher = Watcher::new(log, clock, known, intervals);
        let exchange = Arc::clone(&watcher.exchange);
        let thread = std::thread::Builder::new().name("topics".to_owned()).spawn(move || watcher.run());
        let thread =
            thread.map_err(|error| Error::stop("cannot start a thread that watches topics").caused_by(error))?;
        let thread = Arc::new(AskingThread { exchange, thread: Some(thread) });
        Ok(Self { thread, stepped: None, vouch_timeout: intervals.vouch_timeout, check: AtomicU64::new(0) })
    }

    /// Watches without a thread, for one stream thread: who asks it asks the log, and waits by the clock. For
    /// simulations.
    pub(crate) fn stepped<L: Log>(log: L, clock: Arc<dyn Clock>, known: Known, intervals: Intervals) -> Self {
        let watcher = Watcher::new(log, Arc::clone(&clock), known, intervals);
        let thread = Arc::new(AskingThread { exchange: Arc::clone(&watcher.exchange), thread: None });
        let stepped = Some(Mutex::new(Stepped::new(Box::new(watcher), clock)));
        Self { thread, stepped, vouch_timeout: intervals.vouch_timeout, check: AtomicU64::new(0) }
    }

    /// The same watch, for another stream thread.
    pub(crate) fn for_another(&self) -> Self {
        let (thread, vouch_timeout) = (Arc::clone(&self.thread), self.vouch_timeout);
        Self { thread, stepped: None, vouch_timeout, check: AtomicU64::new(0) }
    }

    /// Does what a thread does beside others, where there is none.
    fn step(&self, act: impl FnOnce(&mut Stepped)) {
        if let Some(stepped) = &self.stepped {
            act(&mut stepped.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn exchange(&self) -> &Exchange {
        &self.thread.exchange
    }

    /// Whether nothing is known to have changed: an error of class stop, once a check has found another topic.
    pub(crate) fn check(&self) -> Result<()> {
        self.step(|stepped| stepped.look_if_due(self.exchange()));
        self.exchange().lock().judged()
    }

    /// Records were read, or the end of a partition: what vouched for the ones before does not vouch for these.
    pub(crate) fn input_read(&self) {
        self.check.store(0, Ordering::Relaxed);
    }

    /// Has a check begin that vouches for what was read so far, unless one did. It does not wait.
    pub(crate) fn ask(&self) {
        if self.check.load(Ordering::Relaxed) == 0 {
            let mut state = self.exchange().lock();
            let next = state.begun + 1;
            state.wanted = next;
            self.check.store(next, Ordering::Relaxed);
            self.exchange().changed.notify_all();
        }
    }

    /// As [`Vouch::vouch`], with another patience.
    pub(crate) fn vouch_within(&self, timeout: Duration) -> Result<()> {
        self.ask();
        let check = self.check.load(Ordering::Relaxed);
        let waits = |state: &mut State| state.passed < check && state.others.is_none() && !state.is_over;
        self.step(|stepped| stepped.look_while(self.exchange(), timeout, waits));
        let timeout = if self.stepped.is_some() { Duration::ZERO } else { timeout };
        let waited = self.exchange().changed.wait_timeout_while(self.exchange().lock(), timeout, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.judged()?;
        if state.passed >= check {
            return Ok(());
        }
        let complaint = &state.complaint;
        let message = format!("whether the topics are the ones known could not be found out in time: {complaint}");
        Err(Error::new(Class::Rewind, message))
    }
}

impl Vouch for Watch {
    fn vouch(&self) -> Result<()> {
        self.vouch_within(self.vouch_timeout)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("check", &self.check).finish_non_exhaustive()
    }
}

impl Drop for AskingThread {
    fn drop(&mut self) {
        self.exchange.end();
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Exchange {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock only says that some thread panicked; the state is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

impl State {
    /// Whether a check was asked for that has not begun, and may still pass.
    pub(super) fn is_asked(&self) -> bool {
        self.others.is_none() && self.wanted > self.begun
    }

    /// A check begins; which one.
    pub(super) fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    fn judged(&self) -> Result<()> {
        match &self.others {
            Some(message) => Err(Error::stop(message.clone())),
            None if self.is_over => {
                Err(Error::stop("the thread that watches topics has died: see the log above, and start again"))
            }
            None => Ok(()),
        }
    }
}

struct Watcher<L: Log> {
    log: L,
    clock: Arc<dyn Clock>,
    judge: Judge,
    intervals: Intervals,
    exchange: Arc<Exchange>,
    complained_ms: Option<i64>,
    newcomers: Newcomers,
    /// When it was last asked which topics there are, monotonic.
    listed_ms: Option<i64>,
}

/// Tells those who wait, also where the thread ends by a panic.
struct End(Arc<Exchange>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<L: Log> Look for Watcher<L> {
    fn look(&mut self, check: u64) -> Option<Duration> {
        let found = self.log.identify_topics(self.judge.names(), self.intervals.request_timeout);
        let now_ms = self.clock.monotonic_ms();
        let verdict = match found {
            Ok(found) => self.judge.judge(&found, now_ms),
            Err(error) => Verdict::NotSeen(error.to_string()),
        };
        let pause = match &verdict {
            Verdict::Same => self.intervals.interval,
            _ => AGAIN.min(self.intervals.interval),
        };
        if let Verdict::NotSeen(complaint) = &verdict {
            self.complain(complaint, now_ms);
        }
        if self.tell(check, verdict) {
            return None;
        }
        self.look_for_newcomers(now_ms);
        Some(pause)
    }
}

impl<L: Log> Watcher<L> {
    fn new(log: L, clock: Arc<dyn Clock>, known: Known, intervals: Intervals) -> Self {
        let exchange = Arc::new(Exchange { state: Mutex::new(State::default()), changed: Condvar::new() });
        let judge = Judge::new(known, intervals.gone_after_ms);
        let newcomers = Newcomers::default();
        Self { log, clock, judge, intervals, exchange, complained_ms: None, newcomers, listed_ms: None }
    }

    fn run(mut self) {
        let _end = End(Arc::clone(&self.exchange));
        let mut pause = Duration::ZERO;
        while let Some(check) = self.next(pause) {
            let Some(next) = self.look(check) else { return };
            pause = next;
        }
    }

    /// Waits until the next check is due, and begins it; `None` at the end.
    fn next(&self, pause: Duration) -> Option<u64> {
        let idle = |state: &mut State| state.wanted <= state.begun && !state.is_over;
        let waited = self.exchange.changed.wait_timeout_while(self.exchange.lock(), pause, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let check = state.begin();
        (!state.is_over).then_some(check)
    }

    /// Whether the topics are others.
    fn tell(&self, check: u64, verdict: Verdict) -> bool {
        let mut state = self.exchange.lock();
        match verdict {
            Verdict::Same => state.passed = check,
            // A thread that waits for this check is served by the next one that passes.
            Verdict::NotSeen(complaint) => state.complaint = complaint,
            Verdict::Others(error) => state.others = Some(error.to_string()),
        }
        self.exchange.changed.notify_all();
        state.others.is_some()
    }

    /// Says which topics a restart would take in.
    fn look_for_newcomers(&mut self, now_ms: i64) {
        let interval_ms = i64::try_from(self.intervals.list_interval.as_millis()).unwrap_or(i64::MAX);
        let is_due = self.listed_ms.is_none_or(|listed| now_ms.saturating_sub(listed) >= interval_ms);
        if !self.judge.known().wants_others() || !is_due {
            return;
        }
        self.listed_ms = Some(now_ms);
        // Where no broker answers, the checks say so.
        let Ok(names) = self.log.list_topics(self.intervals.request_timeout) else { return };
        for topic in self.newcomers.look(self.judge.known(), &names, now_ms) {
            tracing::error!(
                topic,
                "the topic matches a pattern of the topology and was not there when this run began: it is not read. Start all \
                 instances again, and it is"
            );
        }
    }

    fn complain(&mut self, complaint: &str, now_ms: i64) {
        if self.complained_ms.is_none_or(|said| now_ms.saturating_sub(said) >= COMPLAIN_EVERY_MS) {
            self.complained_ms = Some(now_ms);
            tracing::warn!("whether the topics are the ones known could not be found out: {complaint}; trying again");
        }
    }
}
