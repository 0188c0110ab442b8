//! The ledger's rules: what a block does to the state, and how the state is committed to.
//!
//! Pure: no clock, no disk, no log. It may use `chain` and nothing else of the crate. `docs/ledger-rules.md` states
//! the rules in words; where the two differ, one of them has a defect.
//!
//! ```text
//! error                what can go wrong, by who is to blame
//! state                tables, their records, changes to them, where they are read from
//! tree                 the state tree: root, batch update, proofs
//! validators           who they are, and what accounts they own
//! cut                  where a block ends
//! signatures           signature checks, apart from execution so that they can run elsewhere
//! apply                one transaction against two accounts
//! execute, reexecute   a whole block; and whether a block is exactly what executing it gives
//! prefetch             hints about what will be read soon
//! replica              one chain as far as it has come: the one place in which all of this advances
//! ```

pub mod apply;
pub mod cut;
pub mod error;
pub mod execute;
mod prefetch;
pub mod reexecute;
pub mod replica;
pub mod signatures;
pub mod state;
pub mod tree;
mod validators;

pub use cut::Cutter;
pub use error::Error;
pub use execute::{Candidate, Executed, Maker};
pub use reexecute::{Difference, Known};
pub use replica::{Begun, Replica};
pub use signatures::Signature;
pub use state::{Changes, MemoryState, Table, View};
pub use tree::Tree;
pub use validators::earnings_account;

#[cfg(test)]
mod tests;
