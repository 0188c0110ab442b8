//! The key of an account, its file, and what is signed with it.
//!
//! ```text
//! cairn-account 1
//! # ed25519:<64 hex>                the account's name
//! ed25519-secret <64 hex>
//! ed25519-public <64 hex>           not secret; checked against the secret on reading, so that a damaged file is noticed
//! end
//! ```
//! Blank lines and lines that start with `#` are skipped. Secrets are wiped from memory when dropped.
//!
//! What a validator has earned lies on an account that its key can send from; so a key file of validators can be read,
//! too.

use std::path::Path;

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use zeroize::{Zeroize, Zeroizing};

use super::{Error, Result, key_file, private_file};
use crate::chain::transaction::Authorization;
use crate::chain::{Hash, Name, Transaction};
use crate::consensus::keys::lines::{Lines, push_hex};
use crate::consensus::{KeyPair, KeySet};

const MAGIC: &str = "cairn-account 1";

/// An account and the key that speaks for it.
pub struct AccountKey {
    name: Name,
    public_key: [u8; 32],
    secret: Secret,
}

enum Secret {
    Own(SigningKey),
    Validator(KeyPair),
}

impl AccountKey {
    /// A new account with a key from `rng`, which must be cryptographically secure.
    pub fn generate(rng: &mut impl rand::CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::of_key(SigningKey::from(*seed))
    }

    fn of_key(key: SigningKey) -> Self {
        let public_key = VerificationKeyBytes::from(&key).into();
        Self { name: Name::keyed(&public_key), public_key, secret: Secret::Own(key) }
    }

    /// The account's name: `ed25519:<key>`, or `$<validator id>`.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The public key that signatures are checked with.
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The transaction, signed for the chain of a genesis.
    #[must_use]
    pub fn sign(&self, mut transaction: Transaction, genesis: &Hash) -> Transaction {
        let message = transaction.signing_bytes(genesis, &self.public_key);
        let signature = match &self.secret {
            Secret::Own(key) => key.sign(&message).to_bytes(),
            Secret::Validator(pair) => pair.sign_ed25519(&message),
        };
        transaction.authorization = Some(Authorization { public_key: self.public_key, signature });
        transaction
    }

    /// Writes a new file, with mode 0600.
    pub fn write_new(&self, path: &Path) -> Result<()> {
        match &self.secret {
            Secret::Own(key) => private_file::write_new(path, encode(&self.name, key).as_bytes()),
            Secret::Validator(_) => Err(Error::new("a validator's key is written with those of its committee")),
        }
    }

    /// Reads a key file of an account, or of validators. `from` says which account of it is meant; it may be left out
    /// where there is one only.
    pub fn read(path: &Path, from: Option<&Name>) -> Result<Self> {
        let text = key_file::read_text(path)?;
        let account = if is_account(&text) {
            decode(&text)
        } else {
            // Most people who name another file mean one of these.
            of_validators(&text, from)
        };
        let account = account.map_err(|what| Error::new(format!("{}: {what}", path.display())))?;
        match from {
            Some(from) if *from != account.name => Err(Error::new(format!(
                "{} holds the key of {}, which cannot speak for {from}: leave --from out, or give the key file of {from}",
                path.display(),
                account.name
            ))),
            _ => Ok(account),
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if let Self::Own(key) = self {
            key.zeroize();
        }
    }
}

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountKey({})", self.name)
    }
}

/// Whether a file is the key file of an account, and not of validators.
pub fn is_in(path: &Path) -> Result<bool> {
    Ok(is_account(&key_file::read_text(path)?))
}

fn is_account(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.trim() == MAGIC)
}

fn encode(name: &Name, key: &SigningKey) -> Zeroizing<String> {
    // Reserved in full: a buffer that grew would leave copies of secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(1_024));
    text.push_str(MAGIC);
    text.push_str("\n# SECRET: a reader of this file can spend what the account holds. Keep it at mode 0600.\n# ");
    text.push_str(name.as_str());
    text.push('\n');
    let public: [u8; 32] = VerificationKeyBytes::from(key).into();
    push_hex(&mut text, "ed25519-secret", key.as_bytes());
    push_hex(&mut text, "ed25519-public", &public);
    text.push_str("end\n");
    text
}

fn decode(text: &str) -> Result<AccountKey, String> {
    let mut lines = Lines::of(text);
    // Its first line says what it is; the caller has looked.
    lines.next();
    let mut bytes = |field: &str| {
        lines.hex::<32>(field).ok_or_else(|| {
            format!("`{field}` and 64 hexadecimal digits are missing; give a file that `cairn keys --account` wrote")
        })
    };
    let (secret, public) = (bytes("ed25519-secret")?, bytes("ed25519-public")?);
    if lines.next() != Some("end") || lines.next().is_some() {
        return Err("does not end with `end`: the file is cut off or damaged; restore it from a copy".to_owned());
    }
    let account = AccountKey::of_key(SigningKey::from(*secret));
    if account.public_key != *public {
        return Err(
            "the public key does not belong to the secret: the file is damaged; restore it from a copy".to_owned()
        );
    }
    Ok(account)
}

fn of_validators(text: &str, from: Option<&Name>) -> Result<AccountKey, String> {
    let keys = KeySet::decode(text)
        .map_err(|error| format!("neither the key file of an account (`{MAGIC}`) nor of validators: {error}"))?;
    let named = |pair: &KeyPair| format!("{}{}", Name::SYSTEM_PREFIX, pair.id());
    let names: Vec<String> = keys.pairs().iter().map(named).collect();
    let mut meant = keys.into_pairs();
    meant.retain(|pair| from.is_none_or(|from| from.as_str() == named(pair)));
    match (meant.pop(), meant.is_empty()) {
        (Some(pair), true) => {
            let name = Name::new(&named(&pair)).map_err(|error| format!("{}: {error}", named(&pair)))?;
            Ok(AccountKey { name, public_key: pair.genesis_validator(0).ed25519, secret: Secret::Validator(pair) })
        }
        (None, _) => {
            Err(format!("it holds the keys of {}, and of no other: name one of them with --from", names.join(", ")))
        }
        _ => Err(format!("it holds the keys of {}: say with --from which of them sends", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::chain::Amount;

    const GENESIS: Hash = Hash([3; 32]);

    fn account() -> AccountKey {
        AccountKey::generate(&mut StdRng::from_seed([5; 32]))
    }

    fn transfer(account: &AccountKey) -> Transaction {
        Transaction::transfer(account.name().clone(), "bob".parse().unwrap(), Amount::new(3).unwrap())
    }

    #[test]
    fn a_key_file_reads_back_and_signs_as_its_account() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice.key");
        account().write_new(&path).unwrap();
        let read = AccountKey::read(&path, None).unwrap();
        assert_eq!((read.name(), read.name().public_key()), (account().name(), Some(read.public_key())));
        let signed = read.sign(transfer(&read), &GENESIS);
        assert_eq!(signed.verify_signature(&GENESIS), Ok(()));
        assert!(AccountKey::read(&path, Some(account().name())).is_ok());
        let refusal = AccountKey::read(&path, Some(&"alice".parse().unwrap())).unwrap_err().to_string();
        assert!(refusal.contains("cannot speak for alice"), "{refusal}");
        assert!(account().write_new(&path).unwrap_err().to_string().contains("exists already"));
    }

    #[test]
    fn a_damaged_key_file_is_noticed_whichever_byte_it_is() {
        let Secret::Own(key) = &account().secret else { panic!("not its own") };
        let text = encode(account().name(), key);
        assert_eq!(decode(&text).unwrap().name(), account().name());
        for (index, byte) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_hexdigit()) {
            let is_comment = text[..index].rsplit('\n').next().is_some_and(|line| line.starts_with('#'));
            let mut altered = text.as_bytes().to_vec();
            altered[index] = if byte == b'7' { b'8' } else { b'7' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(decode(&altered).is_ok(), is_comment || index < MAGIC.len(), "byte {index}");
        }
        for end in 0..text.trim_end().len() {
            assert!(decode(&text[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_validators_key_file_speaks_for_what_the_validator_has_earned() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("validators.keys");
        let ids = ["north", "south"].map(|id| id.parse().unwrap());
        let keys = KeySet::generate(ids, &mut StdRng::from_seed([1; 32])).unwrap();
        key_file::write_new(&path, &keys).unwrap();
        let refused = |from: Option<&str>| {
            AccountKey::read(&path, from.map(|from| from.parse().unwrap()).as_ref()).unwrap_err().to_string()
        };
        assert!(refused(None).contains("$north, $south: say with --from"), "{}", refused(None));
        assert!(refused(Some("north")).contains("of no other"), "{}", refused(Some("north")));
        let south = AccountKey::read(&path, Some(&"$south".parse().unwrap())).unwrap();
        let signed = south.sign(transfer(&south), &GENESIS);
        assert_eq!(signed.verify_signature(&GENESIS), Ok(()));
        assert_eq!(signed.authorization.unwrap().public_key, keys.pairs()[1].genesis_validator(0).ed25519);
    }
}
