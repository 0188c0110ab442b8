//! The rules of `docs/ledger-rules.md`, one by one.

use super::world::*;
use crate::chain::{
    Amount, Content, Id, Kind, Memo, Outcome, Parameters, ReasonCode, Receipt, Signatures, Transaction,
};
use crate::ledger::Table;
use crate::ledger::state::Account;

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
    assert_eq!(world.balance("$v1"), 7);
}

#[test]
fn an_amount_of_zero_moves_nothing_and_is_rejected() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 7)]);
    assert_eq!(world.submit(transfer("alice", "bob", 0)), receipt(rejected(ReasonCode::ZeroAmount), 7, 0));
    let free = with_nonce(with_id(transfer("nobody", "nobody", 0), "x"), 0);
    assert_eq!(world.submit(free).outcome, rejected(ReasonCode::ZeroAmount));
}

#[test]
fn a_transfer_has_no_fields_of_other_kinds() {
    let mut world = rich_alice();
    let fields: [fn(&mut Transaction); 3] = [
        |transaction| transaction.validator = Some(validator(0)),
        |transaction| transaction.timeout_ms = Some(0),
        |transaction| transaction.reference = Some(crate::chain::Hash::ZERO),
    ];
    for set in fields {
        let mut transaction = transfer("alice", "bob", 1);
        set(&mut transaction);
        assert_eq!(world.submit(transaction).outcome, rejected(ReasonCode::UnexpectedField));
    }
}

#[test]
fn a_rejected_transaction_pays_nothing_and_uses_neither_nonce_nor_id() {
    let mut world = World::new(Parameters { fee: amount(7), ..strict() }, &[(name("alice"), 10)]);
    let poor = with_nonce(with_id(transfer("alice", "bob", 4), "x"), 0);
    assert_eq!(world.submit(poor.clone()), receipt(rejected(ReasonCode::InsufficientFunds), 10, 0));
    assert_eq!(world.account(&name("alice")), Account { balance: 10, nonce: 0 });
    let affordable = Transaction { amount: amount(2), ..poor };
    assert_eq!(world.submit(affordable), receipt(Outcome::Applied, 1, 2));
    assert_eq!(world.account(&name("alice")), Account { balance: 1, nonce: 1 });
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
fn the_first_rule_broken_is_the_reason() {
    let parameters = Parameters { fee: amount(1), block_max_bytes: 1000, ids_remember_blocks: 3, ..strict() };
    let (k1, keyed) = key(1);
    let mut world = World::new(parameters, &[(keyed.clone(), 6), (name("full"), Account::BALANCE_MAX)]);
    world.seal(vec![
        with_nonce(with_id(Transaction::transfer(keyed.clone(), name("bob"), amount(1)), "used"), 0)
            .signed(&CHAIN, &k1),
    ]);
    assert_eq!(world.account(&keyed).balance, 4);

    // Breaks every rule; each step mends one and meets the next.
    let mut wrong = Transaction::transfer(keyed.clone(), name("$mint"), amount(100));
    wrong.kind = Kind::Stake;
    wrong.validator = Some(validator(0));
    wrong.asset = 1;
    wrong.amount = amount(0);
    wrong.memo = Some(Memo::new(&"\u{1}".repeat(200)).unwrap());
    wrong.valid_until = Some(world.replica.tip().active_height);
    wrong.id = Some(Id::new("used").unwrap());
    wrong.nonce = None;
    wrong.fee = Some(amount(0));
    type Mend<'a> = (ReasonCode, Box<dyn Fn(&mut Transaction) + 'a>);
    let sign = |transaction: &mut Transaction| *transaction = transaction.clone().signed(&CHAIN, &k1);
    let until = world.replica.next_active_height();
    let mends: Vec<Mend<'_>> = vec![
        (ReasonCode::UnknownKind, Box::new(|t| t.kind = Kind::Transfer)),
        (ReasonCode::UnexpectedField, Box::new(|t| t.validator = None)),
        (ReasonCode::UnknownAsset, Box::new(|t| t.asset = 0)),
        (ReasonCode::ReservedName, Box::new(|t| t.to = name("full"))),
        (ReasonCode::ZeroAmount, Box::new(|t| t.amount = amount(100))),
        (ReasonCode::TooLarge, Box::new(|t| t.memo = None)),
        (ReasonCode::SignatureRequired, Box::new(|t| *t = t.clone().signed(&CHAIN, &key(2).0))),
        (ReasonCode::BadSignature, Box::new(sign)),
        (ReasonCode::Expired, Box::new(|t| (t.valid_until = Some(until + 100), sign(t)).1)),
        (ReasonCode::Conflict, Box::new(|t| (t.id = Some(Id::new("new").unwrap()), sign(t)).1)),
        (ReasonCode::ValidityTooLong, Box::new(|t| (t.valid_until = None, sign(t)).1)),
        (ReasonCode::Replayable, Box::new(|t| (t.nonce = Some(0), sign(t)).1)),
        (ReasonCode::BadNonce, Box::new(|t| (t.nonce = Some(1), sign(t)).1)),
        (ReasonCode::FeeTooLow, Box::new(|t| (t.fee = None, sign(t)).1)),
        (ReasonCode::InsufficientFunds, Box::new(|t| (t.amount = amount(2), sign(t)).1)),
        (ReasonCode::BalanceOverflow, Box::new(|t| (t.to = name("bob"), sign(t)).1)),
    ];
    for (reason, mend) in mends {
        let entry = world.entry(wrong.clone());
        let executed = world.execute(&[entry]);
        assert_eq!(executed.receipts[0].unwrap().outcome, rejected(reason));
        mend(&mut wrong);
    }
    assert_eq!(world.submit(wrong), receipt(Outcome::Applied, 1, 3));
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
fn a_nonce_stays_within_what_every_json_reader_holds() {
    let mut world = rich_alice();
    let last = Account { balance: 100, nonce: Account::NONCE_MAX };
    let mut changes = crate::ledger::Changes::new();
    changes.put(Table::Accounts, b"alice", &last.to_record().unwrap());
    world.state.apply(&changes);
    let refused = rejected(ReasonCode::BadNonce);
    assert_eq!(world.submit(with_nonce(transfer("alice", "bob", 1), Account::NONCE_MAX)).outcome, refused);
    assert_eq!(world.submit(transfer("alice", "bob", 1)).outcome, Outcome::Applied, "without a nonce it goes on");
}

#[test]
fn a_transaction_is_valid_through_its_last_active_height() {
    let mut world = rich_alice();
    let until = |height| Transaction { valid_until: Some(height), ..transfer("alice", "bob", 1) };
    world.submit(transfer("nobody", "bob", 1));
    assert_eq!(world.submit(until(1)).outcome, Outcome::Applied, "a block that applied nothing does not count");
    assert_eq!(world.submit(until(1)).outcome, rejected(ReasonCode::Expired));
    assert_eq!(world.submit(until(u64::MAX)).outcome, Outcome::Applied);
}

#[test]
fn a_signed_transaction_with_an_id_must_die_before_its_id_is_forgotten() {
    let (k1, keyed) = key(1);
    let mut world =
        World::new(Parameters { ids_remember_blocks: 2, ..strict() }, &[(keyed.clone(), 5), (name("alice"), 50)]);
    let signed = |until: u64| {
        let transaction = with_id(Transaction::transfer(keyed.clone(), name("bob"), amount(1)), "x");
        Transaction { valid_until: Some(until), ..transaction }.signed(&CHAIN, &k1)
    };
    let heartbeat = || transfer("alice", "bob", 1);
    assert_eq!(world.submit(signed(4)).outcome, rejected(ReasonCode::ValidityTooLong));
    world.submit(heartbeat());
    let applied = signed(4);
    assert_eq!(world.submit(applied.clone()).outcome, Outcome::Applied, "active height 2 remembers through 4");
    let (duplicate, expired) = (rejected(ReasonCode::Duplicate), rejected(ReasonCode::Expired));
    for expected in [duplicate, duplicate, expired, expired, expired] {
        // Alone in its block it does not bring the active height on, so it is refused for the same reason again.
        assert_eq!(world.submit(applied.clone()).outcome, expected);
        let block = world.seal(vec![applied.clone(), heartbeat()]).clone();
        assert!(
            matches!(block.entries[0].content, Content::Transaction { receipt, .. } if receipt.outcome == expected)
        );
    }
}

#[test]
fn who_may_send_is_decided_by_policy_owner_and_signature() {
    let (k1, keyed) = key(1);
    let validators_name = name("v2");
    let applied = Outcome::Applied;
    let (missing, bad) = (rejected(ReasonCode::SignatureRequired), rejected(ReasonCode::BadSignature));
    let forged = |transaction: Transaction| Transaction { amount: amount(2), ..transaction };
    // For each sender: unsigned, signed by its owner (by anybody, for a plain name), by another, and altered after. A
    // name that is also a validator's is a plain name.
    let cases = [
        (Signatures::Required, name("alice"), [missing, bad, bad, bad]),
        (Signatures::Required, keyed.clone(), [missing, applied, bad, bad]),
        (Signatures::Required, validators_name.clone(), [missing, bad, bad, bad]),
        (Signatures::WhenKeyed, name("alice"), [applied, applied, applied, bad]),
        (Signatures::WhenKeyed, keyed.clone(), [missing, applied, bad, bad]),
        (Signatures::WhenKeyed, validators_name.clone(), [applied, applied, applied, bad]),
        (Signatures::Off, name("alice"), [applied, applied, applied, applied]),
        (Signatures::Off, keyed.clone(), [missing, missing, missing, missing]),
        (Signatures::Off, validators_name.clone(), [applied, applied, applied, applied]),
    ];
    for (policy, from, expected) in cases {
        let accounts = [(name("alice"), 9), (keyed.clone(), 9), (validators_name.clone(), 9)];
        let world = World::new(Parameters { signatures: policy, ..strict() }, &accounts);
        let unsigned = with_nonce(Transaction::transfer(from.clone(), name("bob"), amount(1)), 0);
        let owner = if from == validators_name { validator_key(1) } else { k1 };
        let by_owner = unsigned.clone().signed(&CHAIN, &owner);
        let by_other = unsigned.clone().signed(&CHAIN, &key(3).0);
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
    let elsewhere = transaction.signed(&crate::chain::Hash([8; 32]), &k1);
    assert_eq!(world.submit(elsewhere).outcome, rejected(ReasonCode::BadSignature));
}

#[test]
fn extreme_values_are_rejected_not_overflowed() {
    let accounts = [(name("max"), Account::BALANCE_MAX), (name("min"), Account::BALANCE_MIN), (name("alice"), 5)];
    for parameters in [strict(), open(Amount::MAX.get())] {
        let parameters = Parameters { fee: Amount::MAX, ids_remember_blocks: Amount::MAX.get(), ..parameters };
        let mut world = World::new(parameters, &accounts);
        let mut transactions = Vec::new();
        for from in ["max", "min", "alice", "nobody"] {
            for to in ["max", "min", "alice", "nobody"] {
                let transfer = transfer(from, to, Amount::MAX.get());
                transactions.push(with_id(transfer.clone(), "x"));
                transactions.push(with_nonce(transfer.clone(), u64::MAX));
                transactions.push(Transaction { valid_until: Some(u64::MAX), fee: Some(Amount::MAX), ..transfer });
            }
        }
        world.seal(transactions);
        world.check();
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
        nonce: Some(Transaction::INTEGER_MAX),
        valid_until: Some(Transaction::INTEGER_MAX),
        memo: Some(Memo::new(&"\u{1}".repeat(256)).unwrap()),
        validator: Some("v".repeat(64).parse().unwrap()),
        timeout_ms: Some(Transaction::INTEGER_MAX),
        reference: Some(crate::chain::Hash::ZERO),
        ..transfer(&widest, &widest, Amount::MAX.get())
    };
    let origin = crate::chain::Origin { partition: i32::MIN, offset: i64::MIN, timestamp_ms: i64::MIN };
    let entry = undecided(origin, crate::chain::Hash::ZERO, transaction.signed(&CHAIN, &k1));
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
    assert_eq!(block.header.ranges, crate::chain::tests::ranges(&block.entries));
    assert!(matches!(block.entries[1].content, Content::Stub { .. }));
}

#[test]
fn an_account_of_the_state_can_be_proved_against_the_header() {
    let mut world = rich_alice();
    world.seal(vec![transfer("alice", "bob", 30)]);
    let root = world.blocks[0].header.state_root;
    let proof_of = |name: &str| world.replica.tree().prove(&Table::Accounts.path(name.as_bytes()));
    let value = |balance| crate::chain::Hash::of(&Account { balance, nonce: 0 }.to_record().unwrap());
    let path = |name: &str| Table::Accounts.path(name.as_bytes());
    assert_eq!(proof_of("bob").verify(root, &path("bob"), Some(&value(30))), Ok(()));
    assert!(proof_of("bob").verify(root, &path("bob"), Some(&value(31))).is_err());
    assert_eq!(proof_of("carol").verify(root, &path("carol"), None), Ok(()));
}
