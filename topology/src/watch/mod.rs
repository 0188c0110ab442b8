//! Whether the topics of a run are still the ones it knew when it began.
//!
//! A topic that is deleted and made anew keeps its name, and a client that reads it by its name goes on at the same
//! offset of another topic without a word. So the ids and partition counts of all topics are taken at the start, and
//! compared from then on: about once a second, and whenever somebody must know.
//!
//! ```text
//! known       what the run knew at its start
//! newcomers   topics that it would read, had they been there (pure)
//! judgement   an answer of the log against that: the same, not to be seen right now, or another (pure)
//! thread      asks the log, on a thread of its own; whom to tell
//! stepped     asks it without one, when it is stepped
//! ```
//! May use `clock`, `error`, `log` and `processor` (what it vouches to).

mod judgement;
mod known;
mod newcomers;
mod stepped;
mod thread;

#[cfg(test)]
mod tests;

pub(crate) use known::Known;
pub(crate) use thread::{Intervals, Watch};
