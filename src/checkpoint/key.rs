//! Keys that sign checkpoints, and how others know them.
//!
//! ```text
//! verifier key    <name>+<key id, 8 lower-case hex digits>+<base64( kind, 1 byte | public key, 32 bytes )>
//! key id          the first 4 bytes of SHA-256( name | \n | kind | public key ), big-endian
//!
//! kind   signature                                   over
//! 0x01   Ed25519, 64 bytes                           text
//! 0x04   seconds since 1970, u64 big-endian          "cosignature/v1\n" | "time " | seconds in decimal | \n | text
//!        | Ed25519, 64 bytes
//! ```

use std::fmt;
use std::str::FromStr;

use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes};
use zeroize::Zeroize;

use super::error::{Error, Result};
use super::note::{NoteSignature, SignedNote};
use super::text;
use crate::chain::Hash;

/// What a key says with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The log's own: this is my checkpoint (`0x01`, Ed25519 of signed-note).
    Log,
    /// A witness': at this time it is the largest one that I know of this log, and it is consistent with all before
    /// (`0x04`, cosignature/v1).
    Witness,
}

impl Role {
    const ALL: [Self; 2] = [Self::Log, Self::Witness];

    /// The kind of signature, as C2SP numbers them.
    #[must_use]
    pub fn kind(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// A public key with its name: what others must have of a signer to verify what it signs.
///
/// ```
/// use cairn::checkpoint::VerifierKey;
/// let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
/// let key: VerifierKey = text.parse().unwrap();
/// assert_eq!((key.name(), key.to_string().as_str()), ("example.com/foo", text));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    role: Role,
    public_key: VerificationKey,
}

impl VerifierKey {
    /// Of its parts.
    pub fn new(name: &str, role: Role, public_key: [u8; 32]) -> Result<Self> {
        // Names are told at terminals. A note may have lines with any name; this one is of a key that is used here.
        if !text::is_key_name(name) || name.contains(char::is_control) || name.len() > text::NAME_BYTES_MAX {
            return Err(Error::new(
                "the name of a key has 1 to 255 bytes, and neither space, control characters nor plus sign",
            ));
        }
        let public_key = VerificationKey::try_from(public_key)
            .map_err(|_| Error::new("the public key is none of Ed25519: it is no point of the curve"))?;
        Ok(Self { name: name.to_owned(), role, public_key })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says with its signature.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The public key alone: two with the same one are the same signer, whatever their names.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key.into()
    }

    /// What stands for the key in a signature line, beside the name.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        let bytes = [self.name.as_bytes(), b"\n", &[self.role.kind()], &self.public_key()].concat();
        let [a, b, c, d, ..] = Hash::of(&bytes).0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// When the key signed the note, in seconds since 1970 UTC: of a log's key, which tells no time, 0. `None`: it did
    /// not sign. An error: a line names the key and is not its signature over this text.
    pub fn signed_at(&self, note: &SignedNote) -> Result<Option<u64>> {
        let key_id = self.key_id();
        let own = note.signatures().iter().filter(|line| line.name == self.name && line.key_id == key_id);
        let mut signed_at = None;
        for line in own {
            let time_s = self.verify(note.text(), &line.bytes).ok_or_else(|| {
                Error::new(format!("the signature in the name of {} does not verify: the file was altered", self.name))
            })?;
            signed_at = signed_at.max(Some(time_s));
        }
        Ok(signed_at)
    }

    fn verify(&self, text: &str, bytes: &[u8]) -> Option<u64> {
        let (time_s, signature) = match self.role {
            Role::Log => (0, bytes),
            Role::Witness => {
                let (time, signature) = bytes.split_first_chunk()?;
                (u64::from_be_bytes(*time), signature)
            }
        };
        // C2SP has seconds up to 2^63 - 1.
        i64::try_from(time_s).ok()?;
        let signature = Signature::from_bytes(signature.try_into().ok()?);
        self.public_key.verify(&signature, &message(self.role, text, time_s)).is_ok().then_some(time_s)
    }
}

/// What is signed.
fn message(role: Role, text: &str, time_s: u64) -> Vec<u8> {
    match role {
        Role::Log => text.as_bytes().to_vec(),
        Role::Witness => format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes(),
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.role.kind()], &self.public_key()[..]].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.key_id(), text::base64(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = || Error::new("a verifier key is `<name>+<8 hex digits>+<base64>`, as `cairn keys` prints it");
        let (name, rest) = text.split_once('+').ok_or_else(form)?;
        let (key_id, key) = rest.split_once('+').ok_or_else(form)?;
        let key = text::from_base64(key).ok_or_else(form)?;
        let (kind, public_key) = key.split_first().ok_or_else(form)?;
        let role = Role::ALL.into_iter().find(|role| role.kind() == *kind).ok_or_else(|| {
            Error::new(format!(
                "its signatures are of kind {kind:#04x}, and this program verifies 0x01 (Ed25519) and 0x04 (cosignature/v1)"
            ))
        })?;
        let public_key = public_key.try_into().map_err(|_| Error::new("an Ed25519 key has 32 bytes"))?;
        let key = Self::new(name, role, public_key)?;
        if key_id != format!("{:08x}", key.key_id()) {
            return Err(Error::new(
                "its key id is not that of its name and its key: a character is missing or altered",
            ));
        }
        Ok(key)
    }
}

/// A key that signs. Its secret is wiped from memory when dropped.
pub struct Signer {
    verifier: VerifierKey,
    secret: SigningKey,
}

impl Signer {
    /// Of the 32 bytes that are the secret, and must stay with its owner.
    pub fn new(name: &str, role: Role, secret: [u8; 32]) -> Result<Self> {
        let secret = SigningKey::from(secret);
        let verifier = VerifierKey::new(name, role, VerificationKeyBytes::from(&secret).into())?;
        Ok(Self { verifier, secret })
    }

    /// What others verify its signatures with.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The secret, for its file.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// Signs a note. Whether it may be signed is not asked here: [`SignerState`](super::SignerState) knows. A log's
    /// signature tells no time.
    #[must_use]
    pub fn sign(&self, note: &SignedNote, time_s: u64) -> NoteSignature {
        let role = self.verifier.role;
        let signature = self.secret.sign(&message(role, note.text(), time_s)).to_bytes();
        let bytes = match role {
            Role::Log => signature.to_vec(),
            Role::Witness => [&time_s.to_be_bytes(), &signature[..]].concat(),
        };
        NoteSignature { name: self.verifier.name.clone(), key_id: self.verifier.key_id(), bytes }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}
