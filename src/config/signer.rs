//! The key of a witness, or of a chain's own checkpoints: its file, and beside it the file with what the key has
//! signed.
//!
//! ```text
//! cairn-signer 1
//! # <verifier key>                      what others verify with
//! witness <name>                        or `log <origin>`: the key of a chain signs in the name of the chain's origin
//! ed25519-secret <64 hex>
//! ed25519-public <64 hex>               not secret; checked against the secret on reading, so that a damaged file is noticed
//! end
//! ```
//! Blank lines and lines that start with `#` are skipped. Secrets are wiped from memory when dropped.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Error, Result, key_file, private_file};
use crate::checkpoint::{Role, Signer, SignerState, VerifierKey};
use crate::consensus::keys::lines::{Lines, push_hex};

const MAGIC: &str = "cairn-signer 1";

/// A new signer with a key from `rng`, which must be cryptographically secure.
pub fn generate(name: &str, role: Role, rng: &mut impl rand::CryptoRng) -> Result<Signer> {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut());
    Signer::new(name, role, *secret).map_err(|error| Error::new(error.to_string()))
}

/// Writes a new key file, with mode 0600.
pub fn write_new(path: &Path, signer: &Signer) -> Result<()> {
    private_file::write_new(path, encode(signer).as_bytes())
}

/// Whether a file is the key file of a signer.
pub fn is_in(path: &Path) -> Result<bool> {
    Ok(is_signer(&key_file::read_text(path)?))
}

/// Reads a key file of whichever role.
pub fn read(path: &Path) -> Result<Signer> {
    let text = key_file::read_text(path)?;
    if !is_signer(&text) {
        return Err(Error::new(format!(
            "{} is no key that signs checkpoints: cairn keys --witness-name NAME makes that of a witness, cairn keys --chain \
             GENESIS_HASH that of a chain",
            path.display()
        )));
    }
    decode(&text).map_err(|what| Error::new(format!("{}: {what}", path.display())))
}

/// Reads a key file of this role. A key of the other one is refused: what it signs says something else.
pub fn read_as(path: &Path, role: Role) -> Result<Signer> {
    let signer = read(path)?;
    let (file, name) = (path.display(), signer.verifier().name());
    match (role, signer.verifier().role()) {
        (Role::Log, Role::Witness) => Err(Error::new(format!(
            "{file} is the key of the witness {name}, which cannot sign for a chain: make one with cairn keys --chain GENESIS_HASH"
        ))),
        (Role::Witness, Role::Log) => Err(Error::new(format!(
            "{file} is the key of the chain {name}, and a chain cannot be its own witness: make one with cairn keys \
             --witness-name NAME"
        ))),
        _ => Ok(signer),
    }
}

fn is_signer(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.trim() == MAGIC)
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Log => "log",
        Role::Witness => "witness",
    }
}

fn encode(signer: &Signer) -> Zeroizing<String> {
    let verifier = signer.verifier();
    // Reserved in full: a buffer that grew would leave copies of secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(1_024));
    text.push_str(MAGIC);
    text.push_str("\n# SECRET: a reader of this file can sign in this name. Keep it at mode 0600.\n# ");
    text.push_str(&verifier.to_string());
    text.push('\n');
    text.push_str(word(verifier.role()));
    text.push(' ');
    text.push_str(verifier.name());
    text.push('\n');
    push_hex(&mut text, "ed25519-secret", signer.secret());
    push_hex(&mut text, "ed25519-public", &verifier.public_key());
    text.push_str("end\n");
    text
}

fn decode(text: &str) -> Result<Signer, String> {
    let mut lines = Lines::of(text);
    // Its first line says what it is; the caller has looked.
    lines.next();
    let line = lines.next().unwrap_or_default();
    let (role, name) = [Role::Log, Role::Witness]
        .into_iter()
        .find_map(|role| Some((role, line.strip_prefix(word(role))?.strip_prefix(' ')?)))
        .ok_or("`witness` or `log` and a name are missing; give a file that `cairn keys` wrote")?;
    let mut bytes = |field: &str| {
        lines.hex::<32>(field).ok_or_else(|| {
            format!("`{field}` and 64 hexadecimal digits are missing: the file is damaged; restore it from a copy")
        })
    };
    let (secret, public) = (bytes("ed25519-secret")?, bytes("ed25519-public")?);
    if lines.next() != Some("end") || lines.next().is_some() {
        return Err("does not end with `end`: the file is cut off or damaged; restore it from a copy".to_owned());
    }
    let signer = Signer::new(name, role, *secret).map_err(|error| error.to_string())?;
    if signer.verifier().public_key() != *public {
        return Err(
            "the public key does not belong to the secret: the file is damaged; restore it from a copy".to_owned()
        );
    }
    Ok(signer)
}

/// What a key has signed, on the disk. While it is open no other process signs with the same file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    lock: File,
}

impl StateFile {
    /// Where the state of a key file is kept unless another place is named: beside the file itself, whichever link
    /// leads to it, so that one key has one state.
    #[must_use]
    pub fn beside(key_file: &Path) -> PathBuf {
        let mut path = key_file.canonicalize().unwrap_or_else(|_| key_file.to_owned()).into_os_string();
        path.push(".state");
        PathBuf::from(path)
    }

    /// Opens the state of a key, which is empty where there is no file yet. Refuses that of another key, a damaged one,
    /// one that another process has open, and a link to a file that is not there: that file may only be out of reach.
    pub fn open(path: PathBuf, key: &VerifierKey) -> Result<(Self, SignerState)> {
        // One file has one lock, and is the one that is replaced, by whichever name it was found.
        let path = private_file::behind_links(&path)?;
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Error::new(format!(
                "cannot {what} {}, in which it is kept what the key has signed: {error}",
                path.display()
            ))
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = File::create(&beside).map_err(|error| failed("lock", &error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed("lock", &"another process signs with the same key; wait for its end"),
            TryLockError::Error(error) => failed("lock", &error),
        })?;
        let read = |file: File| {
            let mut bytes = Vec::new();
            file.take(SignerState::SIZE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        let state = match File::open(&path).and_then(read) {
            Ok(bytes) => SignerState::parse(&bytes, key).map_err(|error| {
                failed("use", &format!("{error}. Restore it, or what it kept the key from signing can be signed"))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => SignerState::new(key),
            Err(error) => return Err(failed("read", &error)),
        };
        Ok((Self { path, lock }, state))
    }

    /// Puts the state on the disk: when this returns, it is there. Only then may a signature leave.
    pub fn save(&self, state: &SignerState) -> Result<()> {
        private_file::replace(&self.path, state.to_string().as_bytes())
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // Closing is not enough: a child process between its fork and its exec has the file open, too, and would hold
        // it.
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::checkpoint::{Begin, Checkpoint};

    fn signer(role: Role) -> Signer {
        generate("example.com/w1", role, &mut StdRng::from_seed([5; 32])).unwrap()
    }

    #[test]
    fn a_key_file_reads_back_in_its_own_role_and_in_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("witness.key");
        write_new(&path, &signer(Role::Witness)).unwrap();
        assert_eq!(read_as(&path, Role::Witness).unwrap().verifier(), signer(Role::Witness).verifier());
        assert!(is_in(&path).unwrap());
        let refusal = read_as(&path, Role::Log).unwrap_err().to_string();
        assert!(refusal.contains("cairn keys --chain"), "{refusal}");
        assert!(write_new(&path, &signer(Role::Log)).unwrap_err().to_string().contains("exists already"));
        let other = directory.path().join("other");
        std::fs::write(&other, "cairn-account 1\n").unwrap();
        assert!(read(&other).unwrap_err().to_string().contains("cairn keys --witness-name"));
    }

    #[test]
    fn a_damaged_key_file_is_noticed_whichever_digit_it_is() {
        let text = encode(&signer(Role::Witness));
        assert_eq!(decode(&text).unwrap().verifier(), signer(Role::Witness).verifier());
        let keys = text.find("ed25519-secret ").unwrap();
        for (index, byte) in text.bytes().enumerate().skip(keys).filter(|(_, byte)| *byte != b'\n') {
            let mut altered = text.as_bytes().to_vec();
            altered[index] = if byte == b'7' { b'8' } else { b'7' };
            assert!(decode(&String::from_utf8(altered).unwrap()).is_err(), "byte {index}");
        }
        for end in 0..text.trim_end().len() {
            assert!(decode(&text[..end]).is_err(), "cut at {end}");
        }
        let long = Signer::new(&"n".repeat(255), Role::Log, [1; 32]).unwrap();
        assert_eq!(decode(&encode(&long)).unwrap().verifier(), long.verifier());
    }

    #[test]
    fn a_state_is_one_keys_and_one_processes_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let (path, key) = (directory.path().join("w.state"), signer(Role::Witness).verifier().clone());
        let (file, state) = StateFile::open(path.clone(), &key).unwrap();
        let refusal = StateFile::open(path.clone(), &key).unwrap_err().to_string();
        assert!(refusal.contains("another process"), "{refusal}");
        let checkpoint = Checkpoint { origin: "a".to_owned(), size: 3, root: crate::chain::Hash([1; 32]) };
        let state = state.signed(checkpoint, Begin::Yes, 7).unwrap();
        file.save(&state).unwrap();
        drop(file);
        assert_eq!(StateFile::open(path.clone(), &key).unwrap().1, state);
        let stranger = signer(Role::Log).verifier().clone();
        let refusal = StateFile::open(path.clone(), &stranger).unwrap_err().to_string();
        assert!(refusal.contains("it is the state of example.com/w1"), "{refusal}");
        std::fs::write(&path, "").unwrap();
        assert!(StateFile::open(path, &key).unwrap_err().to_string().contains("Restore it"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_has_one_state_by_whichever_link_it_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("w.key"), directory.path().join("here"));
        write_new(&file, &signer(Role::Witness)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(StateFile::beside(&link), StateFile::beside(&file));
        assert!(StateFile::beside(&file).to_string_lossy().ends_with("w.key.state"));
    }

    #[test]
    fn a_state_is_full_before_it_is_too_large_to_be_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, key) = (directory.path().join("w.state"), signer(Role::Witness).verifier().clone());
        let mut state = SignerState::new(&key);
        let origin = |number: u64| format!("{number}/{}", "o".repeat(100_000));
        let checkpoint = |number, size| Checkpoint { origin: origin(number), size, root: crate::chain::Hash([1; 32]) };
        let mut count = 0;
        let refusal = loop {
            match state.clone().signed(checkpoint(count, 1), Begin::Yes, 7) {
                Ok(next) => (state, count) = (next, count + 1),
                Err(refusal) => break refusal,
            }
        };
        assert!(refusal.to_string().contains("use another key"), "{refusal}");
        let (size, time_s) = (i64::MAX as u64, i64::MAX as u64);
        let state = state.signed(checkpoint(0, size), Begin::No, time_s).unwrap();
        let (file, _) = StateFile::open(path.clone(), &key).unwrap();
        file.save(&state).unwrap();
        drop(file);
        assert_eq!(StateFile::open(path, &key).unwrap().1, state);
    }

    #[cfg(unix)]
    #[test]
    fn a_state_behind_a_link_is_the_one_that_is_locked_read_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("volume.state"), directory.path().join("w.state"));
        let key = signer(Role::Witness).verifier().clone();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let refusal = StateFile::open(link.clone(), &key).unwrap_err().to_string();
        assert!(refusal.contains("leads to no file"), "{refusal}");
        let (open, state) = StateFile::open(file.clone(), &key).unwrap();
        open.save(&state).unwrap();
        drop(open);
        let (open, state) = StateFile::open(link.clone(), &key).unwrap();
        let refusal = StateFile::open(file.clone(), &key).unwrap_err().to_string();
        assert!(refusal.contains("another process"), "{refusal}");
        let checkpoint = Checkpoint { origin: "a".to_owned(), size: 3, root: crate::chain::Hash([1; 32]) };
        let state = state.signed(checkpoint, Begin::Yes, 7).unwrap();
        open.save(&state).unwrap();
        drop(open);
        assert!(link.is_symlink());
        assert_eq!(StateFile::open(file, &key).unwrap().1, state, "an old state would let a fork be signed");
    }
}
