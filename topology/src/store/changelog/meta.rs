//! What a store knows of itself: where in its changelog it stands, and whose it is.

use super::covered::Covered;
use crate::log::Offset;
use crate::store::error::{Error, Kind, Result};

/// Which application the state belongs to; all zero where the application names none.
pub type Fingerprint = [u8; 32];

/// A random id, the changelog topic's first record: a topic deleted and made again has another one.
pub type Incarnation = [u8; 16];

/// Where a store stands in its changelog. It is written in the same batch as the data it speaks of.
///
/// ```text
/// 0        1              33             49             57              65
/// +--------+--------------+--------------+--------------+---------------+-----------------+
/// | format | fingerprint  | incarnation  | position     | applied_at_ms | covered         |
/// | 0x03   | 32 bytes     | 16 bytes     | i64, big end | i64, big end  | see [`Covered`] |
/// +--------+--------------+--------------+--------------+---------------+-----------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Whose state this is.
    pub fingerprint: Fingerprint,
    /// Of which changelog `position` is an offset.
    pub incarnation: Incarnation,
    /// Every committed changelog record below this offset is in the store, and none at or above it.
    pub position: Offset,
    /// As of this wall clock time (ms since 1970) the store held its whole changelog; while a restore is under way,
    /// when it began to read. Tombstones younger than this are certain to be found when reading on from `position`.
    pub applied_at_ms: i64,
    /// As of `position`: which input the state is made from.
    pub covered: Covered,
}

const FORMAT: u8 = 3;

impl Meta {
    /// How many bytes an encoded meta has without what it covers.
    pub const SIZE_BYTES: usize = 65;

    /// The bytes drawn above.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * Self::SIZE_BYTES);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&self.incarnation);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(&self.applied_at_ms.to_be_bytes());
        self.covered.encode(&mut bytes);
        bytes
    }

    /// Reads the bytes of `store`'s meta. Another format, and any other damage, is refused.
    pub fn decode(store: &str, bytes: &[u8]) -> Result<Self> {
        match bytes.first() {
            Some(&FORMAT) => {}
            Some(format) => {
                return Err(Error::new(
                    Kind::UnknownFormat,
                    format!(
                        "store {store} was written in format {format}, this version knows {FORMAT}: run the version \
                         that wrote it, or delete the task's directory to restore it from its changelog"
                    ),
                ));
            }
            None => return Err(damaged(store, bytes)),
        }
        Self::fields(bytes).ok_or_else(|| damaged(store, bytes))
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first_chunk::<1>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (incarnation, rest) = rest.split_first_chunk::<16>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (applied_at_ms, rest) = rest.split_first_chunk::<8>()?;
        let position = Offset::from_be_bytes(*position);
        let covered = Covered::decode(rest)?;
        (position >= 0).then_some(Self {
            fingerprint: *fingerprint,
            incarnation: *incarnation,
            position,
            applied_at_ms: i64::from_be_bytes(*applied_at_ms),
            covered,
        })
    }
}

fn damaged(store: &str, bytes: &[u8]) -> Error {
    Error::new(
        Kind::Corruption,
        format!(
            "the position of store {store} is damaged ({} bytes): delete the task's directory, its state returns from \
             the changelog",
            bytes.len()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicPartition;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(
            fingerprint: [u8; 32], incarnation: [u8; 16], position in 0..i64::MAX, applied_at_ms: i64, sequence: u64,
        ) {
            let covered = Covered { sequence, inputs: vec![(TopicPartition::new("in", 3), position)] };
            let meta = Meta { fingerprint, incarnation, position, applied_at_ms, covered };
            prop_assert_eq!(Meta::decode("s", &meta.encode()), Ok(meta));
        }

        #[test]
        fn no_bytes_make_decoding_panic_and_only_whole_ones_decode(bytes in prop::collection::vec(0u8..3, 0..90)) {
            if let Ok(meta) = Meta::decode("s", &bytes) {
                prop_assert_eq!(&meta.encode()[..], &bytes[..]);
            }
        }
    }

    #[test]
    fn an_unknown_format_is_refused_by_name() {
        let covered = Covered::default();
        let meta = Meta { fingerprint: [1; 32], incarnation: [2; 16], position: 3, applied_at_ms: 4, covered };
        let mut bytes = meta.encode();
        bytes[0] = 9;
        let error = Meta::decode("counts", &bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownFormat);
        assert!(error.to_string().contains("counts") && error.to_string().contains("format 9"), "{error}");
    }
}
