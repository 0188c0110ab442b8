//! What the application says of errors: fail, dead letter, go on.
//!
//! ```text
//!   a processor fails on a record     what the record did is undone ──> ProcessingError ──┐
//!                                                                                          ├──> Reaction
//!   a topic never takes a record      the record stays out ───────────> ProductionError ──┘
//! ```
//! Both happen while a record is processed, inside the transaction that commits its input: whatever is chosen becomes
//! true with that commit, or is chosen anew after a rewind.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::log::{Headers, Refusal, TopicPartition};

use super::position::Position;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The thread stops, and nothing of the transaction is committed.
    Fail,
    /// A refused record goes to the dead letters of the input, in the transaction that commits it; all else goes on.
    DeadLetter,
    /// A refused record is passed over; all else goes on.
    GoOn,
}

/// A record on which a processor failed. What it had done, through the whole task, is undone already.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProcessingError<'a> {
    /// Where the record came from.
    pub partition: &'a TopicPartition,
    /// Its place there.
    pub position: Position,
    /// Its timestamp, ms since 1970, or the time that the function of its source told of it; -1 where it has none.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
    /// What went wrong. What the processor returned is its [`source`](std::error::Error::source).
    pub error: &'a Error,
}

/// A record that a topic would not take, of a sink. It is not part of the transaction.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProductionError<'a> {
    /// The topic that it was for.
    pub topic: &'a str,
    /// Why the topic would refuse it.
    pub refusal: Refusal,
    /// Its timestamp, ms since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// The input record that caused it; offset -1 where none did.
    pub cause: Position,
}

pub(crate) type OnProcessingError = Arc<dyn Fn(&ProcessingError<'_>) -> Reaction + Send + Sync>;
pub(crate) type OnProductionError = Arc<dyn Fn(&ProductionError<'_>) -> Reaction + Send + Sync>;

/// What an application says of errors. Without a word all of them fail.
#[derive(Clone, Default)]
pub struct Handlers {
    pub(crate) processing: Option<OnProcessingError>,
    pub(crate) production: Option<OnProductionError>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (processing, production) = (self.processing.is_some(), self.production.is_some());
        f.debug_struct("Handlers").field("processing", &processing).field("production", &production).finish()
    }
}

/// What did not come through whole since the last commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Dead letters.
    pub dead_letter_count: u64,
    /// Records passed over because a handler said so.
    pub passed_over_count: u64,
    /// Why the last of them, in one line.
    pub last_reason: Option<String>,
}

impl Losses {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.dead_letter_count == 0 && self.passed_over_count == 0
    }

    /// Takes in those of another task.
    pub fn add(&mut self, other: Losses) {
        self.dead_letter_count += other.dead_letter_count;
        self.passed_over_count += other.passed_over_count;
        self.last_reason = other.last_reason.or_else(|| self.last_reason.take());
    }
}

/// An error's text as one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
