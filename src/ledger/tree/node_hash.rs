//! The hash of a node: `hash(domain, one || two)` of two hashes, without the detour over a general buffer.
//!
//! ```text
//! block 0   tag 16 | one 32 | two, first 16
//! block 1   two, last 16 | 0x80 | zeros | length in bits (640) u64, big-endian
//! ```
//!
//! A block of a thousand transfers hashes some sixteen thousand nodes. All are of this one shape, so the padding
//! (FIPS 180-4, 5.1.1) is always the same.

use sha2::block_api::compress256;

use crate::chain::hash::{Domain, Hash};

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

pub(super) fn node_hash(domain: Domain, one: &Hash, two: &Hash) -> Hash {
    let mut blocks = [[0; 64]; 2];
    blocks[0][..16].copy_from_slice(domain.tag());
    blocks[0][16..48].copy_from_slice(&one.0);
    blocks[0][48..].copy_from_slice(&two.0[..16]);
    blocks[1][..16].copy_from_slice(&two.0[16..]);
    blocks[1][16] = 0x80;
    blocks[1][56..].copy_from_slice(&640u64.to_be_bytes());

    let mut state = INITIAL;
    compress256(&mut state, &blocks);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Hash(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::hash::hash;

    proptest! {
        #[test]
        fn it_is_the_hash_of_the_domain_and_both(one in any::<[u8; 32]>(), two in any::<[u8; 32]>()) {
            for domain in [Domain::StateLeaf, Domain::StateNode] {
                prop_assert_eq!(node_hash(domain, &Hash(one), &Hash(two)), hash(domain, &[&one, &two]));
            }
        }
    }
}
