//! Why an export ends before the chain does.

use std::io;
use std::path::Path;

use crate::audit::{Broken, Halt};
use crate::rows;

/// Why an export ended. Ranges that were published before are whole, and stay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain is wrong here: there are no rows of this height and of those behind it.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The log could not be read, or holds blocks that this program cannot judge. Class retry: try again.
    #[error(transparent)]
    Unread(#[from] topology::Error),
    /// The directory holds something else than the beginning of what was asked for. Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// A file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was to be done: `write`, for instance.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A result of an export.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Broken(broken) => Self::Broken(broken),
            Halt::Undone(error) => Self::Unread(error),
        }
    }
}

impl From<rows::Error> for Error {
    fn from(error: rows::Error) -> Self {
        match error {
            rows::Error::Broken(broken) => Self::Broken(broken),
            // The cause is kept: a command tells by it that nothing is known to be wrong.
            rows::Error::Newer(newer) => Self::Unread(topology::Error::stop(newer.to_string()).caused_by(newer)),
            rows::Error::Accounts(never) => match never {},
        }
    }
}

/// What failed of a file.
pub(super) fn of_file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { doing, path: path.display().to_string(), source }
}
