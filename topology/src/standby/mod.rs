//! Standbys: what an instance keeps warm of what others have, so that a task that comes is soon restored.
//!
//! ```text
//! plan      which tasks: pure, from the group's members
//! keeper    opens them, hands them to the updater, and to stream threads that take the tasks over
//! thread    looks now and then who is in the group
//! stepped   the same without a thread, for simulations
//! ```
//! ```text
//!            every few seconds                                follow
//!   the group ────────────> plan ──> keeper ── stores ──────────────────> updater
//!                                      ^  └──── stores, still open ────> stream thread: restores what is missing, runs
//!                                      └─────────────── claim ──────────────┘
//! ```
//! May use `task`, `graph`, `store`, `log` and `updater`.

mod keeper;
mod plan;
mod stepped;
mod thread;

pub(crate) use keeper::{Claim, Home, Keeper};
pub(crate) use plan::{Member, Stateful, all_standbys};
pub(crate) use stepped::SteppedStandbys;
pub(crate) use thread::{Planner, StandbyThread};
