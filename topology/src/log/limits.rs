//! What a topic takes, and what it refuses.

use std::fmt;

use super::TopicDescription;
use super::record::ProducerRecord;

/// What a topic takes of a record, as far as that can be told beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// `max.message.bytes`: the largest batch, so the largest record ([`ProducerRecord::size_max_bytes`]).
    pub size_max_bytes: usize,
    /// `message.timestamp.before.max.ms`: how far a record's time may lie before the log's clock.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may lie behind.
    pub after_max_ms: i64,
}

/// The settings that say how far a record's time may lie before the log's clock, and behind it, ms.
pub const TIMESTAMP_BOUNDS: [&str; 2] = ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"];

/// What one of the [`TIMESTAMP_BOUNDS`] is where any time is taken.
pub const ANY_TIME: &str = "9223372036854775807";

/// Why a topic takes a record never, or not at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is larger than the topic's batches may be.
    TooLarge {
        /// So large it is, at most.
        size_bytes: usize,
        /// So large it may be.
        max_bytes: usize,
    },
    /// Its time lies too far before the log's clock, or behind it.
    Timestamp {
        /// Its time, ms since 1970.
        timestamp_ms: i64,
        /// The earliest that the topic takes now.
        from_ms: i64,
        /// The latest.
        to_ms: i64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size_bytes, max_bytes } => {
                write!(f, "it takes up to {size_bytes} bytes and the topic's max.message.bytes is {max_bytes}")
            }
            Self::Timestamp { timestamp_ms, from_ms, to_ms } => write!(
                f,
                "its timestamp is {timestamp_ms}, and by message.timestamp.before.max.ms and message.timestamp.after.max.ms the \
                 topic takes {from_ms} to {to_ms} now, by what is known of the log's clock"
            ),
        }
    }
}

impl RecordLimits {
    /// Those of a topic that takes records of this size, whatever their time.
    pub fn of_size(size_max_bytes: usize) -> Self {
        Self { size_max_bytes, before_max_ms: i64::MAX, after_max_ms: i64::MAX }
    }

    /// Whether a record would be refused, and why. Clocks differ, so a time at the very edge may be judged otherwise by
    /// the log.
    #[inline]
    pub fn refusal(&self, size_bytes: usize, timestamp_ms: i64, now_ms: i64) -> Option<Refusal> {
        if size_bytes > self.size_max_bytes {
            return Some(Refusal::TooLarge { size_bytes, max_bytes: self.size_max_bytes });
        }
        // Without a time it gets one of the log's, or none.
        if timestamp_ms == ProducerRecord::NOW || timestamp_ms == -1 {
            return None;
        }
        let (from_ms, to_ms) = (now_ms.saturating_sub(self.before_max_ms), now_ms.saturating_add(self.after_max_ms));
        let is_within = (from_ms..=to_ms).contains(&timestamp_ms);
        (!is_within).then_some(Refusal::Timestamp { timestamp_ms, from_ms, to_ms })
    }
}

impl TopicDescription {
    /// What it takes of a record.
    pub fn record_limits(&self) -> RecordLimits {
        let size_max_bytes = usize::try_from(self.max_message_bytes).unwrap_or(0);
        // With its own time the log writes down any record.
        if self.timestamp_type == "LogAppendTime" {
            return RecordLimits::of_size(size_max_bytes);
        }
        RecordLimits {
            size_max_bytes,
            before_max_ms: self.timestamp_before_max_ms,
            after_max_ms: self.timestamp_after_max_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_refused_by_size_and_by_the_distance_of_its_time() {
        let limits = RecordLimits { size_max_bytes: 100, before_max_ms: 1_000, after_max_ms: 10 };
        let now_ms = 50_000;
        assert_eq!(limits.refusal(100, now_ms, now_ms), None);
        assert_eq!(limits.refusal(101, now_ms, now_ms), Some(Refusal::TooLarge { size_bytes: 101, max_bytes: 100 }));
        let judged = [48_999, 49_000, 50_010, 50_011, -1, -2, ProducerRecord::NOW, i64::MAX]
            .map(|timestamp_ms| limits.refusal(1, timestamp_ms, now_ms).is_none());
        assert_eq!(judged, [false, true, true, false, true, false, true, false]);
    }

    #[test]
    fn kafkas_defaults_take_any_age_and_an_hour_ahead() {
        let limits = RecordLimits { size_max_bytes: 100, before_max_ms: i64::MAX, after_max_ms: 3_600_000 };
        assert_eq!(limits.refusal(1, 0, 1_700_000_000_000), None);
        assert!(limits.refusal(1, 1_700_003_600_001, 1_700_000_000_000).is_some());
    }
}
