//! What a committed offset carries beside it: stream time, so that it survives a restart, and what vouches for the
//! state.
//!
//! ```text
//! "2" ":" [stream time] ":" offset ":" [mark {"," mark}]       mark: store "=" incarnation "." sequence
//! ""                                                           committed by somebody else (a tool, say)
//! ```
//! Stream time is in ms since 1970 and not there before the first record. The offset is the one that it is committed
//! with: a tool that moves the offset and keeps the metadata is found out. A mark names a store that was ever written,
//! its changelog (the first 8 bytes of the [`Incarnation`], in hexadecimal) and the last commit that wrote it
//! ([`Covered::sequence`](crate::store::Covered)). Whether that is the state there is, is for `agreement` to say.

use crate::log::Offset;
use crate::store::Incarnation;

/// Metadata of a committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Stream time as of the offset, ms since 1970.
    pub stream_time_ms: Option<i64>,
    /// What was known of the state; `None` where somebody else committed the offset.
    pub vouched: Option<Vouched>,
}

/// The state that belongs to an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vouched {
    /// The offset that was committed.
    pub offset: Offset,
    /// Of each store that was ever written.
    pub marks: Vec<Mark>,
}

/// Which changelog a store has, and which commit wrote it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The store's name.
    pub store: String,
    /// The beginning of the changelog's incarnation: enough to tell two of one name apart.
    pub incarnation: [u8; 8],
    /// The last commit that wrote the store.
    pub sequence: u64,
}

/// Metadata that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the committed offset carries metadata '{0}', which this version cannot read: it was written by another version or program"
)]
pub(crate) struct MetadataError(String);

impl Mark {
    /// Of a store.
    pub(crate) fn new(store: &str, incarnation: &Incarnation, sequence: u64) -> Self {
        let mut beginning = [0; 8];
        beginning.copy_from_slice(&incarnation[..8]);
        Self { store: store.to_owned(), incarnation: beginning, sequence }
    }

    fn decode(text: &str) -> Option<Self> {
        let (store, rest) = text.split_once('=')?;
        let (incarnation, sequence) = rest.split_once('.')?;
        let canonical = incarnation.len() == 16 && incarnation.bytes().all(|digit| digit.is_ascii_hexdigit());
        let incarnation = canonical.then(|| u64::from_str_radix(incarnation, 16).ok())??;
        Some(Self { store: store.to_owned(), incarnation: incarnation.to_be_bytes(), sequence: sequence.parse().ok()? })
    }
}

impl Metadata {
    /// The most that Kafka takes, unless its `offset.metadata.max.bytes` says otherwise.
    pub(crate) const SIZE_MAX_BYTES: usize = 4_096;

    /// The longest text there can be for a task with these stores, in bytes.
    pub(crate) fn size_max_bytes<'a>(stores: impl Iterator<Item = &'a str>) -> usize {
        // "2:-9223372036854775808:9223372036854775807:", and for each store "=0123456789abcdef.18446744073709551615,".
        43 + stores.map(|store| store.len() + 39).sum::<usize>()
    }

    /// As text for the log.
    pub(crate) fn encode(&self) -> String {
        let Some(Vouched { offset, marks }) = &self.vouched else { return String::new() };
        let time = self.stream_time_ms.map_or_else(String::new, |time| time.to_string());
        let mark =
            |mark: &Mark| format!("{}={:016x}.{}", mark.store, u64::from_be_bytes(mark.incarnation), mark.sequence);
        format!("2:{time}:{offset}:{}", marks.iter().map(mark).collect::<Vec<_>>().join(","))
    }

    /// From the log's text.
    pub(crate) fn decode(text: &str) -> Result<Self, MetadataError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::fields(text).ok_or_else(|| MetadataError(text.chars().take(200).collect()))
    }

    fn fields(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("2:")?.splitn(3, ':');
        let (time, offset, marks) = (fields.next()?, fields.next()?, fields.next()?);
        let stream_time_ms = if time.is_empty() { None } else { Some(time.parse().ok()?) };
        let marks = marks.split(',').filter(|mark| !mark.is_empty()).map(Mark::decode).collect::<Option<_>>()?;
        Some(Self { stream_time_ms, vouched: Some(Vouched { offset: offset.parse().ok()?, marks }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark() -> impl Strategy<Value = Mark> {
        ("[a-zA-Z0-9._-]{1,20}", any::<[u8; 8]>(), any::<u64>()).prop_map(|(store, incarnation, sequence)| Mark {
            store,
            incarnation,
            sequence,
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same_and_is_no_longer_than_foretold(
            stream_time_ms: Option<i64>, offset in 0..=Offset::MAX, marks in prop::collection::vec(mark(), 0..5),
        ) {
            let names: Vec<String> = marks.iter().map(|mark| mark.store.clone()).collect();
            let metadata = Metadata { stream_time_ms, vouched: Some(Vouched { offset, marks }) };
            let text = metadata.encode();
            prop_assert!(text.len() <= Metadata::size_max_bytes(names.iter().map(String::as_str)), "{text}");
            prop_assert_eq!(Metadata::decode(&text), Ok(metadata));
        }

        #[test]
        fn no_text_makes_decoding_panic(text: String, tail in "[0-9a-f:,.=-]{0,40}") {
            let _ = Metadata::decode(&text);
            let _ = Metadata::decode(&format!("2:{tail}"));
        }
    }

    #[test]
    fn another_format_is_refused() {
        for text in ["1", "1:17", "2", "2:17", "2:soon:1:", "2::one:", "2::1:counts", "2::1:counts=12.3", "3::1:"] {
            assert!(Metadata::decode(text).is_err(), "{text}");
        }
        assert!(Metadata::decode("2::1:counts=0123456789abcdef.3").is_ok());
        assert_eq!(Metadata::decode(""), Ok(Metadata::default()));
    }
}
