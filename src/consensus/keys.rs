//! Validators' key pairs and the text format of key files.
//!
//! ```text
//! cairn-keys 1
//! validator north
//! ed25519-secret <64 hex>     seed of the key that signs headers
//! bls-secret <64 hex>         scalar of the key that reveals, attests and refuses
//! ed25519-public <64 hex>     \
//! bls-public <192 hex>         | not secret: what the genesis lists. Checked against the secrets on reading,
//! possession <96 hex>         /  so that a damaged file is noticed before it signs
//! end
//! validator east
//! ...
//! ```
//!
//! Blank lines and lines that start with `#` are skipped. One file holds one validator's keys or a whole committee's.
//! Whoever writes the file gives it mode 0600. Secrets are wiped from memory when dropped.

use std::fmt;

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::bls;
use crate::chain::genesis::DEFAULT_VALIDATORS;
use crate::chain::{GenesisValidator, ValidatorId, hex_array};

const MAGIC: &str = "cairn-keys 1";

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
    /// A new pair from `rng`, which must be cryptographically secure: 32 bytes for each key, Ed25519 first. Equal random
    /// streams give equal keys.
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

    /// Signs with the Ed25519 key. `message` is one of those in [`super::message`].
    pub fn sign_ed25519(&self, message: &[u8]) -> [u8; 64] {
        self.ed25519.sign(message).into()
    }

    /// Signs with the BLS key. `message` is one of those in [`super::message`].
    pub fn sign_bls(&self, message: &[u8]) -> bls::Signature {
        self.bls.sign(message)
    }

    pub(super) fn bls(&self) -> &bls::SecretKey {
        &self.bls
    }

    fn ed25519_public(&self) -> [u8; 32] {
        VerificationKeyBytes::from(&self.ed25519).into()
    }

    fn encode(&self, text: &mut String) {
        let public = self.genesis_validator(0);
        text.push_str("validator ");
        text.push_str(&self.id.to_string());
        for (name, bytes) in [
            ("ed25519-secret", self.ed25519.as_bytes().as_slice()),
            ("bls-secret", self.bls.to_bytes().as_slice()),
            ("ed25519-public", public.ed25519.as_slice()),
            ("bls-public", public.bls.as_slice()),
            ("possession", public.possession.as_slice()),
        ] {
            text.push('\n');
            text.push_str(name);
            text.push(' ');
            text.extend(bytes.iter().flat_map(|byte| hex_array::digits(*byte)).map(char::from));
        }
        text.push_str("\nend\n");
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

    /// The committee of a chain for which nobody gives another: the default validators with new keys from `rng`, and what
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

    /// Checks that this set holds the key of every validator of a genesis, which a local committee needs. Keys of others
    /// are no error.
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

    /// The text of a key file. The buffer is wiped when dropped.
    pub fn encode(&self) -> Zeroizing<String> {
        // Reserved in full: a buffer that grew would leave copies of secrets behind.
        let size_bytes = self.pairs.iter().map(|pair| 640 + pair.id.to_string().len()).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(256 + size_bytes));
        text.push_str(MAGIC);
        text.push_str("\n# SECRET: whoever reads this file can sign as these validators. Keep it at mode 0600.\n");
        for pair in &self.pairs {
            pair.encode(&mut text);
        }
        text
    }

    /// Reads the text of a key file. Errors name the line and what to do, and hold no secret.
    pub fn decode(text: &str) -> Result<KeySet, Error> {
        let mut lines = Lines { lines: text.lines(), line: 0 };
        match lines.next() {
            Some(MAGIC) => {}
            _ => return Err(lines.expected("`cairn-keys 1`")),
        }
        let mut pairs = Vec::new();
        while let Some(line) = lines.next() {
            let id = line.strip_prefix("validator ").and_then(|id| id.parse().ok());
            let id = id.ok_or_else(|| lines.expected("`validator` and its id"))?;
            pairs.push(decode_pair(id, &mut lines)?);
        }
        if pairs.is_empty() {
            return Err(lines.expected("`validator` and its id"));
        }
        KeySet::new(pairs)
    }
}

fn decode_pair(id: ValidatorId, lines: &mut Lines<'_>) -> Result<KeyPair, Error> {
    let seed = Zeroizing::new(lines.hex::<32>("ed25519-secret", "`ed25519-secret` and 64 hexadecimal digits")?);
    let scalar = Zeroizing::new(lines.hex::<32>("bls-secret", "`bls-secret` and 64 hexadecimal digits")?);
    let bls = bls::SecretKey::from_bytes(&scalar).ok_or_else(|| lines.expected("a BLS12-381 scalar"))?;
    let pair = KeyPair { id, ed25519: SigningKey::from(*seed), bls };
    let ed25519_public = lines.hex::<32>("ed25519-public", "`ed25519-public` and 64 hexadecimal digits")?;
    let bls_public = lines.hex::<96>("bls-public", "`bls-public` and 192 hexadecimal digits")?;
    let possession = lines.hex::<48>("possession", "`possession` and 96 hexadecimal digits")?;
    if lines.next() != Some("end") {
        return Err(lines.expected("`end`"));
    }
    let own = pair.genesis_validator(0);
    for (field, belongs) in [
        ("ed25519-public", own.ed25519 == ed25519_public),
        ("bls-public", own.bls == bls_public),
        ("possession", own.possession == possession),
    ] {
        if !belongs {
            return Err(Error::Damaged { id: pair.id.clone(), field });
        }
    }
    Ok(pair)
}

/// The lines that say something, with the number of the last one read.
struct Lines<'t> {
    lines: std::str::Lines<'t>,
    line: usize,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Option<&'t str> {
        loop {
            self.line += 1;
            let line = self.lines.next()?.trim();
            if !line.is_empty() && !line.starts_with('#') {
                return Some(line);
            }
        }
    }

    fn hex<const N: usize>(&mut self, field: &str, expected: &'static str) -> Result<[u8; N], Error> {
        let digits = self.next().and_then(|line| line.strip_prefix(field)).and_then(|rest| rest.strip_prefix(' '));
        let mut bytes = [0; N];
        match digits.map(|digits| hex::decode_to_slice(digits, &mut bytes)) {
            Some(Ok(())) => Ok(bytes),
            _ => Err(self.expected(expected)),
        }
    }

    fn expected(&self, expected: &'static str) -> Error {
        Error::Syntax { line: self.line, expected }
    }
}

#[cfg(test)]
mod tests;
