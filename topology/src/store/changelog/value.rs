//! A value with its event time: the same bytes in a store, in memory and in a changelog.
//!
//! ```text
//! 0               8
//! +---------------+-----------------+
//! | time_ms       | value           |
//! | i64, big end  | any bytes       |
//! +---------------+-----------------+
//! ```

use crate::store::error::{Error, Kind, Result};

/// The event time of a value that was put while there was none.
pub const NO_TIME_MS: i64 = -1;

/// A value, and the event time that it was put with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed<'a> {
    /// When what it says happened, ms since 1970.
    pub time_ms: i64,
    /// The value.
    pub value: &'a [u8],
}

const HEAD_BYTES: usize = 8;

impl<'a> Timed<'a> {
    /// How many bytes stand before the value.
    pub const HEAD_BYTES: usize = HEAD_BYTES;

    /// These bytes.
    pub fn head(time_ms: i64) -> [u8; HEAD_BYTES] {
        time_ms.to_be_bytes()
    }

    /// Reads the bytes drawn above; `None` if there are too few.
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Option<Self> {
        let (head, value) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        Some(Self { time_ms: i64::from_be_bytes(*head), value })
    }

    /// Reads what a store holds.
    #[inline]
    pub(in crate::store) fn decode(store: &str, bytes: &'a [u8]) -> Result<Self> {
        Self::split(bytes).ok_or_else(|| short(store, bytes.len()))
    }
}

#[cold]
fn short(store: &str, size_bytes: usize) -> Error {
    Error::new(
        Kind::Corruption,
        format!(
            "store {store} holds a value of {size_bytes} bytes, too few for its event time: delete the task's directory, its \
             state returns from the changelog"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn time_and_value_come_back_as_they_were(time_ms: i64, value: Vec<u8>) {
            let bytes = [&Timed::head(time_ms)[..], &value].concat();
            prop_assert_eq!(Timed::split(&bytes), Some(Timed { time_ms, value: &value }));
        }
    }

    #[test]
    fn too_few_bytes_are_an_error_that_names_the_store() {
        let error = Timed::decode("counts", &[0; 7]).unwrap_err();
        assert_eq!(error.kind(), Kind::Corruption);
        assert!(error.to_string().contains("store counts") && error.to_string().contains("7 bytes"), "{error}");
    }
}
