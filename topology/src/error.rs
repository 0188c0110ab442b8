//! Errors, classed once by what the caller must do next.
//!
//! Every fallible boundary (log, store, processor) has an error type of its own; each of them answers
//! [`Class`], and the stream thread reacts to the class alone.

use std::fmt;

/// The caller's next move. One that a caller does not know is to be taken as [`Class::Stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Nothing happened. Make the same call again, after a pause.
    Retry,
    /// The work since the last commit is void, or its outcome is unknown: drop uncommitted state, read the
    /// committed offsets back and continue from them.
    Rewind,
    /// This member's place in the group is gone: drop all tasks, leave, and join again.
    Rejoin,
    /// No retry helps. Stop, and tell a human what to change.
    Stop,
    /// The input is wrong, and would be wrong again: refuse this input; everything else is fine. A log says so of a
    /// record that its topic does not take. From a processor it stops the thread, as any error does that no retry
    /// mends: input that shall not stop it goes to the dead letters
    /// ([`Context::dead_letter`](crate::processor::Context::dead_letter)).
    Input,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Retry => "retry",
            Class::Rewind => "rewind",
            Class::Rejoin => "rejoin",
            Class::Stop => "stop",
            Class::Input => "input",
        })
    }
}

/// An error of the engine: its class, and one line that says what went wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    class: Class,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with its class and its one line.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None }
    }

    /// An error that no retry mends.
    pub fn stop(message: impl Into<String>) -> Self {
        Self::new(Class::Stop, message)
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// An error that says what this one says, with a class.
    pub(crate) fn boxed(class: Class, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::new(class, source.to_string()).because(source)
    }

    /// As [`Error::caused_by`].
    pub(crate) fn because(mut self, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    /// What the caller must do next.
    pub fn class(&self) -> Class {
        self.class
    }
}

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
