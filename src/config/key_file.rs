//! Key files, for their owner's eyes: mode 0600, never written over.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use zeroize::Zeroizing;

use super::{Error, Result};
use crate::consensus::KeySet;

/// A key file larger than this, in bytes, is none.
const SIZE_BYTES_MAX: u64 = 4 << 20;

/// A generator for keys, seeded by the system.
pub fn system_rng() -> Result<StdRng> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| Error::new(format!("the system gives no randomness: {error}")))
}

/// Writes a new key file with mode 0600. One that exists is left alone.
pub fn write_new(path: &Path, keys: &KeySet) -> Result<()> {
    write_private(path, keys.encode().as_bytes())
}

/// Reads a key file.
pub fn read(path: &Path) -> Result<KeySet> {
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
    KeySet::decode(&text).map_err(|error| Error::new(format!("{}: {error}", path.display())))
}

/// Writes a new file that only its owner can read. It is there whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Error::new(format!("{} exists already and is not written over: name another file", path.display()))
        }
        _ => Error::new(format!("cannot write {}: {error}", path.display())),
    };
    // Linked into place when complete: a link, unlike a rename, does not replace what is there.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| fs::hard_link(&unfinished, path));
    let removed = fs::remove_file(&unfinished);
    placed.and(removed).map_err(failed)
}

/// Makes a directory that only its owner can enter.
pub fn make_private_directory(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Error::new(format!("cannot make the directory {}: {error}", path.display())))
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
    fn a_key_file_is_private_and_reads_back_and_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("validators.keys");
        write_new(&path, &keys()).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().encode(), keys().encode());

        let again = write_private(&path, b"other").unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
        assert_eq!(read(&path).unwrap().encode(), keys().encode(), "still the first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
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
