//! The two systems this one grew from, by configuration alone; and their defects, which must not return.

use super::world::*;
use crate::chain::{Balances, Block, Content, Cut, Operation, Outcome, Parameters, Transaction};
use crate::ledger::Cutter;
use crate::ledger::cut::{Item, Placing};
use crate::ledger::state;

/// Cuts and seals transactions as they come; answers how many are left over, waiting for their block.
fn run(world: &mut World, transactions: Vec<Transaction>, proposers: &[usize]) -> usize {
    let mut cutter = Cutter::new(world.parameters(), 0);
    let mut held = Vec::new();
    for transaction in transactions {
        let entry = world.entry(transaction);
        let verdict = cutter.offer(&Item::from(&entry));
        held.push(entry);
        match verdict {
            Placing::Keep => {}
            Placing::CutAfter(cut) => {
                assert_eq!(cut, Cut::Transactions);
                cutter.close();
                let proposer = proposers[world.blocks.len() % proposers.len()];
                world.seal_entries(std::mem::take(&mut held), proposer, &[]);
            }
            Placing::CutBefore(cut) => panic!("{cut}"),
        }
    }
    held.len()
}

fn seed_system(fee: u64, reward: u64) -> Parameters {
    let (fee, reward) = (amount(fee), amount(reward));
    let open = Parameters { block_max_transactions: 3, block_window_ms: 0, fee, reward, ..open(1_000_000) };
    without_signatures(open)
}

#[test]
fn the_proof_of_stake_processor_a_block_per_three_fee_seven_and_a_cheat_loses_everything() {
    let mut world = World::new(seed_system(7, 0), &[]);
    let people = ["alice", "bob", "carol"];
    let transactions = (0..7).map(|n| transfer(people[n % 3], people[(n + 1) % 3], 10 * n as u64 + 1)).collect();
    assert_eq!(run(&mut world, transactions, &[0, 3]), 1, "an unfinished batch waits, it is not lost");
    assert_eq!(world.blocks.len(), 2);
    assert!(world.blocks.iter().all(|block| block.entries.len() == 3));
    assert_eq!((world.balance("$v1"), world.balance("$v4")), (21, 21), "the fees of a block go to its proposer");

    let entries = (1..4).map(|n| world.entry(transfer("alice", "bob", n))).collect();
    world.seal_entries(entries, 1, &[slash(0, 0)]);
    let validators = state::validators(&world.state).unwrap();
    assert_eq!(validators.iter().map(|(_, record)| record.stake).collect::<Vec<_>>(), [0, 1500, 1000, 500, 1]);
    assert_eq!(world.replica.supply().burnt, 2000);
    world.check();
}

#[test]
fn the_proof_of_work_chain_a_block_per_three_and_a_reward_of_one() {
    let mut world = World::new(seed_system(0, 1), &[]);
    let transactions = (0..9).map(|_| transfer("alice", "bob", 3)).collect();
    assert_eq!(run(&mut world, transactions, &[2]), 0);
    assert_eq!(world.blocks.len(), 3);
    for block in &world.blocks {
        assert!(matches!(&block.operations[..], [Operation::Reward { amount, .. }] if amount.get() == 1));
    }
    assert_eq!((world.balance("alice"), world.balance("bob"), world.balance("$v3")), (-27, 27, 3));
    world.check();
}

#[test]
fn swapping_two_transactions_of_one_sum_changes_the_hash() {
    let blocks: Vec<Block> = [[(1, 2), (2, 1)], [(2, 1), (1, 2)]]
        .into_iter()
        .map(|amounts| {
            let mut world = World::new(seed_system(0, 0), &[]);
            let (one, two) = (amounts[0].0, amounts[1].0);
            world.seal(vec![transfer("alice", "bob", one), transfer("bob", "alice", two)]).clone()
        })
        .collect();
    assert_ne!(blocks[0].hash, blocks[1].hash);
    assert_ne!(blocks[0].header.transactions_root, blocks[1].header.transactions_root);
}

#[test]
fn an_unfunded_sender_is_rejected_where_balances_are_strict() {
    let parameters = Parameters { balances: Balances::Strict, ..seed_system(7, 0) };
    let mut world = World::new(parameters, &[(name("alice"), 20)]);
    let block = world.seal(vec![transfer("alice", "bob", 10), transfer("alice", "bob", 10)]).clone();
    let outcomes: Vec<Outcome> = (block.entries.iter())
        .map(|entry| match &entry.content {
            Content::Transaction { receipt, .. } => receipt.outcome,
            Content::Stub { .. } => unreachable!(),
        })
        .collect();
    assert_eq!(outcomes, [Outcome::Applied, rejected(crate::chain::ReasonCode::InsufficientFunds)]);
    assert_eq!(world.balance("bob"), 10);
}
