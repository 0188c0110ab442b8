//! Errors of stores and of the state directory.

use crate::error::Class;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Bytes in a changelog are damaged, or a file that only a human may delete.
    Corruption,
    /// A task's stores on the disk are damaged. When they are opened next they are set aside, and rebuilt from the
    /// changelogs.
    Damaged,
    /// Written in a format that this version does not know.
    UnknownFormat,
    /// The state belongs to another application.
    Foreign,
    /// Another process or task holds it.
    Locked,
    /// There is no state where some was to be opened.
    Missing,
    /// The disk is full.
    DiskFull,
    /// The disk or the file system refused.
    Io,
    /// The stores were closed: a reader must ask elsewhere.
    Closed,
    /// The thread that writes stores has panicked.
    Dead,
    /// More than a store takes between two commits.
    TooLarge,
    /// A name or a setting that cannot be, or a call that breaks the store's contract.
    Invalid,
}

impl Kind {
    /// What the caller must do next. None of these loses data: what was committed is in the changelogs. Stores that are
    /// damaged are to be opened anew; nothing else mends itself by trying again.
    pub fn class(self) -> Class {
        match self {
            Kind::Damaged => Class::Rewind,
            Kind::Closed => Class::Retry,
            Kind::Corruption | Kind::UnknownFormat | Kind::Foreign | Kind::Locked | Kind::Missing => Class::Stop,
            Kind::DiskFull | Kind::Io | Kind::Dead | Kind::TooLarge | Kind::Invalid => Class::Stop,
        }
    }
}

/// A failure of a store: its kind, and one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: Kind,
    message: String,
}

/// A result of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A file operation that failed: `what` was being done to `path`.
    pub(crate) fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            std::io::ErrorKind::StorageFull => {
                Self::new(Kind::DiskFull, format!("cannot {what} {path}: the disk is full; free space and start again"))
            }
            std::io::ErrorKind::PermissionDenied => Self::new(
                Kind::Io,
                format!("cannot {what} {path}: permission denied; give this user the rights or another --state-dir"),
            ),
            _ => Self::new(Kind::Io, format!("cannot {what} {path}: {error}")),
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the caller must do next.
    pub fn class(&self) -> Class {
        self.kind.class()
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        crate::error::Error::new(error.class(), error.message.clone()).caused_by(error)
    }
}
