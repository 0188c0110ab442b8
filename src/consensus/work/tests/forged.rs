//! Blocks that were not mined, or that another miner mined.

use super::world::*;
use crate::chain::check::operations_root;
use crate::chain::{Author, Block, Hash, Operation, Seal, StakeAuthor, Work, WorkAuthor, WorkRule, WorkSeal};
use crate::consensus::follow::{Error, Reason};

/// A chain of eight blocks, of which the sixth is altered, and what is told of it.
fn told(work: Work, alter: impl Fn(&mut Block), is_rehashed: bool) -> (u64, Reason) {
    let mut chain = Chain::new(work);
    for number in 0..8 {
        let entries = chain.entries(&[FIRST_MS + number * 250, FIRST_MS + number * 250 + 1]);
        chain.mine("ann", entries);
    }
    assert!(chain.follow(&chain.blocks).is_ok());
    let mut blocks = chain.blocks.clone();
    alter(&mut blocks[6]);
    assert_ne!(blocks, chain.blocks);
    if is_rehashed {
        rehash(&mut blocks, 6);
    }
    match chain.follow(&blocks).unwrap_err() {
        Error::Broken(broken) => (broken.height, broken.reason),
        other => panic!("{other}"),
    }
}

/// Makes the hashes and roots of all blocks from a height on agree with the rest.
fn rehash(blocks: &mut [Block], from: usize) {
    let mut frontier = crate::chain::Frontier::default();
    for place in 0..blocks.len() {
        if place >= from {
            let parent = blocks[place - 1].hash;
            let block = &mut blocks[place];
            (block.header.parent, block.header.history) = (parent, frontier.root());
            block.header.operations_root = operations_root(&block.operations);
            block.hash = block.header.hash();
        }
        frontier = frontier.with(crate::chain::merkle::leaf(blocks[place].hash.as_bytes()));
    }
}

fn author(block: &mut Block) -> &mut WorkAuthor {
    block.header.work_mut().unwrap()
}

#[test]
fn an_altered_proof_miner_difficulty_or_reward_is_found_at_its_height() {
    let adjusted = Work { rule: WorkRule::Header, leading_zero_bits: 12, target_interval_ms: 1_000 };
    let proof = |block: &mut Block| block.seal.as_mut().unwrap().work_mut().unwrap().proof ^= 1;
    let reward = |block: &mut Block| {
        let Some(Operation::MinerReward { amount, balance, .. }) = block.operations.last_mut() else { panic!() };
        *amount = crate::chain::Amount::new(amount.get() + 1).unwrap();
        *balance += 1;
    };
    for work in [rule(WorkRule::Header, 12), adjusted] {
        for is_rehashed in [false, true] {
            // Without new hashes the block contradicts itself; with them, no proof holds.
            let expected = |sealed| (6, if is_rehashed { sealed } else { Reason::Form });
            assert_eq!(told(work, proof, is_rehashed), (6, Reason::Seal));
            assert_eq!(told(work, |block| author(block).miner = name("mallory"), is_rehashed), expected(Reason::Seal));
            assert_eq!(told(work, |block| author(block).difficulty -= 1, is_rehashed), expected(Reason::Seal));
            assert_eq!(told(work, |block| author(block).difficulty = 1, is_rehashed), expected(Reason::Seal));
            assert_eq!(told(work, |block| author(block).last_proof ^= 1, is_rehashed), expected(Reason::Seal));
            assert_eq!(told(work, reward, is_rehashed), expected(Reason::Seal));
            assert_eq!(told(work, |block| drop(block.operations.pop()), is_rehashed), expected(Reason::Seal));
        }
    }
}

#[test]
fn author_and_seal_of_another_kind_are_refused() {
    let work = rule(WorkRule::Header, 8);
    let stake = StakeAuthor { proposer: "v".parse().unwrap(), round: 0, seed: Hash::ZERO };
    let other = |block: &mut Block| block.header.author = Author::Stake(stake.clone());
    assert_eq!(told(work, other, true), (6, Reason::Seal));
    let signed = crate::chain::StakeSeal {
        signature: [0; 64],
        reveal: [0; 48],
        attestation: [0; 48],
        signers: std::iter::empty().collect(),
    };
    assert_eq!(told(work, |block| block.seal = Some(Seal::Stake(signed.clone())), true), (6, Reason::Seal));
    assert_eq!(told(work, |block| author(block).miner = name("$ann"), true), (6, Reason::Seal));
    let beyond = |block: &mut Block| block.seal = Some(Seal::Work(WorkSeal { proof: u64::MAX }));
    assert_eq!(told(work, beyond, true), (6, Reason::Seal));
}

/// What the pages say of the two rules, as it is.
#[test]
fn a_proof_over_the_header_cannot_be_taken_over_and_a_classic_one_can() {
    for (bound, is_taken) in [(WorkRule::Header, false), (WorkRule::Classic, true)] {
        let mut chain = Chain::new(rule(bound, 12));
        let entries = chain.entries(&[FIRST_MS]);
        let honest = chain.mined("ann", entries.clone());
        let proof = honest.block.seal.clone();
        // Mallory has not done any work: she takes the proof, and puts a block of her own to it.
        let mut stolen = chain.mined("mallory", entries).block;
        assert_ne!(stolen.hash, honest.block.hash);
        stolen.seal = proof;
        assert_eq!(chain.follow(&[chain.blocks[0].clone(), stolen]).is_ok(), is_taken, "{bound}");
    }
}
