//! Who may seal a block, and how a seal and an offence are proved.
//!
//! Pure: time never enters, randomness is an argument, and everything signed is a function of committed state, committed
//! decisions and input. May use `chain` and `ledger`, nothing else of this crate.
//!
//! ```text
//! bls, message           curve arithmetic; every byte a validator signs
//! keys, roster           key pairs and key files; a chain's validators, their keys and stakes
//! draw, rounds           the stake-weighted draw; what became of each round of a height
//! seal, evidence         checking seals (many at once) and proofs of offences
//! validator, committee   who proposes, judges and signs; one round
//! genesis                how a chain begins
//! decision, sealer       what must be committed before anybody signs; from a stretch of the log to a sealed block
//! report                 an offence, as the evidence topic holds it
//! verify                 a block's rounds and seal together
//! ```

pub mod bls;
pub mod committee;
pub mod decision;
pub mod draw;
pub mod error;
pub mod evidence;
pub mod genesis;
pub mod keys;
pub mod message;
pub mod report;
pub mod roster;
pub mod rounds;
pub mod seal;
pub mod sealer;
#[cfg(test)]
mod tests;
pub mod validator;
pub mod verify;

pub use decision::Decision;
pub use error::{Error, SetupError};
pub use genesis::{Beginning, begin};
pub use keys::{KeyPair, KeySet};
pub use report::Report;
pub use roster::{Roster, Stakes};
pub use sealer::{Sealed, Sealer, Step, Stretch, genesis_tip};
pub use validator::{Fault, LocalValidator, Validator};

/// What a seal of a chain with `committee = "local"` is worth. `verify` prints it with its result.
pub const LOCAL_COMMITTEE_TRUST: &str = "committee = \"local\": a seal proves that whoever holds the key files made this \
chain, and nothing more. The validators are one party: independence of validators, unpredictability of the proposer and \
resistance to censorship are not claimed.";
