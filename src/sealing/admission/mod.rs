//! Several partitions: what `admit` makes of them, in parallel, and `seal` puts into one order.
//!
//! ```text
//!   transactions-0 ──> admit_0 ──┐
//!   transactions-1 ──> admit_1 ──┼──> admitted (one partition) ──> seal
//!   transactions-2 ──> admit_2 ──┘
//! ```
//! `admit` reads a record, checks its signature and hands it on; the order in which records arrive in the topic between
//! the two is that of the chain. A topic with one partition needs neither: `seal` reads it itself.
//!
//! ```text
//! admitted     a record on its way, byte for byte; who wrote it
//! continuity   whether what comes of a partition goes on where it was sealed
//! admit        the processor of one partition
//! allowance    how many records a partition may have on the way
//! origin       the transactions topic, as it is asked about     (a trait: the commands bring the log)
//! ```

mod admit;
mod admitted;
mod allowance;
mod continuity;
mod origin;

pub(super) use admit::Admit;
pub(super) use admitted::{Admitted, Refusal, Stamp};
pub(super) use continuity::{Continuity, Standing};
pub use origin::{Found, Origin};

use zeroize::Zeroizing;

/// The topic between the two, and what its records prove.
pub struct Admission {
    /// How many partitions the transactions topic has.
    pub partition_count: i32,
    /// The topic between `admit` and `seal`, as the log calls it: [`admitted_topic`](super::admitted_topic) of the
    /// application.
    pub topic: String,
    /// Known to the runs of the chain alone: it proves to `seal` that one of them admitted a record.
    pub key: Zeroizing<[u8; 32]>,
    /// How many records of all partitions may be admitted and not sealed yet.
    pub ahead: u64,
    /// What can be asked of the transactions topic. Without it what was not admitted is missing, the topic is believed
    /// to be the one that the chain was made from, and nothing waits for the sealer.
    pub origin: Option<Box<dyn Origin>>,
}
