//! Why a question has no answer.

use crate::error::Class;
use crate::store;
use crate::task::TaskId;

/// Why a question has no answer, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not here now: it begins, or moves. Ask again, after a pause.
    #[error("{0} cannot be read here now: the instance begins, or tasks move; ask again soon")]
    Moving(String),
    /// Another instance has it. Ask that one.
    #[error("task {task} is with another instance{}: ask that one", at(address.as_deref()))]
    Elsewhere {
        /// Which task.
        task: TaskId,
        /// What that instance advertises ([`Config::advertised_address`](crate::client::Config::advertised_address)),
        /// if it does.
        address: Option<String>,
    },
    /// No task that is here has the key, and nothing says which one would have it: tasks that are not here may. Ask
    /// those who have them, or say how the store's keys are partitioned
    /// ([`Topic::partitioned_by_key`](crate::graph::Topic::partitioned_by_key),
    /// [`KeyValue::partitioned_like_input`](super::KeyValue::partitioned_like_input),
    /// [`KeyValue::partitioned_by`](super::KeyValue::partitioned_by)): then one task is asked, here or there.
    #[error(
        "no task that is here has the key, and how the store's keys are partitioned is not said, so that another task may have it: \
         ask {}; or say how they are partitioned",
        askable(holders, moving)
    )]
    Undecided {
        /// The tasks that other instances have, and where to ask those.
        holders: Vec<Holder>,
        /// The tasks that move, or of which it is not known yet who has them: ask here again, after a pause.
        moving: Vec<TaskId>,
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

/// Who has a task that is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Which task.
    pub task: TaskId,
    /// What that instance advertises ([`Config::advertised_address`](crate::client::Config::advertised_address)), if it
    /// does.
    pub address: Option<String>,
}

/// A result of a query.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the caller must do next. A question to the wrong instance is [`Class::Input`]: it would be wrong again.
    pub fn class(&self) -> Class {
        match self {
            Error::Moving(_) | Error::Unanswered(_) => Class::Retry,
            Error::Undecided { moving, .. } if !moving.is_empty() => Class::Retry,
            Error::Elsewhere { .. } | Error::Undecided { .. } | Error::Invalid(_) => Class::Input,
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

/// So many tasks a message names at most, of each kind.
const NAMED_MAX: usize = 4;

fn askable(holders: &[Holder], moving: &[TaskId]) -> String {
    let mut parts: Vec<String> = holders
        .iter()
        .take(NAMED_MAX)
        .map(|holder| match &holder.address {
            Some(address) => format!("{address} (task {})", holder.task),
            None => format!("who has task {}, and advertises no address", holder.task),
        })
        .collect();
    parts.extend(moving.iter().take(NAMED_MAX).map(|task| format!("here again soon (task {task} moves, or begins)")));
    let left = holders.len().saturating_sub(NAMED_MAX) + moving.len().saturating_sub(NAMED_MAX);
    if left > 0 {
        parts.push(format!("for {left} tasks more"));
    }
    parts.join(", ")
}
