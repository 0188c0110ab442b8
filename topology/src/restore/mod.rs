//! Changelogs back into stores.
//!
//! ```text
//! decision        pure: read on, rebuild, or begin
//! Restore         one task's stores, step by step
//! RestoreThread   many tasks, on a thread of its own, with progress
//! ```
//! This module may use `store`, `log`, `clock` and `error`; it knows nothing of graphs and tasks.

mod decision;
mod machine;
mod progress;
mod replay;
#[cfg(test)]
mod tests;
mod thread;

pub use decision::{Decision, Reason, Situation, decide};
pub use machine::{Changelog, Options, Plan, Progress, Restore};
pub use replay::Restored;
pub use thread::{Finished, Outcome, RestoreThread};
