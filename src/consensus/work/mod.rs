//! Proof of work: the first miner that finds a number with which a rule holds seals the block, and is paid for it.
//!
//! May use the rooms beside it that are no kind of consensus, `ledger` and `chain`, and nothing of `stake`. It searches
//! where it is told to and for as long as it is told to: threads are the caller's.
//!
//! ```text
//! puzzle       what a proof has to be, and the search for one
//! difficulty   how much work a block asks for: a function of header times
//! link         what a block leaves to the next: its proof and its difficulty
//! seal         checking author and seal of a block
//! sealer       from a stretch of the log to a block that lacks its proof, and to a sealed one
//! ```

pub mod difficulty;
pub mod link;
pub mod puzzle;
pub mod seal;
pub mod sealer;
#[cfg(test)]
mod tests;

pub use puzzle::Puzzle;
pub use sealer::Unproved;
