//! How long to wait before what has failed is tried again. It counts: time is its caller's.

/// Failures in a row, and the wait after them: it doubles with each, up to a limit.
///
/// ```text
///   failures in a row    0    1      2      3      4    ...
///   wait, ms             0    100    200    400    800  ...   100 * 2^doublings_max
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    in_a_row: u32,
    doublings_max: u32,
}

/// After the first failure.
const FIRST_MS: i64 = 100;

impl Backoff {
    /// Nothing has failed yet. The wait doubles so often at most.
    pub(crate) fn new(doublings_max: u32) -> Self {
        Self { in_a_row: 0, doublings_max }
    }

    /// It has failed. Returns how often in a row.
    pub(crate) fn failed(&mut self) -> u32 {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row
    }

    /// It has succeeded: the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.in_a_row = 0;
    }

    /// The wait before the next attempt, ms.
    pub(crate) fn wait_ms(&self) -> i64 {
        match self.in_a_row.checked_sub(1) {
            None => 0,
            Some(doublings) => FIRST_MS << doublings.min(self.doublings_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_with_each_failure_in_a_row_up_to_its_limit_and_begins_anew_after_a_success() {
        let mut backoff = Backoff::new(3);
        assert_eq!(backoff.wait_ms(), 0);
        let waits: Vec<i64> = (0..6).map(|_| (backoff.failed(), backoff.wait_ms()).1).collect();
        assert_eq!(waits, [100, 200, 400, 800, 800, 800]);
        backoff.succeeded();
        assert_eq!((backoff.wait_ms(), backoff.failed(), backoff.wait_ms()), (0, 1, 100));
    }
}
