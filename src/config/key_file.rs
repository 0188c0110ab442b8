//! Key files: read with an eye on who else can read them, never written over.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use zeroize::{Zeroize, Zeroizing};

use super::{Error, Result, private_file};
use crate::consensus::KeySet;

/// A key file larger than this, in bytes, is none.
const SIZE_BYTES_MAX: usize = 4 << 20;

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

/// The text of a key file of whichever kind. The buffer is wiped when dropped. A pipe is read to its end; what does not
/// end, no further than a key file can be long.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let failed = |error: std::io::Error| Error::new(format!("cannot read the key file {}: {error}", path.display()));
    let mut file = fs::File::open(path).map_err(failed)?;
    warn_if_others_can_read(path, &file.metadata().map_err(failed)?);
    // Reserved in full: a buffer that grew would leave copies of secrets behind.
    let mut bytes = Zeroizing::new(vec![0; SIZE_BYTES_MAX + 1]);
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if length > SIZE_BYTES_MAX {
        return Err(Error::new(format!("{} is too large for a key file", path.display())));
    }
    bytes.truncate(length);
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        error.into_bytes().zeroize();
        Error::new(format!("{} is no key file: it is not text", path.display()))
    })
}

fn warn_if_others_can_read(path: &Path, metadata: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let mode = metadata.mode() & 0o777;
        let own = fs::metadata("/proc/self").map(|process| process.uid());
        if can_others_read(mode, own.is_ok_and(|own| own != metadata.uid())) {
            tracing::warn!(file = %path.display(), mode = format!("{mode:03o}"), "others can read this key file: chmod 600");
        }
    }
    #[cfg(not(unix))]
    let _ = (path, metadata);
}

/// Whether others can than who is meant to. Where another user owns the file, as of a secret that is mounted in a
/// container, its group is how this process reads it.
#[cfg(unix)]
fn can_others_read(mode: u32, is_of_another: bool) -> bool {
    mode & if is_of_another { 0o037 } else { 0o077 } != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_group_may_read_the_file_of_another_user_and_nothing_more() {
        let judged = [0o400, 0o440, 0o460, 0o444, 0o600, 0o640];
        assert_eq!(judged.map(|mode| can_others_read(mode, true)), [false, false, true, true, false, false]);
        assert_eq!(judged.map(|mode| can_others_read(mode, false)), [false, true, true, true, false, true]);
    }

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
        fs::write(&path, b"cairn-keys 1\n\xff").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("not text"));
        #[cfg(target_os = "linux")]
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("too large"));
        assert!(read(&directory.path().join("none")).unwrap_err().to_string().contains("cannot read the key file"));
    }
}
