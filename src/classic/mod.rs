//! The blocks of the two systems that this one grew from, in their own JSON, so that their own checks pass over them.
//!
//! A classic block follows from a block of the chain and the classic block before it, and from nothing else. Pure: of
//! the crate it uses `chain` alone. `docs/consensus.md` says what a classic block holds, and what it is worth.
//!
//! ```text
//! kind     which of the two systems a chain is like
//! block    a block of the chain as a classic block; what links it to the next
//! json     JSON as Python's json.dumps(block, sort_keys=True) writes it
//! ```

mod block;
mod json;
mod kind;
#[cfg(test)]
mod tests;

pub use block::{Link, render};
pub use kind::{Kind, Refused};
