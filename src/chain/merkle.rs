//! Merkle trees of RFC 6962: a leaf cannot pass for a node, and an odd node moves up unpaired.
//!
//! ```text
//! leaf(bytes)       = SHA-256(0x00 || bytes)
//! node(left, right) = SHA-256(0x01 || left || right)
//! root of no leaves = SHA-256()
//! root of n leaves  = node(root of the first k, root of the rest), k the largest power of two below n
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::encoding::write_canonical;
use super::hash::Hash;
use super::sha256::two_messages;

/// The hash of a leaf.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

/// The hash of an inner node.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&node_bytes(left, right))
}

fn node_bytes(left: &Hash, right: &Hash) -> [u8; 65] {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    bytes
}

/// The hashes of leaves whose bytes are the canonical bytes of the items.
pub fn leaves<T: BorshSerialize>(items: impl IntoIterator<Item = T>) -> Vec<Hash> {
    let mut items = items.into_iter();
    let mut hashes = Vec::with_capacity(items.size_hint().0);
    let mut buffers = [Vec::with_capacity(512), Vec::with_capacity(512)];
    let write = |item: &T, bytes: &mut Vec<u8>| {
        bytes.clear();
        bytes.push(0);
        write_canonical(item, bytes);
    };
    while let Some(one) = items.next() {
        write(&one, &mut buffers[0]);
        match items.next() {
            Some(two) => {
                write(&two, &mut buffers[1]);
                hashes.extend(two_messages(buffers.each_ref().map(Vec::as_slice)));
            }
            None => hashes.push(Hash::of(&buffers[0])),
        }
    }
    hashes
}

/// The root over hashes of leaves.
#[must_use]
pub fn root(mut level: Vec<Hash>) -> Hash {
    if level.is_empty() {
        return Hash::of(b"");
    }
    while level.len() > 1 {
        pair_up(&mut level);
    }
    level[0]
}

/// Replaces the nodes of a level with those of the level above.
fn pair_up(level: &mut Vec<Hash>) {
    let count = level.len();
    let mut above = 0;
    while above + 2 <= count / 2 {
        let below = 2 * above;
        let (one, two) =
            (node_bytes(&level[below], &level[below + 1]), node_bytes(&level[below + 2], &level[below + 3]));
        let nodes = two_messages([&one, &two]);
        level[above..above + 2].copy_from_slice(&nodes);
        above += 2;
    }
    if above < count / 2 {
        level[above] = node(&level[2 * above], &level[2 * above + 1]);
    }
    if count % 2 == 1 {
        level[count / 2] = level[count - 1];
    }
    level.truncate(count.div_ceil(2));
}

/// Proof that a leaf stands at a place in the tree of a root.
///
/// ```
/// use cairn::chain::merkle;
/// let leaves: Vec<_> = [b"a", b"b", b"c"].iter().map(|bytes| merkle::leaf(*bytes)).collect();
/// let proof = merkle::prove(&leaves, 2).unwrap();
/// assert!(proof.shows(&leaves[2], &merkle::root(leaves.clone())));
/// assert!(!proof.shows(&leaves[1], &merkle::root(leaves.clone())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The place of the leaf, from 0.
    pub index: u64,
    /// The number of leaves in the tree.
    pub count: u64,
    /// The siblings on the way from the leaf to the root (RFC 6962, 2.1.1).
    pub path: Vec<Hash>,
}

/// The proof for the leaf at an index; none if there is no such leaf.
#[must_use]
pub fn prove(leaves: &[Hash], index: usize) -> Option<Proof> {
    if index >= leaves.len() {
        return None;
    }
    let (mut level, mut place, mut path) = (leaves.to_vec(), index, Vec::new());
    while level.len() > 1 {
        path.extend(level.get(place ^ 1));
        pair_up(&mut level);
        place /= 2;
    }
    Some(Proof { index: index as u64, count: leaves.len() as u64, path })
}

impl Proof {
    /// Whether the proof shows the leaf to be in the tree of this root, at [`Proof::index`] of [`Proof::count`].
    #[must_use]
    pub fn shows(&self, leaf: &Hash, root: &Hash) -> bool {
        if self.index >= self.count {
            return false;
        }
        let (mut place, mut last, mut hash) = (self.index, self.count - 1, *leaf);
        let mut path = self.path.iter();
        // `last` is the place of the last node of the level: a node without a sibling moves up as it is.
        while last > 0 {
            if place % 2 == 1 || place < last {
                let Some(sibling) = path.next() else { return false };
                hash = if place % 2 == 1 { node(sibling, &hash) } else { node(&hash, sibling) };
            }
            place /= 2;
            last /= 2;
        }
        path.next().is_none() && hash == *root
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vectors of the Certificate Transparency project for RFC 6962.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_published_vectors() {
        for (count, expected) in ROOTS.iter().enumerate() {
            let leaves = LEAVES[..count].iter().map(|text| leaf(&hex::decode(text).unwrap())).collect();
            assert_eq!(root(leaves).to_string(), *expected, "{count} leaves");
        }
    }

    /// The definition of RFC 6962, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [one] => *one,
            more => {
                let split = 1 << (more.len() - 1).ilog2();
                node(&root_by_definition(&more[..split]), &root_by_definition(&more[split..]))
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_shows_its_leaf_and_place_and_nothing_else(count in 1_usize..70, index: prop::sample::Index, flip: prop::sample::Index) {
            let leaves: Vec<_> = (0..count).map(|item| leaf(&item.to_le_bytes())).collect();
            let root = root(leaves.clone());
            prop_assert_eq!(root, root_by_definition(&leaves));
            let index = index.index(count);
            let proof = prove(&leaves, index).unwrap();
            prop_assert!(proof.shows(&leaves[index], &root));
            for other in (0..count).filter(|other| *other != index) {
                prop_assert!(!proof.shows(&leaves[other], &root));
                let elsewhere = Proof { index: other as u64, ..proof.clone() };
                prop_assert!(!elsewhere.shows(&leaves[index], &root));
            }
            let mut longer = proof.clone();
            longer.path.push(root);
            prop_assert!(!longer.shows(&leaves[index], &root));
            if !proof.path.is_empty() {
                let mut altered = proof.clone();
                let step = flip.index(altered.path.len());
                altered.path[step].0[flip.index(32)] ^= 1;
                prop_assert!(!altered.shows(&leaves[index], &root));
            }
            prop_assert_eq!(prove(&leaves, count), None);
        }
    }
}
