//! Threads that ask a store.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use topology::query::{self, KeyValue};
use topology::store::Direction;

/// How often a thread asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many times a second. Several at once, and then none for a millisecond or more, as a server does whose
    /// requests come through a network.
    PerSecond(u64),
    /// Again as soon as it is answered.
    Unbroken,
}

/// What the threads of a count share.
#[derive(Clone, Default)]
pub(crate) struct Readers {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
}

/// The shortest time that a thread rests.
const REST_MIN: Duration = Duration::from_millis(1);

impl Readers {
    /// How many answers there were.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// A thread that asks until the end.
    pub(crate) fn spawn<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        number: usize,
        asked: &Option<(KeyValue<[u8], i64>, Pace)>,
        keys: u64,
    ) -> topology::Result<ScopedJoinHandle<'scope, query::Result<()>>> {
        let (shared, asked) = (self.clone(), asked.clone());
        let body = move || match asked {
            Some((asked, pace)) => shared.ask(number as u64, &asked, pace, keys),
            None => Ok(()),
        };
        let spawned = Builder::new().name(format!("reader-{number}")).spawn_scoped(scope, body);
        spawned.map_err(|error| topology::Error::stop("cannot start a reader").caused_by(error))
    }

    fn ask(&self, seed: u64, asked: &KeyValue<[u8], i64>, pace: Pace, keys: u64) -> query::Result<()> {
        let (start, mut random, mut count) = (Instant::now(), Random(seed + 1), 0u64);
        while !self.is_over.load(Ordering::Relaxed) {
            let key = key(random.below(keys));
            let answer = if count % 100 == 99 { some_from(asked, &key) } else { asked.get(&key.as_slice()).map(drop) };
            match answer {
                Ok(()) => drop(self.answers.fetch_add(1, Ordering::Relaxed)),
                // It has not begun yet.
                Err(query::Error::Moving(_)) => std::thread::sleep(REST_MIN),
                Err(error) => return Err(error),
            }
            count += 1;
            if let Pace::PerSecond(per_second) = pace {
                let early = Duration::from_micros(count * 1_000_000 / per_second).saturating_sub(start.elapsed());
                if early >= REST_MIN {
                    std::thread::sleep(early);
                }
            }
        }
        Ok(())
    }
}

/// A hundred entries from a key on.
fn some_from(asked: &KeyValue<[u8], i64>, key: &[u8]) -> query::Result<()> {
    let mut entries = asked.range(Bound::Included(&key), Bound::Unbounded, Direction::Forward)?;
    for _ in 0..100 {
        if entries.next_entry()?.is_none() {
            break;
        }
    }
    Ok(())
}

/// A multiplicative congruential generator: the same numbers each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("account-{number:012}").into_bytes()
}
