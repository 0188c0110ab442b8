//! Blocks that stand where they do not belong, or that others seal: found at their height and for their reason.

use cairn::audit::Reason::{Execution, Form, Height, Parent, Rounds, Seal};
use cairn::chain::{Block, StakeSeal};
use cairn::consensus::KeySet;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::attack::Skill::{Hashes, Seals, Writes};
use crate::attack::{ROUNDS, altered, assert_found, assert_found_elsewhere, breach, full, parts, seal};
use crate::chain::{CHAIN, Topics};

#[test]
fn two_blocks_in_each_others_place() {
    let height = full();
    assert_found(height, |blocks| blocks.swap(height, height + 1), &[(Writes, Height)]);
    // Heights renumbered: the seed of the first does not follow from the block before.
    let renumbered = |blocks: &mut Vec<Block>| {
        blocks.swap(height, height + 1);
        (blocks[height].header.height, blocks[height + 1].header.height) = (height as u64, height as u64 + 1);
    };
    assert_found(height, renumbered, ROUNDS);
    // Their records alone: offsets must not go back.
    let records = |blocks: &mut Vec<Block>| {
        let (one, two) = blocks.split_at_mut(height + 1);
        std::mem::swap(&mut one[height].entries, &mut two[0].entries);
        std::mem::swap(&mut one[height].header.cut, &mut two[0].header.cut);
    };
    assert_found(height, records, &[(Writes, Form), (Hashes, Seal), (Seals, Execution)]);
}

fn stake(block: &mut Block) -> &mut StakeSeal {
    block.seal.as_mut().unwrap().stake_mut().unwrap()
}

#[test]
fn a_forged_seal() {
    let height = full();
    type Forgery = fn(&mut Block, &Block);
    let forgeries: [(&str, Forgery); 8] = [
        ("signature with a flipped bit", |block, _| stake(block).signature[5] ^= 1),
        ("attestation with a flipped bit", |block, _| stake(block).attestation[5] ^= 1),
        ("another block's attestation", |block, other| {
            stake(block).attestation = other.seal.as_ref().unwrap().stake().unwrap().attestation;
        }),
        ("another block's reveal", |block, other| {
            stake(block).reveal = other.seal.as_ref().unwrap().stake().unwrap().reveal;
        }),
        ("another block's seal", |block, other| block.seal = other.seal.clone()),
        ("a signer less", |block, _| {
            let seal = stake(block);
            let last = seal.signers.places().max().unwrap();
            seal.signers = seal.signers.places().filter(|place| *place != last).map(|place| place as u16).collect();
        }),
        ("a signer that the committee does not have", |block, _| stake(block).signers.insert(700)),
        ("keys of another committee", |block, _| {
            let (keys, _) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(99)).unwrap();
            seal(block, &keys);
        }),
    ];
    for (name, forge) in forgeries {
        let mut blocks = CHAIN.blocks.clone();
        let other = blocks[height - 1].clone();
        forge(&mut blocks[height], &other);
        assert_ne!(blocks, CHAIN.blocks, "{name}");
        assert_eq!(breach(&blocks), Some((height as u64, Seal)), "{name}");
    }
}

#[test]
fn a_block_without_a_seal() {
    let height = full();
    let unsealed = |blocks: &mut Vec<Block>| blocks[height].seal = None;
    assert_found(height, unsealed, &[(Writes, Form), (Hashes, Form)]);
}

#[test]
fn an_old_block_at_a_new_height() {
    let (old, tip) = (full(), CHAIN.blocks.len());
    // As it is: its height is there twice.
    assert_found_elsewhere(tip, |blocks| blocks.push(blocks[old].clone()), Writes, (old, Height));
    let renumbered = |blocks: &mut Vec<Block>| {
        let mut block = blocks[old].clone();
        block.header.height = tip as u64;
        blocks.push(block);
    };
    assert_found(tip, renumbered, &[(Writes, Form), (Hashes, Parent), (Seals, Parent)]);
    let at_another_place = |blocks: &mut Vec<Block>| {
        let mut block = blocks[old].clone();
        block.header.height = tip as u64 - 1;
        blocks[tip - 1] = block;
    };
    assert_found(tip - 1, at_another_place, &[(Writes, Form), (Hashes, Parent)]);
    // With offsets that go on, the seed still does not.
    let moved_on = |blocks: &mut Vec<Block>| {
        renumbered(blocks);
        blocks[tip].entries.iter_mut().for_each(|entry| entry.origin.offset += 1_000);
    };
    assert_found(tip, moved_on, &[(Hashes, Rounds), (Seals, Rounds)]);
}

#[test]
fn a_missing_block() {
    for height in [0, 1, full()] {
        let mut blocks = CHAIN.blocks.clone();
        blocks.remove(height);
        assert_eq!(breach(&blocks), Some((height as u64, Height)));
    }
    // Renumbered, the one behind follows another parent; with the parent set, it goes on from another seed.
    let height = full();
    let closed = |blocks: &mut Vec<Block>| {
        blocks.remove(height);
        for (at, block) in blocks.iter_mut().enumerate() {
            block.header.height = at as u64;
        }
    };
    assert_found(height, closed, ROUNDS);
}

#[test]
fn a_block_written_twice_is_found_before_and_after_compaction() {
    let height = full();
    for at in [height + 1, CHAIN.blocks.len()] {
        let mut blocks = CHAIN.blocks.clone();
        blocks.insert(at, blocks[height].clone());
        assert_eq!(breach(&blocks), Some((height as u64, Height)));
    }
    // Compaction leaves the later one, out of its place.
    let mut blocks = CHAIN.blocks.clone();
    blocks.push(blocks[height].clone());
    let topics = Topics::new(&blocks, &CHAIN.transactions);
    topics.log.compact(crate::chain::BLOCKCHAIN).unwrap();
    let broken = topics.verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (height as u64, Height), "{}", broken.detail);
}

#[test]
fn of_two_breaches_the_lower_is_named_although_seals_are_checked_late() {
    let height = full();
    let mut blocks = altered(&CHAIN, height + 2, Writes, |blocks| {
        parts(&mut blocks[height + 2].entries[0]).1.to_balance += 1;
    });
    stake(&mut blocks[height]).signature[5] ^= 1;
    assert_eq!(breach(&blocks), Some((height as u64, Seal)));
}
