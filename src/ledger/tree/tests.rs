//! Every law is stated against a naive recursive recomputation of the root.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::chain::hash::hash;

/// The definition of the root, word for word.
fn naive_root(entries: &[(Hash, Hash)], depth: usize) -> Hash {
    match entries {
        [] => EMPTY,
        [(key, value)] => hash(Domain::StateLeaf, &[&key.0, &value.0]),
        _ => {
            let (left, right): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| !bit(key, depth));
            let (left, right) = (naive_root(&left, depth + 1), naive_root(&right, depth + 1));
            hash(Domain::StateNode, &[&left.0, &right.0])
        }
    }
}

fn naive(model: &BTreeMap<Hash, Hash>) -> Hash {
    naive_root(&model.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), 0)
}

fn apply(model: &mut BTreeMap<Hash, Hash>, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(*key, *value),
            None => model.remove(key),
        };
    }
}

/// Keys from a small set with long common prefixes, so that paths are deep, collide, and vanish again.
fn any_key() -> impl Strategy<Value = Hash> {
    prop_oneof![
        (any::<bool>(), 0..12usize, any::<bool>()).prop_map(|(first, place, last)| {
            let mut key = [if first { 0x80 } else { 0 }; 32];
            key[place] ^= 1;
            key[31] ^= u8::from(last);
            Hash(key)
        }),
        any::<u8>().prop_map(|byte| Hash([byte; 32])),
        any::<[u8; 32]>().prop_map(Hash),
    ]
}

fn any_changes(count: usize) -> impl Strategy<Value = Vec<Change>> {
    let value = prop_oneof![3 => any::<[u8; 32]>().prop_map(|value| Some(Hash(value))), 2 => Just(None)];
    proptest::collection::vec((any_key(), value), 0..count)
}

proptest! {
    #[test]
    fn the_root_after_each_batch_is_the_naive_root(batches in proptest::collection::vec(any_changes(40), 1..8)) {
        let (mut tree, mut model) = (Tree::new(), BTreeMap::new());
        for changes in batches {
            let before = tree.root();
            apply(&mut model, &changes);
            let update = tree.update(changes).unwrap();
            prop_assert_eq!(tree.root(), before, "an update leaves the tree as it is");
            prop_assert_eq!(update.root(), naive(&model));
            tree.commit(update).unwrap();
            prop_assert_eq!(tree.root(), naive(&model));
            prop_assert_eq!(tree.len(), model.len());
            for (key, value) in &model {
                prop_assert_eq!(tree.get(key), Some(*value));
            }
        }
        let rebuilt = Tree::from_leaves(model.into_iter().collect()).unwrap();
        prop_assert_eq!(rebuilt.root(), tree.root());
    }

    #[test]
    fn the_order_of_changes_to_distinct_keys_does_not_matter(
        base in any_changes(40),
        changes in any_changes(40),
        seed in any::<u64>(),
    ) {
        let distinct: Vec<Change> = changes.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        let mut shuffled = distinct.clone();
        shuffled.sort_by_key(|(key, _)| hash(Domain::StateKey, &[&seed.to_be_bytes(), &key.0]));
        let mut tree = Tree::new();
        tree.commit(tree.update(base).unwrap()).unwrap();
        prop_assert_eq!(tree.update(distinct).unwrap().root(), tree.update(shuffled).unwrap().root());
    }

    #[test]
    fn one_batch_equals_its_changes_one_by_one(base in any_changes(30), changes in any_changes(30)) {
        let mut tree = Tree::new();
        tree.commit(tree.update(base).unwrap()).unwrap();
        let at_once = tree.update(changes.clone()).unwrap().root();
        for change in changes {
            tree.commit(tree.update(vec![change]).unwrap()).unwrap();
        }
        prop_assert_eq!(tree.root(), at_once);
    }

    #[test]
    fn presence_and_absence_are_provable_and_nothing_else(
        entries in any_changes(60),
        key in any_key(),
        other in any::<[u8; 32]>(),
    ) {
        let mut tree = Tree::new();
        let keys: Vec<Hash> = entries.iter().map(|entry| entry.0).chain([key]).collect();
        tree.commit(tree.update(entries).unwrap()).unwrap();
        for key in keys {
            let proof = tree.prove(&key);
            let value = tree.get(&key);
            prop_assert_eq!(proof.verify(tree.root(), &key, value.as_ref()), Ok(()));
            prop_assert!(proof.verify(tree.root(), &key, Some(&Hash(other))).is_err());
            if value.is_some() {
                prop_assert!(proof.verify(tree.root(), &key, None).is_err());
            }
            prop_assert!(proof.verify(Hash(other), &key, value.as_ref()).is_err());
        }
    }

    #[test]
    fn a_forged_proof_proves_nothing(
        entries in any_changes(60),
        key in any_key(),
        place in any::<prop::sample::Index>(),
        forged in any::<[u8; 32]>(),
        claim in prop::option::of(any::<[u8; 32]>()),
    ) {
        let mut tree = Tree::new();
        tree.commit(tree.update(entries).unwrap()).unwrap();
        let truth = tree.get(&key);
        let claim = claim.map(Hash);
        prop_assume!(claim != truth);
        let honest = tree.prove(&key);
        let terminals = [
            Terminal::Nothing,
            Terminal::Leaf { key, value: claim.unwrap_or(Hash(forged)) },
            Terminal::Leaf { key: Hash(forged), value: Hash(forged) },
            honest.terminal,
        ];
        for terminal in terminals {
            let mut siblings = honest.siblings.clone();
            let proof = Proof { siblings: siblings.clone(), terminal };
            prop_assert!(proof.verify(tree.root(), &key, claim.as_ref()).is_err());
            if !siblings.is_empty() {
                siblings[place.index(honest.siblings.len())] = Hash(forged);
                let proof = Proof { siblings: siblings.clone(), terminal };
                prop_assert!(proof.verify(tree.root(), &key, claim.as_ref()).is_err());
                prop_assert!(proof.verify(tree.root(), &key, truth.as_ref()).is_err());
                siblings.truncate(place.index(honest.siblings.len()));
                let proof = Proof { siblings, terminal };
                prop_assert!(proof.verify(tree.root(), &key, claim.as_ref()).is_err());
                prop_assert!(proof.verify(tree.root(), &key, truth.as_ref()).is_err());
            }
        }
    }
}

#[test]
fn batches_larger_than_a_block_give_the_naive_root() {
    let key = |n: u32| hash(Domain::StateKey, &[&n.to_be_bytes()]);
    let (mut tree, mut model) = (Tree::new(), BTreeMap::new());
    for (round, range) in [0..3_000, 1_000..2_500, 0..200, 2_000..4_000, 500..3_900u32].into_iter().enumerate() {
        // Every third deletes; deletes of what is not there are among them.
        let value = |n: u32| (n % 3 != round as u32 % 3).then(|| key(n + round as u32));
        let changes: Vec<Change> = range.map(|n| (key(n), value(n))).collect();
        apply(&mut model, &changes);
        tree.commit(tree.update(changes).unwrap()).unwrap();
        assert_eq!(tree.root(), naive(&model), "round {round}");
        assert_eq!(tree.len(), model.len());
    }
    let all: Vec<Change> = model.keys().map(|key| (*key, None)).collect();
    tree.commit(tree.update(all).unwrap()).unwrap();
    assert_eq!((tree.root(), tree.free_branches.len()), (EMPTY, tree.links.len()));
}

#[test]
fn two_keys_that_differ_in_their_last_bit_share_255_branches_and_leave_none_behind() {
    let (even, odd) = (Hash([0; 32]), {
        let mut key = [0; 32];
        key[31] = 1;
        Hash(key)
    });
    let mut tree = Tree::from_leaves(vec![(even, Hash([1; 32])), (odd, Hash([2; 32]))]).unwrap();
    assert_eq!(tree.prove(&even).siblings.len(), 256);
    assert_eq!(tree.prove(&even).verify(tree.root(), &even, Some(&Hash([1; 32]))), Ok(()));
    tree.commit(tree.update(vec![(even, None)]).unwrap()).unwrap();
    assert_eq!(tree.root(), leaf_hash(&odd, &Hash([2; 32])));
    assert_eq!(tree.free_branches.len(), tree.links.len());
}

#[test]
fn a_proof_longer_than_a_key_is_refused() {
    let proof = Proof { siblings: vec![EMPTY; 257], terminal: Terminal::Nothing };
    assert_eq!(proof.verify(EMPTY, &EMPTY, None), Err(ProofError::TooLong(257)));
}

#[test]
fn an_update_of_another_state_is_refused() {
    let mut tree = Tree::new();
    let first = tree.update(vec![(Hash([1; 32]), Some(Hash([1; 32])))]).unwrap();
    let second = tree.update(vec![(Hash([2; 32]), Some(Hash([2; 32])))]).unwrap();
    tree.commit(first).unwrap();
    let root = tree.root();
    assert_eq!(tree.commit(second), Err(Error::Stale { update: EMPTY, tree: root }));
    assert_eq!(tree.root(), root);
}

#[test]
fn entries_that_come_and_go_do_not_grow_the_arena() {
    let mut tree = Tree::new();
    for round in 0..200u8 {
        let key = |n: u8| hash(Domain::StateKey, &[&[round, n]]);
        let stay: Vec<Hash> = (0..50).map(key).collect();
        tree.commit(tree.update(stay.iter().map(|key| (*key, Some(*key))).collect()).unwrap()).unwrap();
        tree.commit(tree.update(stay.iter().map(|key| (*key, None)).collect()).unwrap()).unwrap();
        assert_eq!(tree.root(), EMPTY);
    }
    assert!(tree.leaves.len() <= 50 && tree.links.len() <= 200, "{} {}", tree.leaves.len(), tree.links.len());
}

/// Run with `cargo test --release -- --ignored --nocapture state_tree_budget`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods)]
fn state_tree_budget_is_3_us_per_transfer() {
    let account = |n: u64| hash(Domain::StateKey, &[&n.to_be_bytes()]);
    let clock = std::time::Instant::now();
    let mut tree = Tree::from_leaves((0..100_000).map(|n| (account(n), account(n))).collect()).unwrap();
    println!("built 100,000 leaves in {:?}", clock.elapsed());
    let (mut state, mut best, mut total) = (7u64, u128::MAX, 0);
    for round in 0..200u64 {
        let changes: Vec<Change> = (0..2000u64)
            .map(|n| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (account((state >> 33) % 100_000), Some(account(round << 32 | n)))
            })
            .collect();
        let clock = std::time::Instant::now();
        let update = tree.update(changes).unwrap();
        tree.commit(update).unwrap();
        let elapsed = clock.elapsed().as_nanos();
        best = best.min(elapsed);
        total += elapsed;
    }
    println!("1,000 transfers: mean {} ns per transfer, best {}", total / 200_000, best / 1_000);
}
