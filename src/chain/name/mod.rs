//! Names of accounts, ids and memos of transactions: text within bounds.
//!
//! `characters` decides which characters stand in a name or an id. It alone uses tables of Unicode.

mod characters;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use super::encoding::invalid;
use super::hex_array;

pub use characters::{Forbidden, UNICODE_VERSION};

/// Why a text is no [`Name`], [`Id`] or [`Memo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No characters at all.
    #[error("it is empty")]
    Empty,
    /// More bytes of UTF-8 than allowed.
    #[error("it has {size_bytes} bytes, at most {size_bytes_max} are allowed")]
    TooLong {
        /// How many it has.
        size_bytes: usize,
        /// How many are allowed.
        size_bytes_max: usize,
    },
    /// A character of the Unicode category Cc: U+0000 to U+001F, U+007F to U+009F.
    #[error("it contains the control character U+{:04X} at byte {position_bytes}: remove it", u32::from(*.character))]
    ControlCharacter {
        /// The first one.
        character: char,
        /// Where it stands, in bytes of UTF-8 from the beginning of the text.
        position_bytes: usize,
    },
    /// A character that cannot be seen, or that means nothing or different things to different readers.
    #[error("it contains U+{:04X} at byte {position_bytes}, {reason}: remove it", u32::from(*.character))]
    ForbiddenCharacter {
        /// The first one.
        character: char,
        /// Where it stands, in bytes of UTF-8 from the beginning of the text.
        position_bytes: usize,
        /// Why it is forbidden.
        reason: Forbidden,
    },
    /// Not in Unicode normalization form C: a text that looks the same is written with other characters.
    #[error(
        "it is not in Unicode normalization form C, which has U+{:04X} at byte {position_bytes} where this has \
         U+{:04X}: normalize it to NFC",
        u32::from(*.expected),
        u32::from(*.found)
    )]
    NotNormalized {
        /// The first character that is not as in form C.
        found: char,
        /// What form C has in its place.
        expected: char,
        /// Where it stands, in bytes of UTF-8 from the beginning of the text.
        position_bytes: usize,
    },
    /// `ed25519:` is not followed by exactly 64 lower-case hex digits.
    #[error("`ed25519:` must be followed by exactly 64 lower-case hex digits")]
    BadKey,
}

fn check(text: &str, size_bytes_max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > size_bytes_max {
        return Err(TextError::TooLong { size_bytes: text.len(), size_bytes_max });
    }
    characters::check(text)
}

/// Gives a text newtype its conversions; decoding goes through `new`, so that no value out of bounds exists.
macro_rules! text {
    ($name:ident, $what:literal) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text's UTF-8, by which it is ordered, compared and hashed, exactly as it was given.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl borsh::BorshSerialize for $name {
            fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
                borsh::BorshSerialize::serialize(&*self.0, writer)
            }
        }

        impl borsh::BorshDeserialize for $name {
            fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
                let text = String::deserialize_reader(reader)?;
                Self::new(&text).map_err(|error| invalid(format_args!(concat!($what, ": {}"), error)))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(|error| E::custom(format_args!(concat!($what, ": {}"), error)))
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

/// The name of an account: 1 to 128 bytes of UTF-8 in Unicode normalization form C, without control characters and
/// without those that are [`Forbidden`].
///
/// Text is checked, never changed: the sender of a name that is not normalized is told so. A name that starts with `$`
/// belongs to the system; rules for transfers refuse it. A name `ed25519:<64 hex>` is a keyed account: only that key's
/// signature moves its balance.
///
/// ```
/// use cairn::chain::Name;
/// let alice: Name = "alice".parse()?;
/// assert!(!alice.is_system() && alice.public_key().is_none());
/// assert_eq!(Name::keyed(&[0xab; 32]).public_key(), Some([0xab; 32]));
/// assert!("ed25519:abc".parse::<Name>().is_err());
/// assert!("zoe\u{301}".parse::<Name>().is_err(), "an e and an accent: form C has an é");
/// # Ok::<(), cairn::chain::TextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// The longest name, in bytes of UTF-8.
    pub const SIZE_BYTES_MAX: usize = 128;
    /// How the name of a keyed account starts.
    pub const KEYED_PREFIX: &str = "ed25519:";
    /// How a name of the system starts.
    pub const SYSTEM_PREFIX: char = '$';

    /// The name, if the text is one.
    pub fn new(text: &str) -> Result<Self, TextError> {
        check(text, Self::SIZE_BYTES_MAX)?;
        if let Some(key) = text.strip_prefix(Self::KEYED_PREFIX) {
            hex_array::decode::<32>(key).ok_or(TextError::BadKey)?;
        }
        Ok(Self(text.into()))
    }

    /// The keyed account of a public key.
    #[must_use]
    pub fn keyed(public_key: &[u8; 32]) -> Self {
        Self(format!("{}{}", Self::KEYED_PREFIX, hex_array::encode(public_key)).into())
    }

    /// Whether the name is the system's.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with(Self::SYSTEM_PREFIX)
    }

    /// The public key of a keyed account.
    #[must_use]
    pub fn public_key(&self) -> Option<[u8; 32]> {
        self.0.strip_prefix(Self::KEYED_PREFIX).and_then(hex_array::decode)
    }
}

text!(Name, "a name");

/// The id a sender gives to a transaction: 1 to 128 bytes of UTF-8 with the characters of a [`Name`], in form C too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// The longest id, in bytes of UTF-8.
    pub const SIZE_BYTES_MAX: usize = 128;

    /// The id, if the text is one.
    pub fn new(text: &str) -> Result<Self, TextError> {
        check(text, Self::SIZE_BYTES_MAX).map(|()| Self(text.into()))
    }
}

text!(Id, "an id");

/// What a sender wants to be kept with a transaction: 0 to 256 bytes of UTF-8, any characters, normalized or not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memo(Box<str>);

impl Memo {
    /// The longest memo, in bytes of UTF-8.
    pub const SIZE_BYTES_MAX: usize = 256;

    /// The memo, if the text is one.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.len() > Self::SIZE_BYTES_MAX {
            return Err(TextError::TooLong { size_bytes: text.len(), size_bytes_max: Self::SIZE_BYTES_MAX });
        }
        Ok(Self(text.into()))
    }
}

text!(Memo, "a memo");
