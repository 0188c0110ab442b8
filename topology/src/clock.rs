//! Time, as an argument.
//!
//! [`SystemClock`] is the only place of the crate that asks the machine for the time. This module depends on
//! nothing else of the crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What time it is, and how to wait for a later one.
pub trait Clock: Send + Sync {
    /// Wall clock time, ms since 1970. It may jump, forwards and backwards.
    fn now_ms(&self) -> i64;

    /// Time since an arbitrary point, ms. It never goes backwards: measure durations and deadlines with it.
    fn monotonic_ms(&self) -> i64;

    /// Returns when so much time has passed, or more.
    fn sleep(&self, duration: Duration);
}

/// The machine's clocks.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The machine's clocks; monotonic time starts at 0 now.
    #[allow(clippy::disallowed_methods, reason = "the one place where time enters")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn now_ms(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => saturating_ms(since.as_millis()),
            Err(before) => -saturating_ms(before.duration().as_millis()),
        }
    }

    fn monotonic_ms(&self) -> i64 {
        saturating_ms(self.start.elapsed().as_millis())
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

fn saturating_ms(ms: u128) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A clock that moves only when it is told to, or slept on. Clones share one time.
///
/// ```
/// use std::time::Duration;
/// use topology::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new(1_000);
/// clock.advance(250);
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_250, 250));
/// clock.set_wall(0); // the wall clock may jump, monotonic time does not
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (0, 250));
/// clock.sleep(Duration::from_millis(50)); // returns at once
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (50, 300));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    times: Arc<Times>,
}

#[derive(Debug)]
struct Times {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

impl ManualClock {
    /// A clock whose wall time is `now_ms` and whose monotonic time is 0.
    pub fn new(now_ms: i64) -> Self {
        Self { times: Arc::new(Times { wall_ms: AtomicI64::new(now_ms), monotonic_ms: AtomicI64::new(0) }) }
    }

    /// Moves both times forwards by `ms`, which must not be negative (a negative one moves neither).
    pub fn advance(&self, ms: i64) {
        let ms = ms.max(0);
        self.times.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.times.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an operator or a time server might.
    pub fn set_wall(&self, now_ms: i64) {
        self.times.wall_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.times.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> i64 {
        self.times.monotonic_ms.load(Ordering::SeqCst)
    }

    /// Moves the clock forwards, at once.
    fn sleep(&self, duration: Duration) {
        self.advance(saturating_ms(duration.as_millis()));
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now_ms(&self) -> i64 {
        (**self).now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        (**self).monotonic_ms()
    }

    fn sleep(&self, duration: Duration) {
        (**self).sleep(duration);
    }
}
