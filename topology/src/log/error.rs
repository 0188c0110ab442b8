//! Errors of the log.

use crate::error::Class;

/// What kind of failure it is: each asks for another move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing happened; the same call may go through later (no broker, coordinator moving, stable offset not known
    /// yet). A record that could not be sent for such a reason is [`Kind::Abort`]: the rest of its transaction was.
    Retry,
    /// The open transaction cannot be committed; abort it, then rewind.
    Abort,
    /// It is unknown whether it happened. Make a new producer, initialise it, read the committed offsets back.
    Unknown,
    /// A producer with the same transactional id took over, or this one's transaction timed out. Only a new producer
    /// helps.
    Fenced,
    /// The group no longer knows this member.
    NotMember,
    /// A position lies outside the log: retention or truncation took what was to be read
    /// ([`OutOfRange::Fail`](super::OutOfRange::Fail)). Find out what there is, and assign anew.
    OutOfRange,
    /// A record is larger than the topic takes. It was not added.
    TooLarge,
    /// There is no such topic or partition.
    NoSuchTopic,
    /// Wrong configuration, no permission, broken storage: a human must act.
    Fatal,
}

impl Kind {
    /// What the caller must do next.
    pub fn class(self) -> Class {
        match self {
            Kind::Retry => Class::Retry,
            Kind::Abort | Kind::Unknown | Kind::Fenced | Kind::OutOfRange => Class::Rewind,
            Kind::NotMember => Class::Rejoin,
            Kind::TooLarge => Class::Input,
            Kind::NoSuchTopic | Kind::Fatal => Class::Stop,
        }
    }
}

/// A failure of the log: its kind and one line for a human.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: Kind,
    message: String,
    is_of_connection: bool,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), is_of_connection: false }
    }

    /// The same, as one of the connection or not.
    #[must_use]
    pub(super) fn of_connection(self, is_of_connection: bool) -> Self {
        Self { is_of_connection, ..self }
    }

    /// Whether no broker was talked to, as far as the client knows: none answered, none let it in, or the answer was
    /// none that it understands. A caller may find out why: by asking what listens at the address.
    pub fn is_of_connection(&self) -> bool {
        self.is_of_connection
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the caller must do next.
    pub fn class(&self) -> Class {
        self.kind.class()
    }

    /// As an error of the engine, where the topic was there before. Then "there is no such topic" is what a broker
    /// says, too, that is behind or has just started, and to be asked again. Whether a topic is gone shows in several
    /// answers.
    pub fn may_pass(self) -> crate::error::Error {
        match self.kind {
            Kind::NoSuchTopic => crate::error::Error::new(Class::Retry, self.message.clone()).caused_by(self),
            _ => self.into(),
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        crate::error::Error::new(error.class(), error.message.clone()).caused_by(error)
    }
}
