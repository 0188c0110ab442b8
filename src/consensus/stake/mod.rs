//! Proof of stake: validators drawn by stake propose, and more than two thirds of the stake decide.
//!
//! May use the rooms beside it that are no kind of consensus (`bls`, `keys`, `roster`, `decision`), `ledger` and
//! `chain`; another kind of consensus would stand beside this room and share none of it.
//!
//! ```text
//! draw, rounds                 the stake-weighted draw; what became of each round of a height
//! signing                      every byte that a validator signs
//! turn                         proposals and votes, as values that have bytes
//! committee                    one turn as a machine: messages in, actions out
//! signed_turns                 what was signed last, where a crash or a lost topic does not take it  (a trait: commands bring the disk)
//! party, validator, fault      who answers what the machine asks: keys, memory of what they signed, ways to cheat
//! seal, evidence, report       checking seals (many at once) and proofs of offences; an offence as the evidence topic holds it
//! sealer, drive                from a stretch of the log to a sealed block; one turn, with the parties of this process
//! ```

pub mod committee;
pub mod draw;
mod drive;
pub mod evidence;
pub mod fault;
pub mod party;
pub mod report;
pub mod rounds;
pub mod seal;
pub mod sealer;
pub mod signed_turns;
pub mod signing;
#[cfg(test)]
pub(super) mod tests;
pub mod turn;
pub mod validator;
