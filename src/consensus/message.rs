//! Every byte a validator signs. Tags are the 16 bytes of [`Domain::tag`], integers little-endian.
//!
//! ```text
//! proposal     Ed25519   48   tag Proposal    16 | header hash 32
//! attestation  BLS       48   tag Attestation 16 | header hash 32
//! refusal      BLS       49   tag Refusal     16 | header hash 32 | reason u8 (1 input, 2 execution)
//! reveal       BLS            tag Reveal      16 | chain id: u32 length, bytes | height u64 | round u32 | seed 32
//! possession   BLS       96   the public key, under a ciphersuite of its own (bls::POSSESSION_DST), without a tag
//! ```
//!
//! No two of them can be equal: tags differ, and the ciphersuite of a possession differs. The header hash covers chain id,
//! height, parent and round, so a proposal, an attestation and a refusal hold for one turn of one chain; a reveal names
//! chain, height, round and seed itself.

use crate::chain::{Domain, Hash, RefusalReason, hash::TAG_SIZE_BYTES};

pub use super::draw::reveal_message as reveal;

/// What a proposer signs (Ed25519) to propose the header with this hash.
#[must_use]
pub fn proposal(header_hash: &Hash) -> [u8; TAG_SIZE_BYTES + 32] {
    Domain::Proposal.message(header_hash)
}

/// What a validator signs (BLS) to attest to the header with this hash.
#[must_use]
pub fn attestation(header_hash: &Hash) -> [u8; TAG_SIZE_BYTES + 32] {
    Domain::Attestation.message(header_hash)
}

/// What a validator signs (BLS) to refuse the header with this hash.
#[must_use]
pub fn refusal(header_hash: &Hash, reason: RefusalReason) -> [u8; TAG_SIZE_BYTES + 33] {
    let mut message = [reason as u8; TAG_SIZE_BYTES + 33];
    message[..TAG_SIZE_BYTES + 32].copy_from_slice(&Domain::Refusal.message(header_hash));
    message
}
