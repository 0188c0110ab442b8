//! Validators' key pairs, and sets of them.
//!
//! ```text
//! mod     a key pair, a set of them, and whether a set belongs to a genesis
//! file    the text of a key file
//! lines   what all key files are made of
//! ```
//!
//! Secrets are wiped from memory when dropped, and neither errors nor debug output hold one.

mod file;
pub(crate) mod lines;
#[cfg(test)]
mod tests;

use std::fmt;

use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use hmac::{Hmac, KeyInit, Mac};
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::bls;
use super::roster::Keys;
use crate::chain::genesis::DEFAULT_VALIDATORS;
use crate::chain::{GenesisValidator, ValidatorId};

/// What can be wrong with keys. No variant ever carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a key file.
    #[error("line {line}: expected {expected}; give a file that `cairn keys` wrote")]
    Syntax {
        /// Line number, from 1.
        line: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// Public and secret parts do not belong together.
    #[error(
        "key file: the {field} of validator {id} does not belong to its secret; the file is damaged, restore it from a copy"
    )]
    Damaged {
        /// Whose.
        id: ValidatorId,
        /// Which line.
        field: &'static str,
    },
    /// Two key pairs of one validator.
    #[error("validator {0} has two key pairs; remove one of them")]
    Twice(ValidatorId),
    /// The genesis lists a validator that the key set does not hold.
    #[error("no key for validator {0}, which the genesis lists; give its key file")]
    Missing(ValidatorId),
    /// The key set's key for a validator is not the one in the genesis.
    #[error("the key of validator {0} is not the one in the genesis; give the key file that belongs to this chain")]
    Foreign(ValidatorId),
}

/// The keys of one validator: Ed25519 for headers, BLS for reveals and attestations.
pub struct KeyPair {
    id: ValidatorId,
    ed25519: SigningKey,
    bls: bls::SecretKey,
}

impl KeyPair {
    /// A new pair from `rng`, which must be cryptographically secure: 32 bytes for each key, Ed25519 first. Equal
    /// random streams give equal keys.
    pub fn generate<R: CryptoRng + ?Sized>(id: ValidatorId, rng: &mut R) -> KeyPair {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        let ed25519 = SigningKey::from(*seed);
        loop {
            rng.fill_bytes(seed.as_mut());
            // Always at the first try: the draft's `KeyGen` accepts any 32 bytes.
            if let Some(bls) = bls::SecretKey::from_material(&seed) {
                return KeyPair { id, ed25519, bls };
            }
        }
    }

    /// The same keys once more.
    pub(in crate::consensus) fn duplicate(&self) -> KeyPair {
        KeyPair { id: self.id.clone(), ed25519: self.ed25519, bls: self.bls.duplicate() }
    }

    /// Whose keys these are.
    pub fn id(&self) -> &ValidatorId {
        &self.id
    }

    /// What the genesis lists of this validator, with `stake`.
    pub fn genesis_validator(&self, stake: u64) -> GenesisValidator {
        GenesisValidator {
            id: self.id.clone(),
            ed25519: self.ed25519_public(),
            bls: self.bls.public_key().to_bytes(),
            possession: self.bls.prove_possession().to_bytes(),
            stake,
        }
    }

    /// The public keys.
    pub fn public(&self) -> Keys {
        Keys { id: self.id.clone(), ed25519: VerificationKey::from(&self.ed25519), bls: self.bls.public_key() }
    }

    /// Signs with the Ed25519 key. `message` is one of those in [`super::stake::signing`].
    pub fn sign_ed25519(&self, message: &[u8]) -> [u8; 64] {
        self.ed25519.sign(message).into()
    }

    /// Signs with the BLS key. `message` is one of those in [`super::stake::signing`].
    pub fn sign_bls(&self, message: &[u8]) -> bls::Signature {
        self.bls.sign(message)
    }

    pub(super) fn bls(&self) -> &bls::SecretKey {
        &self.bls
    }

    fn ed25519_public(&self) -> [u8; 32] {
        VerificationKeyBytes::from(&self.ed25519).into()
    }
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.ed25519.zeroize();
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyPair({})", self.id)
    }
}

/// Key pairs of one or several validators, in the order of their ids, one pair for each.
///
/// ```
/// use cairn::consensus::KeySet;
/// use rand::SeedableRng;
///
/// // A seeded generator is for examples and tests; keys that guard anything come from the system's.
/// let mut rng = rand::rngs::StdRng::from_seed([7; 32]);
/// let keys = KeySet::generate(["north", "south"].map(|id| id.parse().unwrap()), &mut rng)?;
/// let text = keys.encode();
/// assert_eq!(KeySet::decode(&text)?.encode(), text);
/// # Ok::<(), cairn::consensus::keys::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct KeySet {
    pairs: Vec<KeyPair>,
}

impl KeySet {
    /// Puts pairs into a set. Errors: two pairs for one id.
    pub fn new(mut pairs: Vec<KeyPair>) -> Result<KeySet, Error> {
        pairs.sort_by(|a, b| a.id.cmp(&b.id));
        match pairs.windows(2).find(|two| two[0].id == two[1].id) {
            Some(two) => Err(Error::Twice(two[0].id.clone())),
            None => Ok(KeySet { pairs }),
        }
    }

    /// Generates a pair for each id, in the order given. Errors: an id given twice.
    pub fn generate<R: CryptoRng + ?Sized>(
        ids: impl IntoIterator<Item = ValidatorId>,
        rng: &mut R,
    ) -> Result<KeySet, Error> {
        KeySet::new(ids.into_iter().map(|id| KeyPair::generate(id, rng)).collect())
    }

    /// The committee of a chain that is given no other: the default validators with new keys from `rng`, and what
    /// the genesis lists of them.
    pub fn default_committee<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<(KeySet, Vec<GenesisValidator>), Error> {
        let (mut pairs, mut listed) = (Vec::new(), Vec::new());
        for (id, stake) in DEFAULT_VALIDATORS {
            let Ok(id) = id.parse() else { continue };
            let pair = KeyPair::generate(id, rng);
            listed.push(pair.genesis_validator(stake));
            pairs.push(pair);
        }
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((KeySet::new(pairs)?, listed))
    }

    /// The pairs, in the order of their ids.
    pub fn pairs(&self) -> &[KeyPair] {
        &self.pairs
    }

    /// Takes the set apart.
    pub fn into_pairs(self) -> Vec<KeyPair> {
        self.pairs
    }

    /// A secret for `purpose` that all share who hold the keys of these validators, and that tells nothing of the keys:
    /// HMAC-SHA256, its key the purpose, of each listed validator's id (length `u32`, bytes) and Ed25519 secret, in the
    /// order of ids. Keys of others do not count.
    ///
    /// ```
    /// # use cairn::consensus::KeySet;
    /// # use rand::SeedableRng;
    /// let (keys, validators) = KeySet::default_committee(&mut rand::rngs::StdRng::from_seed([7; 32]))?;
    /// assert_eq!(keys.shared_secret(&validators, &[1; 64]), keys.shared_secret(&validators, &[1; 64]));
    /// assert_ne!(keys.shared_secret(&validators, &[1; 64]), keys.shared_secret(&validators, &[2; 64]));
    /// # Ok::<(), cairn::consensus::keys::Error>(())
    /// ```
    pub fn shared_secret(&self, validators: &[GenesisValidator], purpose: &[u8; 64]) -> Zeroizing<[u8; 32]> {
        let listed = |pair: &&KeyPair| validators.iter().any(|validator| validator.id == pair.id);
        let mut mac = Hmac::<Sha256>::new(purpose.into());
        for KeyPair { id, ed25519, .. } in self.pairs.iter().filter(listed) {
            mac.update(&(id.as_str().len() as u32).to_le_bytes());
            mac.update(id.as_str().as_bytes());
            mac.update(ed25519.as_bytes());
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Checks that this set holds the key of every validator of a genesis, which a local committee needs. Keys of
    /// others are no error.
    pub fn check_against(&self, validators: &[GenesisValidator]) -> Result<(), Error> {
        for listed in validators {
            let Ok(index) = self.pairs.binary_search_by(|pair| pair.id.cmp(&listed.id)) else {
                return Err(Error::Missing(listed.id.clone()));
            };
            let own = self.pairs[index].genesis_validator(listed.stake);
            if own.ed25519 != listed.ed25519 || own.bls != listed.bls {
                return Err(Error::Foreign(listed.id.clone()));
            }
        }
        Ok(())
    }
}
