//! How much a consumer holds of what it fetches ahead.

/// What librdkafka keeps beside the payload of each message that it has fetched, bytes: three hundred and some of a
/// structure of its own (2.12, 64 bits).
const MESSAGE_BYTES: usize = 320;

/// How `prefetch_bytes` is split over the settings that bound what a consumer holds.
///
/// librdkafka asks for more as long as it has queued fewer bytes of payload than one bound, and fewer messages than the
/// other. Half is for payload, half for what each message takes beside it: of small records that is most. And the
/// answer to a request comes on top, taken apart as a whole: of records of a hundred bytes it takes four times its
/// size. So it is small; a request for one partition brings a megabyte at most anyhow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefetch {
    /// `queued.max.messages.kbytes`, which librdkafka reads as thousands of bytes.
    pub(super) queued_kilobytes: usize,
    /// `queued.min.messages`: where so many are queued, nothing more is asked for.
    pub(super) queued_messages: usize,
    /// `fetch.max.bytes`.
    pub(super) fetch_bytes: usize,
}

impl Prefetch {
    pub(super) fn of(prefetch_bytes: usize) -> Self {
        Self {
            queued_kilobytes: (prefetch_bytes / 2 / 1_000).clamp(1, 2_097_151),
            queued_messages: (prefetch_bytes / 2 / MESSAGE_BYTES).clamp(1_000, 100_000),
            fetch_bytes: (prefetch_bytes / 16).clamp(1 << 20, 50 << 20),
        }
    }

    /// What is held at most of records of this size, in bytes, with one answer on top.
    #[cfg(test)]
    fn held_bytes_max(&self, record_bytes: usize) -> usize {
        let by_payload = self.queued_kilobytes * 1_000 / record_bytes.max(1);
        let queued = self.queued_messages.min(by_payload) + 1;
        let fetched = self.fetch_bytes / record_bytes.max(1) + 1;
        (queued + fetched) * (record_bytes + MESSAGE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_consumer_holds_stays_within_its_bytes_and_half_as_much_however_small_records_are() {
        // The smallest record takes some 70 bytes in an answer that is its own batch, and ten in a large batch.
        for prefetch_bytes in [16 << 20, 32 << 20, 1 << 30] {
            for record_bytes in [80, 120, 1_000, 100_000] {
                let held = Prefetch::of(prefetch_bytes).held_bytes_max(record_bytes);
                assert!(held <= prefetch_bytes / 2 * 3, "{held} of {prefetch_bytes} for records of {record_bytes}");
            }
        }
        // What a topic may have at most in one message is fetched however little memory there is.
        assert_eq!(Prefetch::of(0), Prefetch { queued_kilobytes: 1, queued_messages: 1_000, fetch_bytes: 1 << 20 });
    }
}
