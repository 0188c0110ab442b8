//! What can be wrong with a setting.

/// A setting that cannot be used. One line: where it stands, what is wrong, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
}

impl Error {
    /// An error with its one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// A result of settings.
pub type Result<T, E = Error> = std::result::Result<T, E>;
