//! A file that one process holds at a time.

use std::fs::{File, TryLockError};
use std::io;

/// Holds a file against other processes, and other opens in this one, until dropped or until the process ends, however
/// it ends.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Takes the file, or gives it back if somebody else holds it.
    pub(crate) fn try_new(file: File) -> io::Result<Result<Self, File>> {
        match file.try_lock() {
            Ok(()) => Ok(Ok(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(Err(file)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough: a child process between its fork and its exec has the file open, too, and would hold
        // it.
        let _ = self.0.unlock();
    }
}
