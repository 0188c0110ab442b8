//! Who validates: ids, the set and its hash, the bitmap of signers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::encoding::{invalid, to_canonical};
use super::hash::{Domain, Hash, hash};

/// The id of a validator: 1 to 64 characters of `a-z 0-9 . _ -`. Validators are ordered by the bytes of their ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidatorId(Arc<str>);

/// The text is not the id of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a validator's id is 1 to 64 characters of a-z 0-9 . _ -")]
pub struct ParseValidatorIdError;

impl ValidatorId {
    /// The longest id, in bytes.
    pub const SIZE_BYTES_MAX: usize = 64;

    /// The id, if the text is one.
    pub fn new(text: &str) -> Result<Self, ParseValidatorIdError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::SIZE_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(ParseValidatorIdError);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ValidatorId {
    type Err = ParseValidatorIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl BorshSerialize for ValidatorId {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        borsh::BorshSerialize::serialize(&*self.0, writer)
    }
}

impl BorshDeserialize for ValidatorId {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::new(&String::deserialize_reader(reader)?).map_err(invalid)
    }
}

impl Serialize for ValidatorId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ValidatorId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

/// A member of the validator set, as the header's `validators` hash covers it. A slashed validator stays in the
/// set with stake 0, so that the places of the others, by which a [`Bitmap`] names them, do not move.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// Its id.
    pub id: ValidatorId,
    /// The key it signs proposals with.
    pub ed25519: [u8; 32],
    /// The key of its reveals and attestations (BLS12-381 G2, compressed).
    pub bls: [u8; 96],
    /// Its stake in minor units; 0 once slashed.
    pub stake: u64,
}

/// The hash of a validator set: `hash(Validators, canonical bytes of the list)`, in the order of ids.
#[must_use]
pub fn validators_hash(members: &[Member]) -> Hash {
    hash(Domain::Validators, &[&to_canonical(members)])
}

/// A set of validators by their place in the set: bit `place % 8` (least significant first) of byte `place / 8`.
/// The last byte is never zero, so that a set has one encoding. Hex in JSON.
///
/// ```
/// use cairn::chain::Bitmap;
/// let signers: Bitmap = [0, 3, 9].into_iter().collect();
/// assert_eq!(signers.as_bytes(), &[0b0000_1001, 0b0000_0010]);
/// assert_eq!(signers.places().collect::<Vec<_>>(), [0, 3, 9]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, BorshSerialize)]
pub struct Bitmap(Vec<u8>);

impl Bitmap {
    /// The bytes, if the last one is not zero.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.last() != Some(&0)).then_some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a place.
    pub fn insert(&mut self, place: u16) {
        let byte = usize::from(place / 8);
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (place % 8);
    }

    /// Whether a place is in the set.
    #[must_use]
    pub fn contains(&self, place: usize) -> bool {
        self.0.get(place / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0)
    }

    /// The places in the set, ascending.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 8).filter(|place| self.contains(*place))
    }

    /// How many places are in the set.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }
}

impl FromIterator<u16> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u16>>(places: I) -> Self {
        let mut bitmap = Self::default();
        places.into_iter().for_each(|place| bitmap.insert(place));
        bitmap
    }
}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.places()).finish()
    }
}

const TRAILING: &str = "the last byte of a bitmap is not zero";

impl BorshDeserialize for Bitmap {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::from_bytes(Vec::deserialize_reader(reader)?).ok_or_else(|| invalid(TRAILING))
    }
}
