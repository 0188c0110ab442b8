//! SHA-256 of what the tree hashes most, without the detour over a general buffer.
//!
//! ```text
//! node    block 0   tag 16 | one 32 | two, first 16
//!         block 1   two, last 16 | 0x80 | zeros | length in bits (640) u64, big-endian
//! short   block 0   up to 55 bytes | 0x80 | zeros | length in bits u64, big-endian
//! ```
//!
//! A block of a thousand transfers hashes some sixteen thousand nodes, all of one shape, and four thousand keys and values,
//! most of which fit one block with their padding (FIPS 180-4, 5.1.1).

use sha2::block_api::compress256;

use crate::chain::hash::{Domain, Hash};

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The most bytes that fit one block with their padding.
const SHORT_SIZE_BYTES_MAX: usize = 55;

/// `hash(domain, one || two)`.
pub(super) fn node_hash(domain: Domain, one: &Hash, two: &Hash) -> Hash {
    let mut blocks = [[0; 64]; 2];
    blocks[0][..16].copy_from_slice(domain.tag());
    blocks[0][16..48].copy_from_slice(&one.0);
    blocks[0][48..].copy_from_slice(&two.0[..16]);
    blocks[1][..16].copy_from_slice(&two.0[16..]);
    blocks[1][16] = 0x80;
    blocks[1][56..].copy_from_slice(&640u64.to_be_bytes());

    compress(&blocks)
}

/// SHA-256 of the parts, one after the other; `None` where they do not fit one block.
pub(in crate::ledger) fn short_hash(parts: &[&[u8]]) -> Option<Hash> {
    let mut block = [0; 64];
    let mut end = 0;
    for part in parts {
        let start = end;
        end += part.len();
        if end > SHORT_SIZE_BYTES_MAX {
            return None;
        }
        block[start..end].copy_from_slice(part);
    }
    block[end] = 0x80;
    block[56..].copy_from_slice(&(8 * end as u64).to_be_bytes());
    Some(compress(&[block]))
}

fn compress(blocks: &[[u8; 64]]) -> Hash {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
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

        #[test]
        fn what_is_short_hashes_like_everything_else(bytes in prop::collection::vec(any::<u8>(), 0..70), cut in 0..70usize) {
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            let expected = (bytes.len() <= 55).then(|| Hash::of(&bytes));
            prop_assert_eq!(short_hash(&[one, two]), expected);
        }
    }
}
