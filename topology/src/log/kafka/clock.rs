//! How far the brokers' clock is from this machine's.
//!
//! No request asks a broker for its time. It tells it with each record that it writes down under it
//! (`message.timestamp.type=LogAppendTime`), as it does with changelogs and dead letters.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::clock::{Clock, SystemClock};

/// Clocks that differ by less are taken for the same: a broker's word may be on its way for a while.
const AGREE_MS: i64 = 5 * 60 * 1000;
const UNKNOWN: i64 = i64::MIN;

/// What the brokers of a log told of their clock.
#[derive(Debug)]
pub(super) struct BrokerClock {
    ahead_ms: AtomicI64,
    is_said: AtomicBool,
}

impl Default for BrokerClock {
    fn default() -> Self {
        Self { ahead_ms: AtomicI64::new(UNKNOWN), is_said: AtomicBool::new(false) }
    }
}

impl BrokerClock {
    /// By a broker's clock it was this time, ms since 1970, a moment ago.
    pub(super) fn note(&self, broker_ms: i64) {
        self.note_at(broker_ms, now_ms());
    }

    fn note_at(&self, broker_ms: i64, now_ms: i64) {
        let ahead_ms = broker_ms.saturating_sub(now_ms);
        let agrees = ahead_ms.saturating_abs() < AGREE_MS;
        self.ahead_ms.store(if agrees { 0 } else { ahead_ms }, Ordering::Relaxed);
        if agrees {
            self.is_said.store(false, Ordering::Relaxed);
        } else if !self.is_said.swap(true, Ordering::Relaxed) {
            let clocks = clocks(now_ms, Some(broker_ms));
            tracing::warn!(
                "the clocks differ: {clocks}. Topics refuse records whose time is too far from the broker's"
            );
        }
    }

    /// How far it is ahead of this machine's, ms; negative: behind. `None` before anything was told.
    pub(super) fn ahead_ms(&self) -> Option<i64> {
        Some(self.ahead_ms.load(Ordering::Relaxed)).filter(|ahead_ms| *ahead_ms != UNKNOWN)
    }

    /// What both clocks say now.
    pub(super) fn compare(&self) -> String {
        let now_ms = now_ms();
        clocks(now_ms, self.ahead_ms().map(|ahead_ms| now_ms.saturating_add(ahead_ms)))
    }
}

fn now_ms() -> i64 {
    SystemClock::new().now_ms()
}

fn clocks(now_ms: i64, broker_ms: Option<i64>) -> String {
    match broker_ms {
        None => {
            format!("this machine's clock says {now_ms} (ms since 1970), and what the broker's says is not known yet")
        }
        Some(broker_ms) => {
            let difference = difference(broker_ms.saturating_sub(now_ms));
            format!("this machine's clock says {now_ms} (ms since 1970), and the broker's {broker_ms}, {difference}")
        }
    }
}

/// `3 h 0 min 2 s later`
fn difference(ahead_ms: i64) -> String {
    let s = ahead_ms.unsigned_abs() / 1_000;
    if s == 0 {
        return "the same".to_owned();
    }
    let (h, min, s) = (s / 3_600, s / 60 % 60, s % 60);
    let distance = match (h, min) {
        (0, 0) => format!("{s} s"),
        (0, _) => format!("{min} min {s} s"),
        _ => format!("{h} h {min} min {s} s"),
    };
    format!("{distance} {}", if ahead_ms < 0 { "earlier" } else { "later" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn clocks_that_differ_by_minutes_agree_and_others_are_named_with_their_distance() {
        let clock = BrokerClock::default();
        assert_eq!(clock.ahead_ms(), None);
        assert!(clock.compare().contains("the broker's says is not known"));
        clock.note_at(NOW_MS - AGREE_MS + 1, NOW_MS);
        assert_eq!(clock.ahead_ms(), Some(0));
        clock.note_at(NOW_MS - 3 * HOUR_MS - 2_000, NOW_MS);
        assert_eq!(clock.ahead_ms(), Some(-3 * HOUR_MS - 2_000));
        assert!(clock.compare().ends_with("3 h 0 min 2 s earlier"), "{}", clock.compare());
        let both = clocks(NOW_MS, Some(NOW_MS + 61_000));
        assert!(both.contains("says 1700000000000 ") && both.ends_with("1700000061000, 1 min 1 s later"), "{both}");
    }
}
