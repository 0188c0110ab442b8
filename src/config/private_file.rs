//! Files for their owner's eyes: mode 0600 in directories of mode 0700, and on the disk when a call returns.
//!
//! Each file is there whole or not at all: it is written beside its place, synced, put there, and its directory is synced.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Error, Result};

/// Writes a new file. One that exists is left alone, and is an error.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    // A link, unlike a rename, does not replace what is there.
    put(path, bytes, |unfinished| {
        let placed = fs::hard_link(unfinished, path);
        fs::remove_file(unfinished).and(placed)
    })
}

/// Writes a file, in place of one that may be there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, |unfinished| fs::rename(unfinished, path))
}

fn put(path: &Path, bytes: &[u8], place: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    let written = write(&unfinished, bytes).and_then(|()| place(&unfinished)).and_then(|()| sync(parent(path)));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Error::new(format!("{} exists already and is not written over: name another file", path.display()))
        }
        _ => Error::new(format!("cannot write {}: {error}", path.display())),
    })
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What an earlier attempt may have left behind.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file, if it is there. Synced with what is written next to its directory.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::new(format!("cannot remove {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Makes a directory, with those above it that are missing.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !is_there(above)).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    // Each is an entry of the one above it, and that entry must last, too.
    let made = builder.create(path).and_then(|()| missing.iter().try_for_each(|made| sync(parent(made))));
    made.map_err(|error| Error::new(format!("cannot make the directory {}: {error}", path.display())))
}

fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.exists()
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync(directory: PathBuf) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("a/b");
        make_directory(&home).unwrap();
        make_directory(&home).unwrap();
        let path = home.join("f");
        write_new(&path, b"first").unwrap();
        #[cfg(unix)]
        for (path, mode) in [(&path, 0o600), (&home, 0o700), (&directory.path().join("a"), 0o700)] {
            let found = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(found & 0o777, mode, "{}", path.display());
        }
        let again = write_new(&path, b"other").unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_file_is_replaced_whole_whatever_an_earlier_attempt_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(directory.path().join("f.new"), "half of someth").unwrap();
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
