//! Who may seal a block, how a seal and an offence are proved, and how a chain is followed.
//!
//! Pure: time never enters, randomness is an argument, and everything signed is a function of committed state,
//! committed decisions and input. May use `chain` and `ledger`, nothing else of this crate.
//!
//! ```text
//! bls        curve arithmetic: signatures that add up
//! keys       key pairs and key files
//! roster     a chain's validators: their keys and stakes by place
//! genesis    how a chain begins
//! decision   what must be committed before any validator signs
//! stake      proof of stake: draw, rounds, committee, seal, evidence, sealer
//! work       proof of work: puzzle, difficulty, seal, sealer
//! sealer     from a stretch of the log to a sealed block, whatever the kind
//! scheme     the kinds of consensus, told apart in one place
//! follow     a chain checked and executed again, block by block
//! error      what can go wrong in sealing
//! ```

pub mod bls;
pub mod decision;
pub mod error;
pub mod follow;
pub mod genesis;
pub mod keys;
pub mod roster;
pub mod scheme;
pub mod sealer;
pub mod stake;
pub mod work;

pub use decision::Decision;
pub use error::{Error, SetupError};
pub use genesis::begin;
pub use keys::{KeyPair, KeySet};
pub use roster::{Roster, Stakes};
pub use scheme::{Scheme, trust};
pub use sealer::{Sealed, Sealer, Step, Stretch};
pub use stake::fault::Fault;
pub use stake::report::Offence;
pub use stake::signed_turns::{SignedTurn, SignedTurns};
pub use stake::validator::Signed;

/// What a seal of a chain with `committee = "local"` is worth. `verify` prints it with its result.
pub const LOCAL_COMMITTEE_TRUST: &str = "committee = \"local\": a seal proves that the holder of the key files made this \
chain, and nothing more. The validators are one party: independence of validators, unpredictability of the proposer and \
resistance to censorship are not claimed.";

/// What a proof of work over the header is worth. `verify` prints it with its result.
pub const WORK_TRUST: &str = "consensus = \"work\": a proof shows that the work its difficulty asks for was done over this block, \
and nothing more. A writer to the topic who does the same work again can make another chain; only a pinned checkpoint tells \
the two apart.";

/// What a proof by the classic rule is worth. `verify` prints it with its result.
pub const CLASSIC_TRUST: &str = "consensus = \"work\", rule = \"classic\": a proof binds the proof before it and nothing else, so any \
block can be put to it without any work. It shows that somebody once did the work for so many proofs in a row, and nothing of what is in \
the blocks; only a pinned checkpoint does.";
