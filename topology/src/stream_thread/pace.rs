//! How many records are processed between two looks at the clock.
//!
//! A look costs little and sends what was produced, so there is one for many records where they are fast. Where each
//! takes long, as one that asks a service does, as many records would outlast the transaction: it times out, they come
//! again, and nothing is ever committed. So the number begins at one, doubles while they are fast, and shrinks when
//! they are not.

/// Most records between two looks.
const RECORDS_MAX: usize = 128;

/// The number, as it stands.
#[derive(Debug)]
pub(super) struct Pace {
    records: usize,
    /// How long they may take, ms.
    at_most_ms: i64,
}

impl Pace {
    /// For a thread that ends a turn after `turn_ms`.
    pub(super) fn new(turn_ms: i64) -> Self {
        Self { records: 1, at_most_ms: (turn_ms / 4).max(1) }
    }

    /// So many records come next, at most.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// So many records took so long.
    pub(super) fn note(&mut self, records: usize, took_ms: i64) {
        if took_ms > self.at_most_ms {
            let fitting = i64::try_from(records).unwrap_or(i64::MAX).saturating_mul(self.at_most_ms) / took_ms;
            self.records = usize::try_from(fitting).unwrap_or(1).clamp(1, RECORDS_MAX);
        } else if records >= self.records && took_ms <= self.at_most_ms / 2 {
            self.records = (2 * self.records).min(RECORDS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_records_come_in_many_and_slow_ones_in_as_many_as_fit() {
        let mut pace = Pace::new(2_000);
        let mut seen = Vec::new();
        for _ in 0..8 {
            seen.push(pace.records());
            pace.note(pace.records(), 0);
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 64, 128]);
        // Each takes 90 ms now.
        pace.note(128, 128 * 90);
        assert_eq!(pace.records(), 5);
        pace.note(5, 5 * 90);
        assert_eq!(pace.records(), 5);
        pace.note(1, 10_000);
        assert_eq!(pace.records(), 1);
        // What was left of a batch says nothing about more.
        pace.note(1, 0);
        pace.note(1, 0);
        assert_eq!(pace.records(), 2);
    }
}
