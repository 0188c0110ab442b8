//! SHA-256 with a domain tag per kind of thing hashed.
//!
//! ```text
//! hash(domain, parts) = SHA-256( tag: 16 bytes of ASCII, padded with zeros || part || part || .. )
//! ```
//!
//! Tags have one length, so no tagged input is the beginning of another. None starts with 0x00 or 0x01, the
//! prefixes of Merkle leaves and nodes.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use super::hex_array;

/// The number of bytes of a domain tag.
pub const TAG_SIZE_BYTES: usize = 16;

/// A SHA-256 digest: 64 lower-case hex digits in JSON and in print, 32 raw bytes in the canonical encoding.
///
/// ```
/// use cairn::chain::Hash;
/// let hash = Hash::of(b"abc");
/// assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// 32 zero bytes: what is written where there is nothing to hash (a null key, a null value).
    pub const ZERO: Hash = Hash([0; 32]);

    /// Plain SHA-256 without a tag, as `sha256sum` prints it. For bytes that came from outside.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Plain SHA-256 of what is there; [`Hash::ZERO`] for null. (Empty bytes have a hash, null has none.)
    #[must_use]
    pub fn of_nullable(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::ZERO, Self::of)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hex digits")]
pub struct ParseHashError;

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex_array::decode(text).map(Self).ok_or(ParseHashError)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex_array::serialize(&self.0, serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex_array::deserialize(deserializer).map(Self)
    }
}

/// Declares what is hashed or signed, each with its tag: ASCII, padded with zeros to [`TAG_SIZE_BYTES`].
macro_rules! domains {
    ($($(#[$doc:meta])* $domain:ident => $tag:literal,)+) => {
        /// What is hashed or signed. A tag is never given a second meaning; a changed layout gets a new one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Domain { $($(#[$doc])* $domain,)+ }

        impl Domain {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$domain,)+];

            /// The tag: ASCII, padded with zeros to [`TAG_SIZE_BYTES`].
            #[must_use]
            pub const fn tag(self) -> &'static [u8; TAG_SIZE_BYTES] {
                match self { $(Self::$domain => $tag,)+ }
            }
        }
    };
}

domains! {
    /// The header: its hash is the block's hash.
    Header => b"cairn/header/1\0\0",
    /// The whole genesis.
    Genesis => b"cairn/genesis/1\0",
    /// The chain parameters.
    Parameters => b"cairn/params/1\0\0",
    /// The validator set.
    Validators => b"cairn/vals/1\0\0\0\0",
    /// The body of a transaction: everything but its authorization.
    Body => b"cairn/body/1\0\0\0\0",
    /// What an account signs.
    Transaction => b"cairn/tx/1\0\0\0\0\0\0",
    /// What a proposer signs (Ed25519).
    Proposal => b"cairn/propose/1\0",
    /// What an attesting validator signs (BLS).
    Attestation => b"cairn/attest/1\0\0",
    /// What a refusing validator signs (BLS).
    Refusal => b"cairn/refuse/1\0\0",
    /// What a proposer signs as its reveal (BLS).
    Reveal => b"cairn/reveal/1\0\0",
    /// The draw of a proposer.
    Draw => b"cairn/draw/1\0\0\0\0",
    /// The seed of the next height.
    Seed => b"cairn/seed/1\0\0\0\0",
    /// Evidence: its identity.
    Evidence => b"cairn/evidence/1",
    /// A proof of work over a header.
    Work => b"cairn/work/1\0\0\0\0",
    /// A leaf of the state tree.
    StateLeaf => b"cairn/s-leaf/1\0\0",
    /// An inner node of the state tree.
    StateNode => b"cairn/s-node/1\0\0",
    /// The path of a key in the state tree.
    StateKey => b"cairn/s-key/1\0\0\0",
}

impl Domain {
    /// What a validator signs about a hash: the tag, then the hash.
    #[must_use]
    pub fn message(self, hash: &Hash) -> [u8; TAG_SIZE_BYTES + 32] {
        let mut message = [0; TAG_SIZE_BYTES + 32];
        message[..TAG_SIZE_BYTES].copy_from_slice(self.tag());
        message[TAG_SIZE_BYTES..].copy_from_slice(&hash.0);
        message
    }
}

/// SHA-256 over the domain's tag and the parts, one after the other. Parts carry no lengths: the caller sees to
/// it that their concatenation can be read in one way only (fixed sizes, or the canonical encoding).
#[must_use]
pub fn hash(domain: Domain, parts: &[&[u8]]) -> Hash {
    let mut state = Sha256::new();
    state.update(domain.tag());
    for part in parts {
        state.update(part);
    }
    Hash(state.finalize().into())
}
