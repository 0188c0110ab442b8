//! What the chain is made of: values, their one encoding, their hashes, their rendering as JSON.
//!
//! Pure, and the lowest layer of the ledger: it uses nothing of the others.
//!
//! ```text
//! hash, sha256          SHA-256 with domains; of many small things at once
//! hex_array, code, encoding, error          stable codes; one encoding per value
//! amount, name, validator                   values within bounds
//! transaction, receipt, parse               what was asked for, what became of it; values of the topic into it
//! signature                                 Ed25519 of accounts, one by one and in batches
//! entry, header, evidence, operation, seal, block    the block
//! merkle, frontier, climb, json, check      its trees, its rendering, whether it agrees with itself
//! genesis                                   what a chain starts from
//! ```

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod encoding_tests;
#[cfg(test)]
pub(crate) mod tests;

pub mod amount;
pub mod block;
pub mod check;
pub mod climb;
pub mod code;
pub mod encoding;
pub mod entry;
pub mod error;
pub mod evidence;
pub mod frontier;
pub mod genesis;
pub mod hash;
pub mod header;
pub mod hex_array;
pub mod json;
pub mod merkle;
pub mod name;
pub mod operation;
pub mod parse;
pub mod receipt;
pub mod seal;
pub(crate) mod sha256;
pub mod signature;
pub mod transaction;
pub mod validator;

pub use amount::Amount;
pub use block::Block;
pub use check::Parent;
pub use climb::Climb;
pub use encoding::{from_canonical, to_canonical};
pub use entry::{Content, Entry, Origin, RecordDifference, TIMESTAMP_MS_MAX};
pub use error::{Error, Result};
pub use evidence::{Evidence, RefusalReason, SignedHeader};
pub use frontier::Frontier;
pub use genesis::{
    Balances, Committee, Consensus, ConsensusKind, DEFAULT_CHAIN_ID, DEFAULT_VALIDATORS, Genesis, GenesisValidator,
    PARAMETER_KEYS, Parameters, ScheduledVersion, Signatures, Work, WorkRule,
};
pub use hash::{Domain, Hash, hash};
pub use header::{Author, Cut, Extension, Header, Range, StakeAuthor, Window, WorkAuthor};
pub use json::{Pruned, Read, Rendering};
pub use name::{Id, Memo, Name, TextError};
pub use operation::Operation;
pub use parse::{Reject, RejectCode, parse};
pub use receipt::{Outcome, ReasonCode, Receipt};
pub use seal::{Seal, StakeSeal, WorkSeal};
pub use signature::{SignatureError, verify_signatures};
pub use transaction::{Authorization, Kind, Transaction};
pub use validator::{Bitmap, Member, ValidatorId, validators_hash};
