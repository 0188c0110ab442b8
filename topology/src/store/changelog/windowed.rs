//! Keys of windowed stores, on the disk and in changelogs.
//!
//! ```text
//! window    | key, any bytes | start_ms, i64, big end |                          and the window's size is the store's
//! session   | key, any bytes | end_ms, i64, big end   | start_ms, i64, big end |
//! ```
//! The key comes first, so that all windows of a key lie together, in the order of time: times are not negative. A key
//! is found by length, since the times have a fixed one; keys of different lengths may mix, so a scan over one key's
//! windows skips what is longer. A session's end stands before its start: a record finds the sessions that it may
//! extend by their ends.
//!
//! | | key-value | window, session |
//! |---|---|---|
//! | changelog key | `01` key | `02` window key, `03` session key |
//! | changelog value | `02` event time, value | the same; no value: the window is deleted |
//! | `cleanup.policy` | `compact` | `compact,delete`, by the time of the log, kept longer than the windows by what input may be late |
//! | RocksDB | a column family per store | one per store and segment of time, `store.<name>.<start_ms of the segment>`, dropped as a whole |
//!
//! The record's own time in a changelog is the log's, so a changelog is never refused for the time of an event; the
//! event time of a value stands in the value.

/// How many bytes of a window key stand behind the key.
const TIME_BYTES: usize = 8;

/// A key in one window: from `start_ms` on, ms since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowKey<'a> {
    /// The record's key.
    pub key: &'a [u8],
    /// Where the window begins; not negative.
    pub start_ms: i64,
}

impl<'a> WindowKey<'a> {
    /// Puts the bytes drawn above into `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.key);
        out.extend_from_slice(&self.start_ms.to_be_bytes());
    }

    /// Reads them; `None` if they are none.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (key, start) = bytes.split_last_chunk::<TIME_BYTES>()?;
        let start_ms = i64::from_be_bytes(*start);
        (start_ms >= 0).then_some(Self { key, start_ms })
    }
}

/// A key in one session, from its first record's time to its last one's, ms since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey<'a> {
    /// The record's key.
    pub key: &'a [u8],
    /// Time of the first record; not negative.
    pub start_ms: i64,
    /// Time of the last record; not before the first.
    pub end_ms: i64,
}

impl<'a> SessionKey<'a> {
    /// Puts the bytes drawn above into `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.key);
        out.extend_from_slice(&self.end_ms.to_be_bytes());
        out.extend_from_slice(&self.start_ms.to_be_bytes());
    }

    /// Reads them; `None` if they are none.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (rest, start) = bytes.split_last_chunk::<TIME_BYTES>()?;
        let (key, end) = rest.split_last_chunk::<TIME_BYTES>()?;
        let (start_ms, end_ms) = (i64::from_be_bytes(*start), i64::from_be_bytes(*end));
        (0 <= start_ms && start_ms <= end_ms).then_some(Self { key, start_ms, end_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window_bytes(key: &[u8], start_ms: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        WindowKey { key, start_ms }.encode(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn window_keys_come_back_and_those_of_a_key_sort_by_time(key: Vec<u8>, a in 0..i64::MAX, b in 0..i64::MAX) {
            let (first, second) = (window_bytes(&key, a), window_bytes(&key, b));
            prop_assert_eq!(WindowKey::decode(&first), Some(WindowKey { key: &key, start_ms: a }));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        }

        #[test]
        fn session_keys_come_back_and_those_of_a_key_sort_by_their_ends(
            key: Vec<u8>, starts: [u32; 2], lengths: [u16; 2],
        ) {
            let session = |at: usize| {
                let start_ms = i64::from(starts[at]);
                SessionKey { key: &key, start_ms, end_ms: start_ms + i64::from(lengths[at]) }
            };
            let mut bytes = [Vec::new(), Vec::new()];
            (0..2).for_each(|at| session(at).encode(&mut bytes[at]));
            prop_assert_eq!(SessionKey::decode(&bytes[0]), Some(session(0)));
            let order = |at: usize| (session(at).end_ms, session(at).start_ms);
            prop_assert_eq!(bytes[0].cmp(&bytes[1]), order(0).cmp(&order(1)));
        }

        #[test]
        fn no_bytes_make_decoding_panic_and_only_whole_ones_decode(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut again = Vec::new();
            if let Some(key) = WindowKey::decode(&bytes) {
                key.encode(&mut again);
                prop_assert_eq!(&again, &bytes);
            }
            if let Some(key) = SessionKey::decode(&bytes) {
                key.encode(&mut again);
                prop_assert_eq!(&again, &bytes);
            }
        }
    }
}
