//! Every byte a validator signs. Tags are the 16 bytes of [`Domain::tag`], integers little-endian.
//!
//! ```text
//! proposal     Ed25519   48   tag Proposal    16 | header hash 32
//! attestation  BLS       48   tag Attestation 16 | header hash 32
//! refusal      BLS       49   tag Refusal     16 | header hash 32 | reason u8 (1 input, 2 execution)
//! reveal       BLS       92   tag Reveal      16 | genesis hash 32 | height u64 | round u32 | seed 32
//! possession   BLS       96   the public key, under a ciphersuite of its own (bls::POSSESSION_DST), without a tag
//! ```
//!
//! No two of them can be equal: tags differ, and the ciphersuite of a possession differs. The header hash covers
//! genesis hash, height, parent and round, so a proposal, an attestation and a refusal hold for one turn of one chain;
//! a reveal names genesis, height, round and seed itself.

use super::draw;
use crate::chain::{Domain, Hash, RefusalReason, hash::TAG_SIZE_BYTES};

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

/// What the proposer of `round` of `height` signs as its reveal (BLS), on the chain with this genesis hash.
#[must_use]
pub fn reveal(genesis: &Hash, height: u64, round: u32, seed: &Hash) -> [u8; TAG_SIZE_BYTES + draw::TURN_SIZE_BYTES] {
    let mut message = [0; TAG_SIZE_BYTES + draw::TURN_SIZE_BYTES];
    message[..TAG_SIZE_BYTES].copy_from_slice(Domain::Reveal.tag());
    message[TAG_SIZE_BYTES..].copy_from_slice(&draw::turn(genesis, height, round, seed));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_reveal_is_the_documented_one() {
        let mut expected = b"cairn/reveal/1\0\0".to_vec();
        expected.extend([7; 32]);
        expected.extend([2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
        expected.extend([9; 32]);
        assert_eq!(reveal(&Hash([7; 32]), 0x0102, 3, &Hash([9; 32])).to_vec(), expected);
    }

    #[test]
    fn the_layout_of_what_is_said_about_a_header_is_the_documented_one() {
        let header = Hash([5; 32]);
        assert_eq!(proposal(&header), *[b"cairn/propose/1\0".as_slice(), &[5; 32]].concat());
        assert_eq!(attestation(&header), *[b"cairn/attest/1\0\0".as_slice(), &[5; 32]].concat());
        let refused = [b"cairn/refuse/1\0\0".as_slice(), &[5; 32], &[2]].concat();
        assert_eq!(refusal(&header, RefusalReason::Execution), *refused);
    }
}
