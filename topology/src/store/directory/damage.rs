//! Stores whose files are damaged, as after a power failure, or by a disk that forgets.
//!
//! ```text
//! <task>/rocksdb            what is open, or to be opened
//! <task>/rocksdb.damage     a read or write has found that it is damaged: to be set aside when it is opened next
//! <task>/rocksdb.damaged    set aside; nothing reads it, and it may be deleted
//! ```
//! All of it is in the changelogs: what is set aside is rebuilt from there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::error::{Error, Result};

/// Notes that the stores are damaged. One that cannot be written leaves it to the next one who opens them to find out.
pub(in crate::store) fn note(path: &Path) {
    if let Err(error) = fs::write(noted(path), b"") {
        tracing::warn!(path = %path.display(), %error, "cannot note that stores are damaged");
    }
}

/// Whether that was noted.
pub(in crate::store) fn is_noted(path: &Path) -> bool {
    noted(path).exists()
}

/// Moves them out of the way.
pub(in crate::store) fn set_aside(path: &Path, why: &str) -> Result<()> {
    let aside = path.with_extension("damaged");
    let absent_is_fine = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    absent_is_fine(fs::remove_dir_all(&aside)).map_err(|error| Error::io("delete", &aside, &error))?;
    absent_is_fine(fs::rename(path, &aside)).map_err(|error| Error::io("move", path, &error))?;
    absent_is_fine(fs::remove_file(noted(path))).map_err(|error| Error::io("delete", &noted(path), &error))?;
    tracing::warn!(
        aside = %aside.display(),
        "stores are damaged, set aside, and rebuilt from the changelogs (what is aside may be deleted): {why}"
    );
    Ok(())
}

fn noted(path: &Path) -> PathBuf {
    path.with_extension("damage")
}
