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
//! Blank lines and lines that start with `#` are skipped. One file holds one validator's keys or a whole committee's. The
//! program that writes the file gives it mode 0600.

use ed25519_zebra::SigningKey;
use zeroize::Zeroizing;

use super::{Error, KeyPair, KeySet, bls};
use crate::chain::{ValidatorId, hex_array};

const MAGIC: &str = "cairn-keys 1";

impl KeySet {
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

impl KeyPair {
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
