//! The rules of `docs/ledger-rules.md`, one by one.

use super::world::*;
use crate::chain::{
    Amount, Content, Id, Kind, Memo, Operation, Outcome, Parameters, ReasonCode, Receipt, Signatures, Transaction,
    to_canonical,
};
use crate::ledger::execute::undecided;
use crate::ledger::state::{self, Account, audit_supply};
use crate::ledger::{Error, Table};

fn with_nonce(transaction: Transaction, nonce: u64) -> Transaction {
    Transaction { nonce: Some(nonce), ..transaction }
}

fn receipt(outcome: Outcome, from_balance: i64, to_balance: i64) -> Receipt {
    Receipt { outcome, from_balance, to_balance }
}

#[test]
fn a_transfer_moves_its_amount_and_the_receipt_has_both_balances_after() {
    let mut world = rich_alice();
    assert_eq!(world.submit(transfer("alice", "bob", 30)), receipt(Outcome::Applied, 70, 30));
    assert_eq!(world.submit(transfer("bob", "alice", 30)), receipt(Outcome::Applied, 0, 100));
    assert_eq!(world.state.table(Table::Accounts).count(), 1, "an account with nothing in it is not kept");
}

#[test]
fn strict_balances_end_at_zero_and_open_ones_at_the_bound() {
    let mut world = rich_alice();
    let refused = rejected(ReasonCode::InsufficientFunds);
    assert_eq!(world.submit(transfer("alice", "bob", 101)), receipt(refused, 100, 0));
    assert_eq!(world.submit(transfer("alice", "bob", 100)), receipt(Outcome::Applied, 0, 100));

    let mut world = World::new(open(50), &[]);
    assert_eq!(world.submit(transfer("alice", "bob", 51)), receipt(refused, 0, 0));
    assert_eq!(world.submit(transfer("alice", "bob", 50)), receipt(Outcome::Applied, -50, 50));
    assert_eq!(world.submit(transfer("alice", "bob", 1)), receipt(refused, -50, 50));
}

#[test]
fn a_transfer_to_oneself_needs_the_amount_and_costs_the_fee() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 100)]);
    assert_eq!(world.submit(transfer("alice", "alice", 94)).outcome, rejected(ReasonCode::InsufficientFunds));
    assert_eq!(world.submit(transfer("alice", "alice", 93)), receipt(Outcome::Applied, 93, 93));
    assert_eq!(world.balance("v1"), 7);
}

#[test]
fn an_amount_of_zero_is_applied_and_costs_the_fee() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 7)]);
    assert_eq!(world.submit(transfer("alice", "bob", 0)), receipt(Outcome::Applied, 0, 0));
    assert_eq!(world.submit(transfer("alice", "bob", 0)).outcome, rejected(ReasonCode::InsufficientFunds));
}

#[test]
fn a_rejected_transaction_pays_nothing_and_uses_neither_nonce_nor_id() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 10)]);
    let poor = with_nonce(with_id(transfer("alice", "bob", 4), "x"), 0);
    assert_eq!(world.submit(poor.clone()), receipt(rejected(ReasonCode::InsufficientFunds), 10, 0));
    assert_eq!(world.account(&name("alice")), Account { balance: 10, nonce: 0 });
    let affordable = Transaction { amount: amount(3), ..poor };
    assert_eq!(world.submit(affordable), receipt(Outcome::Applied, 0, 3));
    assert_eq!(world.account(&name("alice")), Account { balance: 0, nonce: 1 });
}

#[test]
fn the_fee_is_the_chains_and_an_agreed_fee_is_an_upper_bound() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 100)]);
    let agreed = |fee| Transaction { fee: Some(amount(fee)), ..transfer("alice", "bob", 1) };
    assert_eq!(world.submit(agreed(6)).outcome, rejected(ReasonCode::FeeTooLow));
    assert_eq!(world.submit(agreed(7)).from_balance, 92);
    assert_eq!(world.submit(agreed(50)).from_balance, 84);
}

#[test]
fn fees_and_reward_go_to_the_account_named_like_the_proposer_after_the_transactions() {
    let parameters = Parameters { fee: amount(7), reward: amount(2), ..strict() };
    let mut world = World::new(parameters, &[(name("alice"), 100)]);
    let transactions = [transfer("alice", "bob", 1), transfer("v3", "bob", 1), transfer("alice", "bob", 1)];
    let entries = transactions.into_iter().map(|transaction| world.entry(transaction)).collect();
    let block = world.seal_entries(entries, 2, &[]).clone();
    let (validator, account) = (validator(2), name("v3"));
    let fee =
        Operation::Fee { validator: validator.clone(), account: account.clone(), amount: amount(14), balance: 14 };
    let reward = Operation::Reward { validator, account, amount: amount(2), balance: 16 };
    assert_eq!(block.operations, [fee, reward]);
    assert_eq!(world.balance("v3"), 16);
    let supply = audit_supply(&world.state).unwrap();
    assert_eq!((supply.genesis, supply.minted, supply.burnt), (100 + 5001, 2, 0));
}

#[test]
fn the_first_rule_broken_is_the_reason() {
    let parameters = Parameters { fee: amount(1), block_max_bytes: 1000, ids_remember_blocks: 3, ..strict() };
    let (k1, keyed) = key(1);
    let mut world = World::new(parameters, &[(keyed.clone(), 5), (name("full"), i64::MAX)]);
    world.seal(vec![
        with_nonce(with_id(Transaction::transfer(keyed.clone(), name("bob"), amount(0)), "used"), 0)
            .signed(CHAIN_ID, &k1),
    ]);
    assert_eq!(world.account(&keyed).balance, 4);

    // Breaks every rule; each step mends one and meets the next.
    let mut wrong = Transaction::transfer(keyed.clone(), name("$mint"), amount(100));
    wrong.kind = Kind::Stake;
    wrong.asset = 1;
    wrong.memo = Some(Memo::new(&"\u{1}".repeat(200)).unwrap());
    wrong.valid_until_height = Some(world.height());
    wrong.id = Some(Id::new("used").unwrap());
    wrong.nonce = None;
    wrong.fee = Some(amount(0));
    type Mend<'a> = (ReasonCode, Box<dyn Fn(&mut Transaction) + 'a>);
    let sign = |transaction: &mut Transaction| *transaction = transaction.clone().signed(CHAIN_ID, &k1);
    let until = world.height() + 1;
    let mends: Vec<Mend<'_>> = vec![
        (ReasonCode::UnknownKind, Box::new(|t| t.kind = Kind::Transfer)),
        (ReasonCode::UnknownAsset, Box::new(|t| t.asset = 0)),
        (ReasonCode::ReservedName, Box::new(|t| t.to = name("full"))),
        (ReasonCode::TooLarge, Box::new(|t| t.memo = None)),
        (ReasonCode::SignatureRequired, Box::new(|t| *t = t.clone().signed(CHAIN_ID, &key(2).0))),
        (ReasonCode::BadSignature, Box::new(sign)),
        (ReasonCode::Expired, Box::new(|t| (t.valid_until_height = Some(until + 100), sign(t)).1)),
        (ReasonCode::Conflict, Box::new(|t| (t.id = Some(Id::new("new").unwrap()), sign(t)).1)),
        (ReasonCode::ValidityTooLong, Box::new(|t| (t.valid_until_height = None, sign(t)).1)),
        (ReasonCode::Replayable, Box::new(|t| (t.nonce = Some(0), sign(t)).1)),
        (ReasonCode::BadNonce, Box::new(|t| (t.nonce = Some(1), sign(t)).1)),
        (ReasonCode::FeeTooLow, Box::new(|t| (t.fee = None, sign(t)).1)),
        (ReasonCode::InsufficientFunds, Box::new(|t| (t.amount = amount(3), sign(t)).1)),
        (ReasonCode::BalanceOverflow, Box::new(|t| (t.to = name("bob"), sign(t)).1)),
    ];
    for (reason, mend) in mends {
        let entry = world.entry(wrong.clone());
        let executed = world.execute(&[entry]);
        assert_eq!(executed.receipts[0].unwrap().outcome, rejected(reason));
        mend(&mut wrong);
    }
    assert_eq!(world.submit(wrong), receipt(Outcome::Applied, 0, 3));
}

#[test]
fn nonces_count_from_zero_and_only_transactions_that_carry_one() {
    let mut world = rich_alice();
    let send = |nonce| with_nonce(transfer("alice", "bob", 1), nonce);
    assert_eq!(world.submit(send(1)).outcome, rejected(ReasonCode::BadNonce));
    assert_eq!(world.submit(send(0)).outcome, Outcome::Applied);
    assert_eq!(world.submit(transfer("alice", "bob", 1)).outcome, Outcome::Applied);
    assert_eq!(world.submit(send(0)).outcome, rejected(ReasonCode::BadNonce));
    assert_eq!(world.submit(send(1)).outcome, Outcome::Applied);
    assert_eq!(world.account(&name("alice")), Account { balance: 97, nonce: 2 });
}

#[test]
fn a_transaction_is_valid_through_its_last_height() {
    let mut world = rich_alice();
    let until = |height| Transaction { valid_until_height: Some(height), ..transfer("alice", "bob", 1) };
    assert_eq!(world.submit(until(1)).outcome, Outcome::Applied);
    assert_eq!(world.submit(until(1)).outcome, rejected(ReasonCode::Expired));
    assert_eq!(world.submit(until(u64::MAX)).outcome, Outcome::Applied);
}

#[test]
fn a_signed_transaction_with_an_id_must_die_before_its_id_is_forgotten() {
    let (k1, keyed) = key(1);
    let mut world = World::new(Parameters { ids_remember_blocks: 2, ..strict() }, &[(keyed.clone(), 5)]);
    let signed = |until: u64| {
        let transaction = with_id(Transaction::transfer(keyed.clone(), name("bob"), amount(1)), "x");
        Transaction { valid_until_height: Some(until), ..transaction }.signed(CHAIN_ID, &k1)
    };
    assert_eq!(world.submit(signed(4)).outcome, rejected(ReasonCode::ValidityTooLong));
    let applied = signed(4);
    assert_eq!(world.submit(applied.clone()).outcome, Outcome::Applied, "height 2 remembers through 4");
    let replays: Vec<Outcome> = (3..8).map(|_| world.submit(applied.clone()).outcome).collect();
    let (duplicate, expired) = (rejected(ReasonCode::Duplicate), rejected(ReasonCode::Expired));
    assert_eq!(replays, [duplicate, duplicate, expired, expired, expired]);
}

#[test]
fn who_may_send_is_decided_by_policy_owner_and_signature() {
    let (k1, keyed) = key(1);
    let validator_account = name("v2");
    let applied = Outcome::Applied;
    let (missing, bad) = (rejected(ReasonCode::SignatureRequired), rejected(ReasonCode::BadSignature));
    let forged = |transaction: Transaction| Transaction { amount: amount(2), ..transaction };
    // For each sender: unsigned, signed by its owner (by anybody, for a plain name), by another, and altered after.
    let cases = [
        (Signatures::Required, name("alice"), [missing, bad, bad, bad]),
        (Signatures::Required, keyed.clone(), [missing, applied, bad, bad]),
        (Signatures::Required, validator_account.clone(), [missing, applied, bad, bad]),
        (Signatures::WhenKeyed, name("alice"), [applied, applied, applied, bad]),
        (Signatures::WhenKeyed, keyed.clone(), [missing, applied, bad, bad]),
        (Signatures::WhenKeyed, validator_account.clone(), [missing, applied, bad, bad]),
        (Signatures::Off, name("alice"), [applied, applied, applied, applied]),
        (Signatures::Off, keyed.clone(), [missing, missing, missing, missing]),
        (Signatures::Off, validator_account.clone(), [applied, applied, applied, applied]),
    ];
    for (policy, from, expected) in cases {
        let accounts = [(name("alice"), 9), (keyed.clone(), 9), (validator_account.clone(), 9)];
        let world = World::new(Parameters { signatures: policy, ..strict() }, &accounts);
        let unsigned = with_nonce(Transaction::transfer(from.clone(), name("bob"), amount(1)), 0);
        let owner = if from == validator_account { validator_key(1) } else { k1 };
        let by_owner = unsigned.clone().signed(CHAIN_ID, &owner);
        let by_other = unsigned.clone().signed(CHAIN_ID, &key(3).0);
        let outcomes = [unsigned, by_owner.clone(), by_other, forged(by_owner)].map(|transaction| {
            let mut world = world.clone();
            world.submit(transaction).outcome
        });
        assert_eq!(outcomes, expected, "{policy}, {from}");
    }
}

#[test]
fn a_signature_for_another_chain_is_none() {
    let (k1, keyed) = key(1);
    let mut world = World::new(strict(), &[(keyed.clone(), 9)]);
    let transaction = with_nonce(Transaction::transfer(keyed, name("bob"), amount(1)), 0);
    let elsewhere = transaction.signed("another", &k1);
    assert_eq!(world.submit(elsewhere).outcome, rejected(ReasonCode::BadSignature));
}

#[test]
fn what_the_proposers_balance_cannot_take_is_burnt_or_not_minted() {
    let parameters = Parameters { fee: Amount::MAX, reward: amount(5), ..open(Amount::MAX.get()) };
    let accounts = [(name("v1"), i64::MAX - 10), (name("alice"), Amount::MAX.signed())];
    let mut world = World::new(parameters, &accounts);
    let block = world.seal(vec![transfer("alice", "bob", 0)]).clone();
    let (validator, account) = (validator(0), name("v1"));
    assert_eq!(block.operations, [Operation::Fee { validator, account, amount: amount(10), balance: i64::MAX }]);
    let supply = audit_supply(&world.state).unwrap();
    assert_eq!((supply.minted, supply.burnt), (0, i128::from(Amount::MAX.get()) - 10));
    world.check();
}

#[test]
fn fees_beyond_one_amount_are_paid_in_several_operations() {
    let mut world = World::new(Parameters { fee: Amount::MAX, ..open(Amount::MAX.get()) }, &[]);
    let block = world.seal(["a", "b", "c"].map(|from| transfer(from, "z", 0)).to_vec()).clone();
    let paid: Vec<u64> = (block.operations.iter())
        .map(|operation| match operation {
            Operation::Fee { amount, .. } => amount.get(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(paid, [Amount::MAX.get(); 3]);
    assert_eq!(world.balance("v1"), 3 * Amount::MAX.signed());
    world.check();
}

#[test]
fn a_slash_burns_the_whole_stake_at_once_and_for_ever() {
    let mut world = World::new(Parameters { reward: amount(1), ..strict() }, &[]);
    let before = world.seal(vec![transfer("a", "b", 0)]).clone();
    let entry = world.entry(transfer("a", "b", 0));
    let block = world.seal_entries(vec![entry], 1, &[missed(0, 4), slash(1, 0)]).clone();
    let supply = audit_supply(&world.state).unwrap();
    assert_eq!((supply.minted, supply.burnt), (2, i128::from(STAKES[0])));
    let validators = state::validators(&world.state).unwrap();
    assert_eq!((validators[0].1.stake, validators[0].1.slashed_at_height), (0, Some(2)));
    assert_eq!((validators[4].1.stake, validators[4].1.missed), (STAKES[4], 1));
    assert_ne!(block.header.validators, before.header.validators, "the set that decides on the block is without it");
    assert_eq!(world.balance("v1"), 1, "what it earned before stays");

    let entries = [world.entry(transfer("a", "b", 0))];
    let refused = |proposer: usize, prior: &[Operation]| match world.try_execute(&entries, &validator(proposer), prior)
    {
        Err(Error::Candidate(detail)) => detail,
        other => panic!("{:?}", other.map(|executed| executed.header)),
    };
    assert!(refused(0, &[]).contains("slashed at height 2"), "it proposes no more");
    assert!(refused(1, &[slash(0, 0)]).contains("slashed at height 2"), "it is slashed once");
    assert!(refused(1, &[missed(0, 0)]).contains("slashed at height 2"), "it is not drawn any more");
    world.check();
}

#[test]
fn extreme_values_are_rejected_not_overflowed() {
    let accounts = [(name("max"), i64::MAX), (name("min"), i64::MIN), (name("alice"), 5)];
    for parameters in [strict(), open(Amount::MAX.get())] {
        let parameters = Parameters { fee: Amount::MAX, ids_remember_blocks: u64::MAX, ..parameters };
        let mut world = World::new(parameters, &accounts);
        let mut transactions = Vec::new();
        for from in ["max", "min", "alice", "nobody"] {
            for to in ["max", "min", "alice", "nobody"] {
                let transfer = transfer(from, to, Amount::MAX.get());
                transactions.push(with_id(transfer.clone(), "x"));
                transactions.push(with_nonce(transfer.clone(), u64::MAX));
                transactions.push(Transaction {
                    valid_until_height: Some(u64::MAX),
                    fee: Some(Amount::MAX),
                    ..transfer
                });
            }
        }
        world.seal(transactions);
        audit_supply(&world.state).unwrap();
    }
}

#[test]
fn the_largest_transaction_is_smaller_than_the_bound_that_spares_the_others_from_being_measured() {
    let (k1, _) = key(1);
    let widest = "\"".repeat(128);
    let transaction = Transaction {
        asset: u32::MAX,
        fee: Some(Amount::MAX),
        id: Some(Id::new(&widest).unwrap()),
        nonce: Some(u64::MAX),
        valid_until_height: Some(u64::MAX),
        memo: Some(Memo::new(&"\u{1}".repeat(256)).unwrap()),
        ..transfer(&widest, &widest, Amount::MAX.get())
    };
    let origin = crate::chain::Origin { partition: i32::MIN, offset: i64::MIN, timestamp_ms: i64::MIN };
    let entry = undecided(origin, crate::chain::Hash::ZERO, transaction.signed(CHAIN_ID, &k1));
    let size_bytes = entry.rendered_size_bytes() as u64;
    assert!((3_000..super::super::execute::TRANSACTION_SIZE_BYTES_MAX).contains(&size_bytes), "{size_bytes}");
}

#[test]
fn the_roots_are_those_of_the_rendered_entries() {
    let mut world = rich_alice();
    let entries =
        vec![world.entry(transfer("alice", "bob", 1)), world.stub(), world.entry(transfer("bob", "alice", 9))];
    let block = world.seal_entries(entries, 0, &[]).clone();
    assert_eq!(block.header.transactions_root, crate::chain::check::transactions_root(&block.entries));
    assert_eq!(block.header.operations_root, crate::chain::check::operations_root(&block.operations));
    assert_eq!(block.header.ranges, crate::chain::check::ranges(&block.entries));
    assert!(matches!(block.entries[1].content, Content::Stub { .. }));
}

#[test]
fn an_account_of_the_state_can_be_proved_against_the_header() {
    let mut world = rich_alice();
    world.seal(vec![transfer("alice", "bob", 30)]);
    let root = world.blocks[0].header.state_root;
    let proof_of = |name: &str| world.tree.prove(&Table::Accounts.path(name.as_bytes()));
    let value = |balance| crate::chain::Hash::of(&to_canonical(&Account { balance, nonce: 0 }));
    let path = |name: &str| Table::Accounts.path(name.as_bytes());
    assert_eq!(proof_of("bob").verify(root, &path("bob"), Some(&value(30))), Ok(()));
    assert!(proof_of("bob").verify(root, &path("bob"), Some(&value(31))).is_err());
    assert_eq!(proof_of("carol").verify(root, &path("carol"), None), Ok(()));
}
