//! Why a question has no answer.

use crate::error::Class;
use crate::store;
use crate::task::TaskId;

/// Why a question has no answer, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not here now: it begins, or moves. Ask again, after a pause.
    #[error("{0} cannot be read here now: the instance begins, or tasks move; ask again soon")]
    Moving(String),
    /// Another instance has it. Ask that one.
    #[error("task {task} is with another instance{}: ask that one", at(address.as_deref()))]
    Elsewhere {
        /// Which task.
        task: TaskId,
        /// What that instance advertises ([`Config::advertised_address`](crate::client::Config::advertised_address)), if it does.
        address: Option<String>,
    },
    /// The log does not say who is in the group. Ask again, after a pause.
    #[error("cannot find out who has which task: {0}")]
    Unanswered(String),
    /// The client has ended, or a bounded run. Nothing is read here any more.
    #[error("the client has ended: its stores cannot be read any more")]
    Closed,
    /// The question cannot be asked: there is no such store or task, or a key cannot be written as bytes.
    #[error("{0}")]
    Invalid(String),
    /// The store could not be read: see [`store::Error::kind`].
    #[error(transparent)]
    Store(store::Error),
}

/// A result of a query.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the caller must do next. A question to the wrong instance is [`Class::Input`]: it would be wrong again.
    pub fn class(&self) -> Class {
        match self {
            Error::Moving(_) | Error::Unanswered(_) => Class::Retry,
            Error::Elsewhere { .. } | Error::Invalid(_) => Class::Input,
            Error::Closed => Class::Stop,
            Error::Store(error) => error.class(),
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        crate::error::Error::new(error.class(), error.to_string()).caused_by(error)
    }
}

fn at(address: Option<&str>) -> String {
    address.map_or_else(|| ", which advertises no address".to_owned(), |address| format!(" at {address}"))
}
