//! Proofs that can be checked offline: of one record, one id, one balance, one validator or one block, against a
//! checkpoint or the genesis hash alone.
//!
//! ```text
//!   claim ── shown ──► a root in the header ──► hash of the block ── history ──► root of a checkpoint
//!                                                        └───────── sealed ───► validators of the genesis ──► its hash
//! ```
//!
//! ```text
//! claim        what is claimed, and what shows it by the header of one block
//! ids          that an id was not used: all the lists of ids that the state has
//! history      that the block is one of so many
//! sealed       that the genesis' own validators sealed the block
//! check        all of it, against what the reader trusts
//! refusal      why a proof shows nothing
//! render, parse     the file, byte for byte
//! bounded           lists of a file that take no more memory than they should
//! ```
//! Pure, and may use `chain`, `ledger`, `consensus` and `checkpoint`: the parts of a proof and what is trusted come in
//! as arguments. The layout is drawn in `docs/proofs.md`.

mod bounded;
mod check;
mod claim;
mod history;
mod ids;
mod parse;
mod refusal;
mod render;
mod sealed;
#[cfg(test)]
mod tests;

pub use check::{Basis, Checked, Trusted};
pub use claim::{Claim, Place, StatePath, used_id};
pub use history::History;
pub use ids::{Chunk, ListedIds, chunk_key, remembered};
pub use refusal::{Part, Refusal};
pub use sealed::Sealed;

use crate::chain::Header;

/// A proof: a claim about one block of a chain, and what leads from the claim to something that its reader trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What is claimed, and what shows it by the header.
    pub claim: Claim,
    /// The header of the block that it is claimed of.
    pub header: Header,
    /// The block among the first blocks of the chain.
    pub history: History,
    /// The seal of the block, back to the genesis. Without it only a checkpoint can vouch for the block.
    pub sealed: Option<Sealed>,
}

impl Proof {
    /// The format that this program writes and reads.
    pub const FORMAT: u64 = 1;
    /// The most bytes of a file: 64 MiB. A proof has a few thousand; one that an id was not used has every id that is
    /// remembered.
    pub const SIZE_BYTES_MAX: usize = 64 << 20;
}
