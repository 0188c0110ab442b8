//! Files for their owner's eyes: mode 0600 in directories of mode 0700, and on the disk when a call returns.
//!
//! Each file is there whole or not at all: it is written beside its place, synced, put there, and its directory is
//! synced. What is written beside has a name that no other writer uses, so that two processes never put each other's
//! bytes in place. It is removed when something fails; only a process that is killed leaves it behind, and nothing
//! reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;

use super::{Error, Result};

/// Writes a new file. One that exists is left alone, and is an error.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    // A link, unlike a rename, does not replace what is there.
    put(path, bytes, OWNER, |unfinished| fs::hard_link(unfinished, path).and_then(|()| fs::remove_file(unfinished)))
}

/// Writes a file, in place of one that may be there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, OWNER, |unfinished| fs::rename(unfinished, path))
}

/// As [`replace`], a file that holds no secret: others may read it, as far as the process's mask lets them.
pub(super) fn replace_shared(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, ALL, |unfinished| fs::rename(unfinished, path))
}

/// Whether [`replace`] could put a file there, as far as can be told without doing so.
pub(super) fn check_replaceable(path: &Path) -> Result<()> {
    put(path, b"", OWNER, |unfinished| fs::remove_file(unfinished))
}

/// The file that a path leads to, where it is a link: what is put in the place of the link itself leaves that file as
/// it was, for everybody who reads it by its own name. A path without a file is itself.
pub(super) fn behind_links(path: &Path) -> Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => Ok(path.to_owned()),
        Err(error) => Err(Error::new(format!("{} leads to no file: {error}. Name the file itself", path.display()))),
    }
}

/// For the owner's eyes alone.
const OWNER: u32 = 0o600;
/// For all whom the process's mask does not keep out.
const ALL: u32 = 0o666;

fn put(path: &Path, bytes: &[u8], mode: u32, place: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let unfinished = beside(path)?;
    let written = write(&unfinished, bytes, mode).and_then(|()| place(&unfinished)).and_then(|()| sync(parent(path)));
    written.map_err(|error| {
        // It may never have been made, or be in its place already.
        let _ = fs::remove_file(&unfinished);
        match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::new(format!("{} exists already and is not written over: name another file", path.display()))
            }
            _ => Error::new(format!("cannot write {}: {error}", path.display())),
        }
    })
}

/// A name beside a file's, for what is to be put in its place: of this process alone, and of this call.
fn beside(path: &Path) -> Result<PathBuf> {
    let mut random = [0; 8];
    SysRng
        .try_fill_bytes(&mut random)
        .map_err(|error| Error::new(format!("the system gives no randomness: {error}")))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{}.new", std::process::id(), hex::encode(random)));
    Ok(path.with_file_name(name))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
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
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn of_many_writers_of_one_new_file_one_wins_and_the_file_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let content = |writer: u8| vec![writer; 100_000];
        let won: Vec<bool> = std::thread::scope(|scope| {
            let start = |writer| {
                scope.spawn({
                    let path = &path;
                    move || write_new(path, &content(writer)).is_ok()
                })
            };
            let writers: Vec<_> = (0..8).map(start).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        let winner = won.iter().position(|won| *won).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content(u8::try_from(winner).unwrap()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
