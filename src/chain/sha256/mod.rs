//! SHA-256 of the many small things that a block hashes, two at a time where the processor can. May use `hash` alone.
//!
//! ```text
//! node       block 0   tag 16 | one 32 | two, first 16
//!            block 1   two, last 16 | 0x80 | zeros | length in bits (640) u64, big-endian
//! message    blocks of 64 bytes, the last one or two with what is left over | 0x80 | zeros | length in bits u64, big-endian
//! ```
//!
//! A block of a thousand transfers hashes some fifteen thousand nodes of the state tree, two thousand paths and as many
//! values, and a thousand entries. Nothing of that depends on what stands beside it, so it comes in pairs ([`lanes`]).
//! Where the processor lacks the instructions, or two are not to be had, `sha2` does it; the digests are the same
//! (tests say so).

#[cfg(target_arch = "x86_64")]
mod lanes;

use sha2::block_api::compress256;

use super::hash::{Domain, Hash};

type Block = [u8; 64];
type State = [u32; 8];

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: State = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// `hash(domain, one || two)`.
pub(crate) fn node(domain: Domain, [one, two]: [&Hash; 2]) -> Hash {
    let mut blocks = [[0; 64]; 2];
    blocks[0][..16].copy_from_slice(domain.tag());
    blocks[0][16..48].copy_from_slice(&one.0);
    blocks[0][48..].copy_from_slice(&two.0[..16]);
    blocks[1][..16].copy_from_slice(&two.0[16..]);
    blocks[1][16] = 0x80;
    blocks[1][56..].copy_from_slice(&640u64.to_be_bytes());

    let mut state = INITIAL;
    compress256(&mut state, &blocks);
    digest(&state)
}

/// `hash(domain, one || two)` of two pairs.
#[inline]
pub(crate) fn two_nodes(domain: Domain, pairs: [[&Hash; 2]; 2]) -> [Hash; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = lanes::Lanes::detect() {
        return lanes.nodes(domain.tag(), pairs.map(|pair| pair.map(Hash::as_bytes))).map(Hash);
    }
    pairs.map(|pair| node(domain, pair))
}

/// SHA-256 of two messages.
#[inline]
pub(crate) fn two_messages(messages: [&[u8]; 2]) -> [Hash; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = lanes::Lanes::detect() {
        return in_two_lanes(lanes, messages);
    }
    messages.map(Hash::of)
}

#[cfg(target_arch = "x86_64")]
fn in_two_lanes(lanes: lanes::Lanes, [one, two]: [&[u8]; 2]) -> [Hash; 2] {
    let mut states = [INITIAL; 2];
    let ((one_whole, one_rest), (two_whole, two_rest)) = (one.as_chunks::<64>(), two.as_chunks::<64>());
    let shared = one_whole.len().min(two_whole.len());
    let ((one_shared, one_whole), (two_shared, two_whole)) = (one_whole.split_at(shared), two_whole.split_at(shared));
    lanes.compress(&mut states, [one_shared, two_shared]);
    // Where one is longer than the other, it goes on alone.
    compress256(&mut states[0], one_whole);
    compress256(&mut states[1], two_whole);
    let ends = [End::new(one_rest, one.len()), End::new(two_rest, two.len())];
    let [one, two] = [ends[0].blocks(), ends[1].blocks()];
    let shared = one.len().min(two.len());
    lanes.compress(&mut states, [&one[..shared], &two[..shared]]);
    compress256(&mut states[0], &one[shared..]);
    compress256(&mut states[1], &two[shared..]);
    states.map(|state| digest(&state))
}

/// The last one or two blocks of a message: what fills no block, and the padding (FIPS 180-4, 5.1.1).
struct End {
    blocks: [Block; 2],
    count: usize,
}

impl End {
    fn new(rest: &[u8], length_bytes: usize) -> Self {
        let mut blocks = [[0; 64]; 2];
        let count = if rest.len() < 56 { 1 } else { 2 };
        blocks[0][..rest.len()].copy_from_slice(rest);
        blocks[0][rest.len()] = 0x80;
        blocks[count - 1][56..].copy_from_slice(&(8 * length_bytes as u64).to_be_bytes());
        Self { blocks, count }
    }

    fn blocks(&self) -> &[Block] {
        &self.blocks[..self.count]
    }
}

fn digest(state: &State) -> Hash {
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

    fn any_message() -> impl Strategy<Value = Vec<u8>> {
        // Around the lengths at which the padding needs a block more.
        prop_oneof![0..200usize, 54..67usize, 118..130usize]
            .prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length))
    }

    proptest! {
        #[test]
        fn a_node_is_the_hash_of_the_domain_and_both(hashes in any::<[[u8; 32]; 4]>()) {
            let [a, b, c, d] = hashes.map(Hash);
            for domain in [Domain::StateLeaf, Domain::StateNode] {
                let expected = [hash(domain, &[&a.0, &b.0]), hash(domain, &[&c.0, &d.0])];
                prop_assert_eq!(node(domain, [&a, &b]), expected[0]);
                prop_assert_eq!(two_nodes(domain, [[&a, &b], [&c, &d]]), expected);
            }
        }

        #[test]
        fn two_messages_hash_as_each_alone(one in any_message(), two in any_message()) {
            prop_assert_eq!(two_messages([&one, &two]), [Hash::of(&one), Hash::of(&two)]);
        }
    }
}
