//! Key files: read with an eye on who else can read them, never written over.

use std::fs;
use std::io::Read;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use zeroize::Zeroizing;

use super::{Error, Result, private_file};
use crate::consensus::KeySet;

/// A key file larger than this, in bytes, is none.
const SIZE_BYTES_MAX: u64 = 4 << 20;

/// A generator for keys, seeded by the system.
pub fn system_rng() -> Result<StdRng> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| Error::new(format!("the system gives no randomness: {error}")))
}

/// Writes a new key file with mode 0600. One that exists is left alone.
pub fn write_new(path: &Path, keys: &KeySet) -> Result<()> {
    private_file::write_new(path, keys.encode().as_bytes())
}

/// Reads a key file of validators.
pub fn read(path: &Path) -> Result<KeySet> {
    KeySet::decode(&read_text(path)?).map_err(|error| Error::new(format!("{}: {error}", path.display())))
}

/// The text of a key file of whichever kind. The buffer is wiped when dropped.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let failed = |error: std::io::Error| Error::new(format!("cannot read the key file {}: {error}", path.display()));
    let mut file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.len() > SIZE_BYTES_MAX {
        return Err(Error::new(format!("{} is too large for a key file", path.display())));
    }
    warn_if_others_can_read(path, &metadata);
    // Reserved in full: a buffer that grew would leave copies of secrets behind.
    let mut text =
        Zeroizing::new(String::with_capacity(usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1)));
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn warn_if_others_can_read(path: &Path, metadata: &fs::Metadata) {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            tracing::warn!(file = %path.display(), mode = format!("{mode:03o}"), "others can read this key file: chmod 600");
        }
    }
    #[cfg(not(unix))]
    let _ = (path, metadata);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> KeySet {
        let ids = ["a", "b"].map(|id| id.parse().unwrap());
        KeySet::generate(ids, &mut StdRng::from_seed([1; 32])).unwrap()
    }

    #[test]
    fn a_key_file_is_private_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("validators.keys");
        write_new(&path, &keys()).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().encode(), keys().encode());
    }

    #[test]
    fn what_is_no_key_file_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        fs::write(&path, "cairn-keys 2\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("cairn-keys 1"));
        assert!(read(&directory.path().join("none")).unwrap_err().to_string().contains("cannot read the key file"));
    }
}
