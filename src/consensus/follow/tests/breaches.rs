//! Every kind of breach.

use super::*;
use crate::chain::{Content, Cut, Operation, Parameters};
use crate::consensus::{Decision, Step};

/// The blocks after an alteration of one of them, sealed and hashed again from there on.
fn altered(blocks: &[Block], at: usize, alter: impl Fn(&mut Block)) -> Vec<Block> {
    let mut blocks = blocks.to_vec();
    alter(&mut blocks[at]);
    assert_ne!(blocks[at].to_json(), "", "it still has a rendering");
    for height in at..blocks.len() {
        rehash(&mut blocks[..=height], height);
        reseal(&mut blocks[height]);
    }
    blocks
}

#[test]
fn heights_follow_each_other_each_once() {
    let blocks = chain(6).blocks;
    let without = |at: usize| [&blocks[..at], &blocks[at + 1..]].concat();
    assert_broken(&without(0), 0, Reason::Height);
    assert_broken(&without(3), 3, Reason::Height);
    let twice = [&blocks[..4], &blocks[3..]].concat();
    assert_broken(&twice, 3, Reason::Height);
}

#[test]
fn a_block_that_contradicts_itself_is_of_no_form() {
    let mut blocks = chain(4).blocks;
    let Content::Transaction { receipt, .. } = &mut blocks[2].entries[0].content else { panic!() };
    receipt.to_balance += 1;
    assert_broken(&blocks, 2, Reason::Form);
}

#[test]
fn a_block_follows_the_one_before_it() {
    let blocks = chain(6).blocks;
    for alter in [
        (|header: &mut Header| header.parent = Hash([1; 32])) as fn(&mut Header),
        |header| header.history = Hash([1; 32]),
        |header| header.genesis = Hash([1; 32]),
        |header| header.active_height += 5,
    ] {
        let mut blocks = blocks.clone();
        alter(&mut blocks[3].header);
        blocks[3].hash = blocks[3].header.hash();
        reseal(&mut blocks[3]);
        assert_broken(&blocks, 3, Reason::Parent);
    }
    // The same records again.
    let entries = blocks[2].entries.clone();
    assert_broken(&altered(&blocks, 3, |block| block.entries = entries.clone()), 3, Reason::Parent);
}

#[test]
fn the_version_of_a_block_is_the_scheduled_one_and_a_newer_one_is_no_breach() {
    let blocks = chain(4).blocks;
    let with = |version| {
        let mut blocks = blocks.clone();
        blocks[3].header.version = version;
        blocks[3].hash = blocks[3].header.hash();
        blocks
    };
    assert_broken(&with(0), 3, Reason::Form);
    assert!(matches!(follow(&with(Header::VERSION + 1)), Err(Error::Newer(_))));
}

#[test]
fn the_drawn_validator_proposes_and_every_failed_round_is_accounted_for() {
    let blocks = chain(20).blocks;
    let failed = blocks.iter().position(|block| block.header.round() > 0).unwrap();
    let another = |block: &mut Block| {
        let proposer = &mut block.header.stake_mut().unwrap().proposer;
        let other = if proposer.as_str() == "validator-1" { "validator-3" } else { "validator-1" };
        *proposer = other.parse().unwrap();
    };
    assert_broken(&altered(&blocks, 2, another), 2, Reason::Rounds);
    let unaccounted = |block: &mut Block| drop(block.operations.remove(0));
    assert_broken(&altered(&blocks, failed, unaccounted), failed as u64, Reason::Rounds);
    let cheaper = |block: &mut Block| {
        let Operation::Slash { amount, .. } = &mut block.operations[0] else { panic!() };
        *amount -= 1;
    };
    assert_broken(&altered(&blocks, failed, cheaper), failed as u64, Reason::Rounds);
}

#[test]
fn a_seal_that_does_not_hold_is_named_at_its_height_whatever_comes_behind() {
    let blocks = chain(6).blocks;
    let forged = |at: usize| {
        let mut blocks = blocks.clone();
        let other = blocks[at - 1].seal.as_ref().unwrap().stake().unwrap().attestation;
        blocks[at].seal.as_mut().unwrap().stake_mut().unwrap().attestation = other;
        blocks
    };
    assert_broken(&forged(3), 3, Reason::Seal);
    // A later breach of another kind is found first, and told second.
    let mut behind = forged(3);
    behind.remove(5);
    assert_broken(&behind, 3, Reason::Seal);
    // An earlier one is told.
    let mut before = forged(4);
    let Content::Transaction { receipt, .. } = &mut before[2].entries[0].content else { panic!() };
    receipt.to_balance += 1;
    assert_broken(&before, 2, Reason::Form);
    let mut unsealed = blocks.clone();
    unsealed[3].seal = None;
    assert_broken(&unsealed, 3, Reason::Form);
}

#[test]
fn many_seals_are_checked_together_and_a_bad_one_among_them_is_found() {
    let mut blocks = chain(70).blocks;
    let other = blocks[1].seal.as_ref().unwrap().stake().unwrap().attestation;
    blocks[40].seal.as_mut().unwrap().stake_mut().unwrap().attestation = other;
    let mut follower = follower();
    let stopped = blocks.iter().position(|block| follower.follow(block).is_err());
    assert_eq!(stopped, Some(64), "when 64 are due");
    assert_broken(&blocks, 40, Reason::Seal);
}

#[test]
fn executing_the_records_gives_what_the_block_says() {
    let blocks = chain(6).blocks;
    let state_root = |block: &mut Block| block.header.state_root = Hash([1; 32]);
    assert_broken(&altered(&blocks, 3, state_root), 3, Reason::Execution);
    let receipt = |block: &mut Block| {
        let Content::Transaction { receipt, .. } = &mut block.entries[1].content else { panic!() };
        receipt.from_balance -= 1;
    };
    assert_broken(&altered(&blocks, 3, receipt), 3, Reason::Execution);
    let reward = |block: &mut Block| drop(block.operations.pop());
    assert_broken(&altered(&blocks, 3, reward), 3, Reason::Execution);
}

#[test]
fn a_block_ends_where_the_rules_end_it() {
    let blocks = chain(6).blocks;
    // Sealed as a whole committee would: two of three records, and a reason that the records do not bear out.
    let shorter = |block: &mut Block| block.header.cut = Cut::Window;
    assert_broken(&altered(&blocks, 3, shorter), 3, Reason::Cut);
}

/// A chain whose blocks end with event-time windows, and the records behind it.
fn windowed() -> (Vec<Block>, Entry) {
    let mut genesis = genesis();
    genesis.parameters = Parameters { block_window_ms: 1_000, block_max_transactions: 100, ..genesis.parameters };
    let mut chain = Chain::with_keys(genesis, keys());
    let entry = |number: i64, timestamp_ms: i64| {
        let value = br#"{"from":"a","to":"b","amount":1}"#;
        Entry::of_record(0, number, timestamp_ms, None, Some(value)).0
    };
    for number in 0..3 {
        let mut entries = vec![entry(2 * number, number * 1_000), entry(2 * number + 1, number * 1_000 + 5)];
        let Step::Sealed(sealed) = chain.call_with(&mut entries, Cut::Window).unwrap() else { panic!() };
        chain.commit(*sealed);
    }
    (chain.blocks.clone(), entry(6, 3_000))
}

#[test]
fn a_cut_by_window_is_proved_by_the_record_behind_it() {
    let (blocks, next) = windowed();
    let mut follower = follower();
    blocks.iter().for_each(|block| follower.follow(block).unwrap());
    follower.check_last_cut(&Item::from(&next)).unwrap();
    follower.conclude(None).unwrap();
    // A record of the same window behind the last block: that block was cut too early.
    let mut follower = self::follower();
    blocks.iter().for_each(|block| follower.follow(block).unwrap());
    let mut early = next;
    early.origin.timestamp_ms = 2_999;
    let error = follower.check_last_cut(&Item::from(&early)).unwrap_err();
    assert!(matches!(error, Error::Broken(Broken { height: 3, reason: Reason::Cut, .. })), "{error}");
}

#[test]
fn a_cut_by_window_that_the_next_block_contradicts_is_named_at_the_block_that_was_cut() {
    let (blocks, _) = windowed();
    // The same records, cut in the middle of a window by those who hold the keys.
    let mut genesis = blocks[0].genesis.clone().unwrap();
    genesis.parameters.block_window_ms = 10_000;
    let mut chain = Chain::with_keys(genesis, keys());
    for block in &blocks[1..] {
        let mut entries = block.entries.clone();
        let Step::Sealed(sealed) = chain.call_with(&mut entries, Cut::Window).unwrap() else { panic!() };
        chain.commit(*sealed);
    }
    assert_broken(&chain.blocks, 1, Reason::Cut);
}

#[test]
fn a_recorded_cut_needs_no_record_behind_it() {
    let mut chain = chain(2);
    chain.decisions.push(Decision::Cut { height: 3, cut: Cut::Age, through_offset: 6 });
    let mut entries = crate::consensus::stake::tests::simulated::input(3);
    entries.truncate(1);
    loop {
        match chain.call_with(&mut entries, Cut::Age).unwrap() {
            Step::Sealed(sealed) => break chain.commit(*sealed),
            Step::NeedDecision(decision) => chain.decisions.push(decision),
            Step::Waiting { .. } | Step::Unproved(_) => panic!(),
        }
    }
    assert!(follow(&chain.blocks).is_ok());
}
