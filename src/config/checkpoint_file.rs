//! Files with a checkpoint, and with what a witness is asked.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::{Error, Result, private_file};
use crate::checkpoint::{Policy, SIZE_BYTES_MAX, SignedNote};

/// The checkpoint in a file; `None` where there is no file. Its signatures are not verified by this.
pub fn read(path: &Path) -> Result<Option<SignedNote>> {
    let bytes = match File::open(path).and_then(read_bounded) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::new(format!("cannot read the checkpoint {}: {error}", path.display()))),
    };
    let note = SignedNote::parse(&bytes);
    note.map(Some).map_err(|error| Error::new(format!("{} is no checkpoint: {error}", path.display())))
}

/// As [`read`], where there must be one.
pub fn read_existing(path: &Path) -> Result<SignedNote> {
    let missing = || Error::new(format!("there is no checkpoint {}: cairn verify makes it", path.display()));
    read(path)?.ok_or_else(missing)
}

/// Reads a policy file.
pub fn read_policy(path: &Path) -> Result<Policy> {
    let bytes = File::open(path).and_then(read_bounded);
    let bytes = bytes.map_err(|error| Error::new(format!("cannot read the policy {}: {error}", path.display())))?;
    Policy::parse(&bytes).map_err(|error| Error::new(format!("{} is no policy: {error}", path.display())))
}

/// What a file or a pipe holds, but no more than is too much for any of the formats.
pub fn read_bounded(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(2 * SIZE_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a checkpoint, in the place of one that may be there, which a link may lead to: whole, and on the disk, or not
/// at all.
pub fn write(path: &Path, note: &SignedNote) -> Result<()> {
    private_file::replace_shared(&private_file::behind_links(path)?, note.to_string().as_bytes())
}

/// Refuses a path that could not be written to after hours of work.
pub fn check_writable(path: &Path) -> Result<()> {
    private_file::check_replaceable(&private_file::behind_links(path)?)
}
