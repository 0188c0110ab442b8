//! The two systems this one grew from, by configuration alone: parameters from the environment, values as people sent
//! them. What was wrong with them must not happen here.

use std::collections::BTreeSet;

use cairn::audit::Reason;
use cairn::chain::{Block, Content, Cut, Operation, Outcome, Read, ReasonCode};
use cairn::consensus::Fault;

use crate::attack::{Skill, altered};
use crate::chain::{Chain, Run, TRANSACTIONS, Topics};
use crate::work::{self, MINED};

/// A run as somebody starts it who sets these variables and nothing else.
fn configured(variables: &[(&str, &str)], faults: &[(&str, Fault)]) -> Run {
    let (genesis, keys) = work::configured(variables);
    Run::with_genesis(genesis, keys, faults)
}

const STAKED: [(&str, &str); 3] =
    [("CAIRN_FEE", "7"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_WINDOW_MS", "0")];

/// A value as the registry's serializer wrote it: a zero, the schema's id in four bytes, JSON.
fn framed(sender: &str, recipient: &str, amount: u64) -> Vec<u8> {
    let json = format!(r#"{{"Amount":{amount},"Recipient":"{recipient}","Sender":"{sender}"}}"#);
    [&[0, 0, 0, 0, 1], json.as_bytes()].concat()
}

fn staked(blocks: u64, faults: &[(&str, Fault)]) -> Run {
    let mut run = configured(&STAKED, faults);
    for number in 0..blocks * 3 {
        run.send(framed("alice", "bob", 1 + number % 3));
    }
    run.driver.commit().unwrap();
    run
}

fn offsets(chain: &Chain) -> Vec<i64> {
    chain.blocks.iter().flat_map(|block| &block.entries).map(|entry| entry.origin.offset).collect()
}

fn balances(block: &Block) -> (i64, i64) {
    let Content::Transaction { receipt, .. } = &block.entries.last().unwrap().content else { panic!("a stub") };
    (receipt.from_balance, receipt.to_balance)
}

fn slashes(chain: &Chain) -> Vec<(u64, &str, u64)> {
    let of = |block: &Block| block.header.height;
    let operations = chain.blocks.iter().flat_map(|block| block.operations.iter().map(move |at| (of(block), at)));
    let slash = |(height, operation)| match operation {
        &Operation::Slash { ref validator, amount, .. } => Some((height, validator.as_str(), amount)),
        _ => None,
    };
    operations.filter_map(slash).collect()
}

#[test]
fn stake_a_block_per_three_transactions_and_a_fee_of_seven_to_its_validator() {
    let chain = staked(4, &[]).chain();
    let stakes: Vec<u64> = chain.genesis.validators.iter().map(|validator| validator.stake).collect();
    assert_eq!((stakes.len(), stakes.iter().max()), (5, Some(&2000)));
    assert_eq!(chain.blocks.len(), 5);
    for block in &chain.blocks[1..] {
        assert_eq!((block.entries.len(), block.header.cut), (3, Cut::Transactions));
        let [Operation::Fee { validator, amount, .. }] = &block.operations[..] else {
            panic!("{:?}", block.operations)
        };
        assert_eq!((validator, amount.get()), (block.header.proposer().unwrap(), 21));
    }
    assert_eq!(balances(&chain.blocks[4]), (-(24 + 12 * 7), 24));
    assert_eq!(Topics::of(&chain).verify().unwrap().compared_count, 12);
}

#[test]
fn stake_a_cheat_loses_all_of_it_once_and_is_still_out_after_a_restart() {
    let mut run = staked(20, &[("validator-1", Fault::AlterAmount)]);
    run.driver.abort().unwrap();
    for _ in 0..60 {
        run.send(framed("bob", "alice", 1));
    }
    run.driver.commit().unwrap();
    let chain = run.chain();
    let [(height, "validator-1", 2000)] = slashes(&chain)[..] else { panic!("{:?}", slashes(&chain)) };
    assert!(height <= 20, "before the restart");
    assert!(chain.blocks.iter().all(|block| block.header.proposer().is_none_or(|id| id.as_str() != "validator-1")));
    assert_eq!(Topics::of(&chain).verify().unwrap().summary.supply.burnt, 2000);
}

#[test]
fn stake_swapped_amounts_of_one_sum_are_found_whoever_swaps_them() {
    let chain = staked(3, &[]).chain();
    let swap = |blocks: &mut Vec<Block>| {
        let (one, two) = blocks[2].entries.split_at_mut(1);
        let (Content::Transaction { transaction: one, .. }, Content::Transaction { transaction: two, .. }) =
            (&mut one[0].content, &mut two[0].content)
        else {
            panic!("a stub")
        };
        std::mem::swap(&mut one.amount, &mut two.amount);
    };
    for (skill, reason) in [
        (Skill::Writes, Reason::Form),
        (Skill::Hashes, Reason::Seal),
        (Skill::Executes, Reason::Seal),
        (Skill::Seals, Reason::Execution),
        (Skill::ExecutesAndSeals, Reason::Transactions),
    ] {
        let blocks = altered(&chain, 2, skill, swap);
        let broken = Topics::new(&blocks, &chain.transactions).verify().unwrap_err();
        assert_eq!((broken.height, broken.reason), (2, reason), "{skill:?}: {}", broken.detail);
    }
}

#[test]
fn stake_somebody_is_always_drawn_and_everybody_sometimes() {
    let chain = staked(80, &[]).chain();
    assert_eq!(chain.blocks.len(), 81);
    let proposers: BTreeSet<&str> =
        chain.blocks[1..].iter().map(|block| block.header.proposer().unwrap().as_str()).collect();
    assert_eq!(proposers.len(), 5, "{proposers:?}");
}

#[test]
fn stake_the_same_input_gives_the_same_chain_whatever_the_clock_says() {
    let faults = [("validator-3", Fault::Equivocate)];
    let at_once = staked(10, &faults).chain();
    let mut slowly = configured(&STAKED, &faults);
    for record in &at_once.transactions {
        slowly.driver.advance_clock(97).unwrap();
        slowly.send(record.value.as_deref().unwrap());
        slowly.driver.commit().unwrap();
    }
    assert_eq!(slowly.chain().blocks, at_once.blocks);
}

#[test]
fn stake_an_unfinished_batch_waits_and_survives_a_restart() {
    let mut run = staked(2, &[]);
    run.send(framed("alice", "bob", 5));
    run.driver.commit().unwrap();
    assert_eq!((run.chain().blocks.len(), run.driver.committed_offset(TRANSACTIONS)), (3, Some(6)));
    run.driver.abort().unwrap();
    run.driver.end_of_input().unwrap();
    let chain = run.chain();
    assert_eq!(offsets(&chain), (0..7).collect::<Vec<_>>());
    assert_eq!(chain.blocks[3].header.cut, Cut::End);
}

#[test]
fn stake_who_has_nothing_pays_nothing_where_balances_are_strict() {
    let strict = [STAKED.as_slice(), &[("CAIRN_BALANCES", "strict")]].concat();
    let mut run = configured(&strict, &[]);
    for _ in 0..3 {
        run.send(framed("alice", "bob", 1));
    }
    run.driver.commit().unwrap();
    let chain = run.chain();
    assert_eq!((balances(&chain.blocks[1]), chain.blocks[1].operations.len()), ((0, 0), 0));
    let rejected = Outcome::Rejected(ReasonCode::InsufficientFunds);
    let is_rejected =
        |content: &Content| matches!(content, Content::Transaction { receipt, .. } if receipt.outcome == rejected);
    assert!(chain.blocks[1].entries.iter().all(|entry| is_rejected(&entry.content)));
}

#[test]
fn work_a_block_per_three_transactions_and_a_reward_of_one() {
    let mut run = configured(&MINED, &[]);
    for _ in 0..9 {
        run.transfer("alice", "bob", 3);
    }
    run.driver.commit().unwrap();
    let chain = run.chain();
    assert_eq!(chain.blocks.len(), 4);
    for (at, block) in chain.blocks.iter().enumerate().skip(1) {
        assert_eq!((block.entries.len(), block.header.parent), (3, chain.blocks[at - 1].hash));
        let [Operation::MinerReward { account, amount, .. }] = &block.operations[..] else { panic!() };
        assert_eq!((account.as_str(), amount.get()), (block.header.maker().unwrap(), 1));
    }
    assert_eq!(balances(&chain.blocks[3]), (-27, 27));
    assert_eq!(Topics::of(&chain).verify().unwrap().summary.supply.minted, 3);
}

#[test]
fn work_a_reward_cannot_be_claimed_by_a_transaction_from_nobody() {
    let mut run = configured(&MINED, &[]);
    for _ in 0..3 {
        run.transfer("0", "mallory", 1);
    }
    run.driver.commit().unwrap();
    let chain = run.chain();
    assert_eq!(balances(&chain.blocks[1]), (0, 0), "`0` is nobody's account");
    assert_eq!(Topics::of(&chain).verify().unwrap().summary.supply.minted, 0);
}

#[test]
fn work_a_crash_loses_nothing_repeats_nothing_and_forks_nothing() {
    let mut run = configured(&MINED, &[]);
    for number in 0..50 {
        run.transfer("alice", "bob", 1 + number);
        match number % 5 {
            1 | 4 => run.driver.abort().unwrap(),
            2 => run.driver.commit().unwrap(),
            _ => {}
        }
        let sealed = offsets(&run.chain()).len() as i64;
        assert_eq!(run.driver.committed_offset(TRANSACTIONS), Some(sealed), "no offset is committed before its block");
    }
    run.driver.end_of_input().unwrap();
    let chain = run.chain();
    assert_eq!(offsets(&chain), (0..50).collect::<Vec<_>>());
    // What was produced and then aborted is what was produced in the end: there is one block for a height.
    let blocks = run.driver.aborted().iter().filter(|(topic, _)| topic == crate::chain::BLOCKCHAIN);
    let mut aborted_count = 0;
    for (_, record) in blocks {
        let block =
            Block::from_record(record.key.as_deref(), record.value.as_deref()).and_then(Read::block).unwrap().unwrap();
        assert_eq!(chain.blocks[block.header.height as usize], block);
        aborted_count += 1;
    }
    assert!(aborted_count > 0);
    assert_eq!(Topics::of(&chain).verify().unwrap().compared_count, 50);
}
