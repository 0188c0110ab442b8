//! What brings stores up to their changelogs beside the stream threads: one updater per process.
//!
//! ```text
//! restore     one task's stores, step by step: decide, read, apply
//! turns       the tasks of all stream threads, in turns; a step at a time, so that a simulation may run it
//! follower    standbys: stores that follow their changelogs for ever, while nothing is to be restored
//! handle      a stream thread's side: hands stores over, and gets them back
//! thread      the OS thread that steps the updater
//! stepped     an updater without one, stepped by the caller
//! listener    hears how far it is
//! telling     what it was told
//! lines       the listener that writes log lines
//! ```
//! ```text
//!   stream thread ── submit(task, stores, plan) ──> [ waiting .. | some being restored, in turns ] ──> Finished ──> its handle
//!                 ── cancel(task) ────────────────────────^──────────────^                    (also where a handle goes)
//! ```
//! A restore follows a changelog up to where it ended when the restore began. A standby is the same with no such end:
//! its turn comes when no task waits for a restore.
//!
//! Committed segments are folded into backends by a thread of their own (`store`): a write to a disk that is busy must
//! not keep restores waiting, nor the other way round.
//!
//! This module may use `store`, `log`, `clock` and `error`; it knows nothing of graphs, and a task is a name to it.

mod follower;
mod handle;
mod lines;
mod listener;
pub(crate) mod restore;
mod stepped;
mod telling;
#[cfg(test)]
mod tests;
mod thread;
mod turns;

pub(crate) use follower::Followed;
pub(crate) use handle::{Finished, Handle, Outcome};
pub(crate) use lines::LogLines;
pub use listener::{Listener, StoreProgress};
pub use restore::Progress;
#[cfg(test)]
pub(crate) use restore::Restore;
pub(crate) use restore::decision::Decision;
pub(crate) use restore::replay::Restored;
pub(crate) use restore::{Changelog, NewChangelog, Plan, RestoreOptions, WholeChangelog, restore_whole};
pub(crate) use stepped::SteppedUpdater;
pub(crate) use thread::UpdaterThread;
pub(crate) use turns::Turn;
