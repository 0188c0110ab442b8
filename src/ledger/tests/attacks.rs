//! What somebody who can write to the topic has tried, or could: none of it may last, pay, or make the chain forget.

use super::laws::receipts;
use super::world::*;
use crate::chain::{Amount, Block, Content, Entry, Outcome, Parameters, ReasonCode, Transaction};
use crate::ledger::cut::{Cutter, Item, Placing};
use crate::ledger::state::Account;
use crate::ledger::{Known, Table};

/// Cuts the entries by the rules and seals what they end; what is left over is sealed at the end.
fn run(world: &mut World, entries: Vec<Entry>) -> Vec<Block> {
    let first = world.blocks.len();
    let mut cutter = Cutter::new(world.parameters(), world.replica.tip().time_ms);
    let mut open: Vec<Entry> = Vec::new();
    for entry in entries {
        let item = Item::from(&entry);
        if let Placing::CutBefore(_) = cutter.offer(&item) {
            cutter.close();
            world.seal_entries(std::mem::take(&mut open), 0, &[]);
            assert!(!matches!(cutter.offer(&item), Placing::CutBefore(_)));
        }
        open.push(entry);
        if transaction_count(&open) >= world.parameters().block_max_transactions as usize {
            cutter.close();
            world.seal_entries(std::mem::take(&mut open), 0, &[]);
        }
    }
    if !open.is_empty() {
        world.seal_entries(open, 0, &[]);
    }
    world.blocks[first..].to_vec()
}

fn transaction_count(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| matches!(entry.content, Content::Transaction { .. })).count()
}

fn outcome(block: &Block) -> Outcome {
    receipts(block).next().unwrap().1.outcome
}

/// Blocks of three, and ids remembered for twenty of them.
fn three_per_block() -> Parameters {
    let (block_window_ms, reward) = (0, amount(5));
    Parameters { block_max_transactions: 3, block_window_ms, ids_remember_blocks: 20, reward, ..strict() }
}

/// A chain on which alice has paid bob once, under an id.
fn paid_once(parameters: Parameters) -> (World, Transaction) {
    let mut world = World::new(parameters, &[(name("alice"), 100)]);
    let payment = with_id(transfer("alice", "bob", 10), "invoice-1");
    assert_eq!(world.submit(payment.clone()).outcome, Outcome::Applied);
    (world, payment)
}

#[test]
fn thirty_thousand_records_of_one_byte_flush_no_ids_and_earn_no_rewards() {
    let parameters = Parameters { block_max_bytes: 64 * 1024, ..three_per_block() };
    let (mut world, payment) = paid_once(parameters);
    let earned = world.balance("$v1");
    let entries: Vec<Entry> = (0..30_000).map(|_| world.stub()).collect();
    let blocks = run(&mut world, entries);
    assert!(blocks.len() > 20, "more blocks than ids are remembered for: {}", blocks.len());
    assert!(blocks.iter().all(|block| block.operations.is_empty() && block.header.active_height == 1));
    assert_eq!(world.balance("$v1"), earned);
    assert_eq!(world.submit(payment).outcome, rejected(ReasonCode::Duplicate));
    world.check();
}

#[test]
fn rejected_transactions_flush_no_ids_and_earn_no_rewards() {
    let parameters = three_per_block();
    let (mut world, payment) = paid_once(parameters);
    let earned = world.balance("$v1");
    let entries = (0..300).map(|_| world.entry(transfer("nobody", "mallory", 1))).collect();
    assert_eq!(run(&mut world, entries).len(), 100);
    assert_eq!((world.balance("$v1"), world.replica.tip().active_height), (earned, 1));
    assert_eq!(world.submit(payment).outcome, rejected(ReasonCode::Duplicate));
    world.check();
}

#[test]
fn a_timestamp_far_in_the_future_flushes_no_ids() {
    let parameters = Parameters { ids_remember_blocks: 5, block_window_ms: 1_000, ..strict() };
    let (mut world, payment) = paid_once(parameters);
    let mut entries = Vec::new();
    for steps in 1..=50 {
        // A window of its own for each, ever further ahead, up to the end of time.
        let mut entry = world.stub();
        entry.origin.timestamp_ms = crate::chain::TIMESTAMP_MS_MAX / 50 * steps;
        entries.push(entry);
    }
    assert_eq!(run(&mut world, entries).len(), 50);
    assert_eq!(world.replica.tip().active_height, 1);
    assert_eq!(world.submit(payment).outcome, rejected(ReasonCode::Duplicate));
    world.check();
}

#[test]
fn three_hundred_thousand_empty_transfers_of_an_unfunded_sender_leave_nothing() {
    let (mut world, _) = paid_once(Parameters { block_max_bytes: 7 * 1024 * 1024, ..strict() });
    let before: Vec<usize> = Table::ALL.into_iter().map(|table| world.count(table)).collect();
    let tree_length = world.replica.tree().len();
    for batch in 0..30 {
        let entries = (0..10_000).map(|n| {
            let sender = format!("sock-{batch}-{n}");
            world.entry(with_nonce(with_id(transfer(&sender, "mallory", 0), "x"), 0))
        });
        let entries = entries.collect();
        world.seal_entries(entries, 0, &[]);
        assert!(receipts(&world.blocks[world.blocks.len() - 1]).all(|(_, receipt)| !receipt.is_applied()));
    }
    assert_eq!(Table::ALL.into_iter().map(|table| world.count(table)).collect::<Vec<_>>(), before);
    assert_eq!(world.replica.tree().len(), tree_length);
    world.check();
}

#[test]
fn one_unit_passed_along_fresh_accounts_with_nonces_leaves_no_more_accounts_than_units() {
    for units in [1u64, 2, 5] {
        let mut world = World::new(strict(), &[(name("hop-0"), units.cast_signed())]);
        for hop in 0..50u64 {
            let (from, to) = (format!("hop-{hop}"), format!("hop-{}", hop + 1));
            let left = world.balance(&from).cast_unsigned();
            if left == 0 {
                break;
            }
            // As much as goes with a nonce; then the rest, without one.
            for amount in [left, left - 1].into_iter().filter(|amount| *amount > 0) {
                world.submit(with_nonce(transfer(&from, &to, amount), 0));
            }
            let rest = world.balance(&from).cast_unsigned();
            if rest > 0 {
                world.submit(transfer(&from, &to, rest));
            }
        }
        assert!(
            world.count(Table::Accounts) as u64 <= units,
            "{} accounts of {units} units",
            world.count(Table::Accounts)
        );
        assert_eq!(world.accounts().map(|account| account.balance).sum::<i64>(), units.cast_signed());
        world.check();
    }
}

#[test]
fn an_account_that_has_used_a_nonce_keeps_a_unit_whoever_it_pays() {
    let mut world = World::new(Parameters { fee: amount(1), ..strict() }, &[(name("alice"), 10)]);
    let all = |nonce: Option<u64>, units| Transaction { nonce, ..transfer("alice", "bob", units) };
    assert_eq!(world.submit(all(Some(0), 9)).outcome, rejected(ReasonCode::InsufficientFunds));
    assert_eq!(world.submit(all(Some(0), 3)).outcome, Outcome::Applied);
    assert_eq!(world.submit(all(None, 5)).outcome, rejected(ReasonCode::InsufficientFunds), "from now on also without");
    assert_eq!(world.submit(transfer("alice", "alice", 5)).outcome, rejected(ReasonCode::InsufficientFunds));
    assert_eq!(world.submit(all(None, 4)).outcome, Outcome::Applied);
    assert_eq!(world.account(&name("alice")), Account { balance: 1, nonce: 1 });
    assert_eq!(world.submit(transfer("bob", "carol", 6)).outcome, Outcome::Applied);
    assert_eq!(world.balance("bob"), 0, "an account without a nonce goes to nothing");
}

#[test]
fn a_validators_earnings_cannot_be_blocked_by_filling_them_up() {
    let parameters = Parameters { fee: amount(3), reward: amount(5), ..open(Amount::MAX.get()) };
    let mut world = World::new(parameters, &[]);
    let all = transfer("mallory", "$v1", Amount::MAX.get() - 3);
    assert_eq!(world.submit(all).outcome, rejected(ReasonCode::ReservedName));
    // The name without the sign is an account like others: it may be filled, and earns nothing.
    assert_eq!(world.submit(transfer("mallory", "v1", Amount::MAX.get() - 3)).outcome, Outcome::Applied);
    assert_eq!(world.submit(transfer("eve", "v1", 1)).outcome, Outcome::Applied);
    assert_eq!(world.balance("$v1"), 2 * (3 + 5));
    assert_eq!(world.balance("v1"), Amount::MAX.signed() - 2);
    world.check();
}

#[test]
fn a_validators_earnings_are_not_given_away_by_an_unsigned_transfer_where_signatures_are_off() {
    let mut world = World::new(without_signatures(Parameters { reward: amount(50), ..open(100) }), &[]);
    world.submit(transfer("alice", "bob", 1));
    assert_eq!(world.balance("$v1"), 50);
    assert_eq!(world.submit(transfer("$v1", "mallory", 50)).outcome, rejected(ReasonCode::SignatureRequired));
    for stranger in ["$v9", "$system", "$"] {
        assert_eq!(world.submit(transfer(stranger, "mallory", 1)).outcome, rejected(ReasonCode::ReservedName));
    }
    assert_eq!(world.balance("$v1"), 50);
}

#[test]
fn no_balance_passes_what_every_json_reader_holds() {
    let mut world = World::new(open(Amount::MAX.get()), &[]);
    let most = Amount::MAX.get();
    assert_eq!(world.submit(transfer("alice", "bob", most)).outcome, Outcome::Applied);
    assert_eq!((world.balance("alice"), world.balance("bob")), (Account::BALANCE_MIN, Account::BALANCE_MAX));
    assert_eq!(world.submit(transfer("alice", "carol", 1)).outcome, rejected(ReasonCode::InsufficientFunds));
    assert_eq!(world.submit(transfer("carol", "bob", 1)).outcome, rejected(ReasonCode::BalanceOverflow));
    // To oneself: the debit is credited again, and the bound is kept in between.
    assert_eq!(world.submit(transfer("bob", "bob", most)).outcome, Outcome::Applied);
    world.check();
}

#[test]
fn a_block_that_takes_records_twice_does_not_re_execute() {
    let mut world = rich_alice();
    world.seal(vec![transfer("alice", "bob", 1)]);
    let parent = world.clone();
    let mut block = world.seal(vec![transfer("alice", "bob", 1)]).clone();
    assert_eq!(outcome(&block), Outcome::Applied);
    block.entries[0].origin.offset = 0;
    match parent.reexecute(&block, Known::default()) {
        crate::ledger::reexecute::Reexecuted::Differs(difference) => assert_eq!(difference.field, "header.ranges"),
        other => panic!("{other:?}"),
    }
}
