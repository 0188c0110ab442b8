//! The text of key files.
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
//! The program that writes the file gives it mode 0600.

use ed25519_zebra::SigningKey;
use zeroize::Zeroizing;

use super::lines::{Lines, push_hex};
use super::{Error, KeyPair, KeySet, bls};
use crate::chain::ValidatorId;

const MAGIC: &str = "cairn-keys 1";

impl KeySet {
    /// The text of a key file. The buffer is wiped when dropped.
    pub fn encode(&self) -> Zeroizing<String> {
        // Reserved in full: a buffer that grew would leave copies of secrets behind.
        let size_bytes = self.pairs.iter().map(|pair| 640 + pair.id.to_string().len()).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(256 + size_bytes));
        text.push_str(MAGIC);
        text.push_str("\n# SECRET: a reader of this file can sign as these validators. Keep it at mode 0600.\n");
        for pair in &self.pairs {
            pair.encode(&mut text);
        }
        text
    }

    /// Reads the text of a key file. Errors name the line and what to do, and hold no secret.
    pub fn decode(text: &str) -> Result<KeySet, Error> {
        let mut lines = Lines::of(text);
        match lines.next() {
            Some(MAGIC) => {}
            _ => return Err(expected(&lines, "`cairn-keys 1`")),
        }
        let mut pairs = Vec::new();
        while let Some(line) = lines.next() {
            let id = line.strip_prefix("validator ").and_then(|id| id.parse().ok());
            let id = id.ok_or_else(|| expected(&lines, "`validator` and its id"))?;
            pairs.push(decode_pair(id, &mut lines)?);
        }
        if pairs.is_empty() {
            return Err(expected(&lines, "`validator` and its id"));
        }
        KeySet::new(pairs)
    }
}

impl KeyPair {
    fn encode(&self, text: &mut String) {
        let public = self.genesis_validator(0);
        text.push_str("validator ");
        text.push_str(&self.id.to_string());
        text.push('\n');
        for (name, bytes) in [
            ("ed25519-secret", self.ed25519.as_bytes().as_slice()),
            ("bls-secret", self.bls.to_bytes().as_slice()),
            ("ed25519-public", public.ed25519.as_slice()),
            ("bls-public", public.bls.as_slice()),
            ("possession", public.possession.as_slice()),
        ] {
            push_hex(text, name, bytes);
        }
        text.push_str("end\n");
    }
}

fn decode_pair(id: ValidatorId, lines: &mut Lines<'_>) -> Result<KeyPair, Error> {
    let seed = hex::<32>(lines, "ed25519-secret", "`ed25519-secret` and 64 hexadecimal digits")?;
    let scalar = hex::<32>(lines, "bls-secret", "`bls-secret` and 64 hexadecimal digits")?;
    let bls = bls::SecretKey::from_bytes(&scalar).ok_or_else(|| expected(lines, "a BLS12-381 scalar"))?;
    let pair = KeyPair { id, ed25519: SigningKey::from(*seed), bls };
    let ed25519_public = hex::<32>(lines, "ed25519-public", "`ed25519-public` and 64 hexadecimal digits")?;
    let bls_public = hex::<96>(lines, "bls-public", "`bls-public` and 192 hexadecimal digits")?;
    let possession = hex::<48>(lines, "possession", "`possession` and 96 hexadecimal digits")?;
    if lines.next() != Some("end") {
        return Err(expected(lines, "`end`"));
    }
    let own = pair.genesis_validator(0);
    for (field, belongs) in [
        ("ed25519-public", own.ed25519 == *ed25519_public),
        ("bls-public", own.bls == *bls_public),
        ("possession", own.possession == *possession),
    ] {
        if !belongs {
            return Err(Error::Damaged { id: pair.id.clone(), field });
        }
    }
    Ok(pair)
}

fn hex<const N: usize>(lines: &mut Lines<'_>, field: &str, what: &'static str) -> Result<Zeroizing<[u8; N]>, Error> {
    lines.hex(field).ok_or_else(|| expected(lines, what))
}

fn expected(lines: &Lines<'_>, expected: &'static str) -> Error {
    Error::Syntax { line: lines.number(), expected }
}
