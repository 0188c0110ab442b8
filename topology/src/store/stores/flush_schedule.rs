//! When to write stores down.

/// Keeps account of what was applied and is not safe on the disk yet.
#[derive(Debug)]
pub(in crate::store) struct FlushSchedule {
    bytes_max: usize,
    interval_ms: i64,
    unflushed_bytes: usize,
    /// When the oldest unflushed write was applied.
    since_ms: Option<i64>,
}

impl FlushSchedule {
    pub(in crate::store) fn new(bytes_max: usize, interval_ms: i64) -> Self {
        Self { bytes_max, interval_ms, unflushed_bytes: 0, since_ms: None }
    }

    pub(in crate::store) fn note_applied(&mut self, bytes: usize, now_ms: i64) {
        self.unflushed_bytes = self.unflushed_bytes.saturating_add(bytes);
        self.since_ms.get_or_insert(now_ms);
    }

    pub(in crate::store) fn note_flushed(&mut self) {
        self.unflushed_bytes = 0;
        self.since_ms = None;
    }

    pub(in crate::store) fn unflushed_bytes(&self) -> usize {
        self.unflushed_bytes
    }

    /// Whether bytes or age ask for a flush. A wall clock that went back asks for one too: no age can be told then.
    pub(in crate::store) fn is_due(&self, now_ms: i64) -> bool {
        let Some(since_ms) = self.since_ms else { return false };
        self.unflushed_bytes >= self.bytes_max
            || now_ms < since_ms
            || now_ms.saturating_sub(since_ms) >= self.interval_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_due_by_bytes_by_age_and_when_the_clock_goes_back() {
        let mut schedule = FlushSchedule::new(100, 30_000);
        assert!(!schedule.is_due(i64::MAX), "nothing applied, nothing due");
        schedule.note_applied(99, 1_000);
        schedule.note_applied(0, 20_000);
        assert!(!schedule.is_due(30_999));
        assert!(schedule.is_due(31_000), "the oldest write counts");
        assert!(schedule.is_due(999));
        schedule.note_applied(1, 1_000);
        assert!(schedule.is_due(1_000));
        schedule.note_flushed();
        assert!(!schedule.is_due(i64::MAX));
    }
}
