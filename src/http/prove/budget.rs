//! How much of its time the thread spends on what is dear: states that are followed to, and trees over states.

use crate::http::problem::{Problem, Result};

/// So much may be spent at once.
const FULL_MS: i64 = 8_000;
/// Of a stretch of time, one part in so many is given back.
const GIVEN_BACK: i64 = 4;

/// Time that may be spent, by a clock that never goes back.
#[derive(Debug)]
pub(super) struct Budget {
    left_ms: i64,
    filled_ms: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left_ms: FULL_MS, filled_ms: 0 }
    }
}

impl Budget {
    /// Whether dear work may begin now.
    pub(super) fn check(&mut self, now_ms: i64) -> Result<()> {
        let given_back_ms = now_ms.saturating_sub(self.filled_ms).max(0) / GIVEN_BACK;
        self.left_ms = self.left_ms.saturating_add(given_back_ms).min(FULL_MS);
        self.filled_ms = self.filled_ms.saturating_add(given_back_ms * GIVEN_BACK);
        if self.left_ms > 0 {
            return Ok(());
        }
        Err(Problem::unavailable(
            "proofs of states take much of this server's time, and it spends a part of it on them: ask again",
        ))
    }

    /// It was at work from here to there.
    pub(super) fn spend(&mut self, from_ms: i64, to_ms: i64) {
        self.left_ms = self.left_ms.saturating_sub(to_ms.saturating_sub(from_ms).max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_comes_back_at_a_quarter_of_the_time() {
        let mut budget = Budget::default();
        let mut spent_ms = 0;
        // Somebody asks all the time, for what takes 500 ms each.
        let mut now_ms = 1_000_000;
        let begun_ms = now_ms;
        while now_ms < begun_ms + 600_000 {
            match budget.check(now_ms) {
                Ok(()) => {
                    budget.spend(now_ms, now_ms + 500);
                    spent_ms += 500;
                    now_ms += 500;
                }
                Err(_) => now_ms += 10,
            }
        }
        assert!((150_000..=FULL_MS + 152_000).contains(&spent_ms), "{spent_ms}");
        assert!(budget.check(now_ms + 100_000).is_ok());
        budget.spend(0, FULL_MS);
        assert!(budget.check(now_ms + 100_000).is_err());
    }
}
