//! What a block books apart from its transactions: fees, rewards, missed rounds, slashes.

use super::world::*;
use crate::chain::{Amount, Operation, Outcome, Parameters, ReasonCode, Transaction};
use crate::ledger::Error;
use crate::ledger::state::{self, Account};

/// Signed by a validator: a transaction from its earnings.
fn from_earnings(place: usize, to: &str, units: u64, nonce: u64) -> Transaction {
    let transaction = transfer(&format!("$v{}", place + 1), to, units);
    Transaction { nonce: Some(nonce), ..transaction }.signed(&CHAIN, &validator_key(place))
}

#[test]
fn fees_and_reward_go_to_the_proposers_earnings_after_the_transactions() {
    let parameters = Parameters { fee: amount(7), reward: amount(2), ..strict() };
    let mut world = World::new(parameters, &[(name("alice"), 100)]);
    let transactions = [transfer("alice", "bob", 1), from_earnings(2, "bob", 1, 0), transfer("alice", "bob", 1)];
    let entries = transactions.into_iter().map(|transaction| world.entry(transaction)).collect();
    let block = world.seal_entries(entries, 2, &[]).clone();
    let (validator, account) = (validator(2), name("$v3"));
    let fee =
        Operation::Fee { validator: validator.clone(), account: account.clone(), amount: amount(14), balance: 14 };
    let reward = Operation::Reward { validator, account, amount: amount(2), balance: 16 };
    assert_eq!(block.operations, [fee, reward]);
    assert_eq!((world.balance("$v3"), world.balance("v3")), (16, 0), "the plain name is anybody's");
    let supply = world.replica.supply();
    assert_eq!((supply.genesis, supply.minted, supply.burnt), (100 + 5001, 2, 0));
    world.check();
}

#[test]
fn a_block_that_applies_nothing_is_worth_nothing() {
    let mut world = World::new(Parameters { fee: amount(7), reward: amount(2), ..strict() }, &[(name("alice"), 100)]);
    let poor = world.entry(transfer("nobody", "bob", 1));
    let stub = world.stub();
    for entries in [vec![poor], vec![stub]] {
        let block = world.seal_entries(entries, 0, &[]).clone();
        assert_eq!((block.operations.len(), block.header.active_height), (0, 0));
    }
    let block = world.seal(vec![transfer("alice", "bob", 1)]).clone();
    assert_eq!((block.operations.len(), block.header.active_height), (2, 1));
    world.check();
}

#[test]
fn earnings_are_spent_by_the_validators_key_and_by_nothing_else() {
    let parameters = Parameters { reward: amount(10), ..strict() };
    let mut world = World::new(parameters.clone(), &[(name("alice"), 100)]);
    world.seal(vec![transfer("alice", "bob", 1)]);
    assert_eq!(world.balance("$v1"), 10);
    let unsigned = Transaction { nonce: Some(0), ..transfer("$v1", "bob", 4) };
    let outcome = |world: &World, transaction: Transaction| world.clone().submit(transaction).outcome;
    assert_eq!(outcome(&world, unsigned.clone()), rejected(ReasonCode::SignatureRequired));
    let by_another = unsigned.signed(&CHAIN, &validator_key(1));
    assert_eq!(outcome(&world, by_another), rejected(ReasonCode::BadSignature));
    assert_eq!(world.submit(from_earnings(0, "bob", 4, 0)).outcome, Outcome::Applied);
    assert_eq!(world.balance("$v1"), 16, "less 4, plus the reward of the block that paid them out");
    let slashed = world.entry(transfer("alice", "bob", 1));
    world.seal_entries(vec![slashed], 1, &[slash(0, 0)]);
    let rest = world.entry(from_earnings(0, "bob", 3, 1));
    world.seal_entries(vec![rest], 1, &[]);
    assert_eq!(world.balance("$v1"), 13, "what it earned before stays its own");
    world.check();

    let mut off = World::new(without_signatures(parameters), &[(name("alice"), 100)]);
    off.seal(vec![transfer("alice", "bob", 1)]);
    let refused = rejected(ReasonCode::SignatureRequired);
    assert_eq!(
        off.submit(transfer("$v1", "bob", 4)).outcome,
        refused,
        "nothing is checked, so nothing can speak for it"
    );
    assert_eq!(off.submit(from_earnings(0, "bob", 4, 0)).outcome, refused);
}

#[test]
fn what_the_earnings_cannot_take_is_burnt_or_not_minted() {
    let parameters = Parameters { fee: amount(Amount::MAX.get() - 1), reward: amount(5), ..open(Amount::MAX.get()) };
    let mut world = World::new(parameters, &[]);
    let most = Amount::MAX.signed();
    world.seal(vec![transfer("a", "z", 1)]);
    assert_eq!(world.balance("$v1"), most, "of the reward one unit was minted");
    assert_eq!((world.replica.supply().minted, world.replica.supply().burnt), (1, 0));
    let block = world.seal(vec![transfer("b", "z", 1)]).clone();
    assert_eq!((block.operations.len(), world.balance("$v1")), (0, most));
    assert_eq!((world.replica.supply().minted, world.replica.supply().burnt), (1, i128::from(most) - 1));
    world.check();
}

#[test]
fn fees_beyond_one_amount_are_paid_in_several_operations() {
    let mut world = World::new(Parameters { fee: amount(Amount::MAX.get() - 1), ..open(Amount::MAX.get()) }, &[]);
    let debt = world.entry(from_earnings(0, "z", 1, 0));
    world.seal_entries(vec![debt], 1, &[]);
    assert_eq!(world.balance("$v1"), Account::BALANCE_MIN);
    let block = world.seal(["a", "b", "c"].map(|from| transfer(from, "z", 1)).to_vec()).clone();
    let paid: Vec<u64> = (block.operations.iter())
        .map(|operation| match operation {
            Operation::Fee { amount, .. } => amount.get(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(paid, [Amount::MAX.get(); 2]);
    assert_eq!(world.balance("$v1"), Account::BALANCE_MAX);
    assert_eq!(world.replica.supply().burnt, 3 * i128::from(Amount::MAX.get() - 1) - 2 * i128::from(Amount::MAX.get()));
    world.check();
}

#[test]
fn a_slash_burns_the_whole_stake_at_once_and_for_ever() {
    let mut world = World::new(Parameters { reward: amount(1), ..strict() }, &[(name("a"), 9)]);
    let before = world.seal(vec![transfer("a", "b", 1)]).clone();
    let entry = world.entry(transfer("a", "b", 1));
    let block = world.seal_entries(vec![entry], 1, &[missed(0, 4), slash(1, 0)]).clone();
    let supply = world.replica.supply();
    assert_eq!((supply.minted, supply.burnt), (2, i128::from(STAKES[0])));
    let validators = state::validators(&world.state).unwrap();
    assert_eq!((validators[0].1.stake, validators[0].1.slashed_at_height), (0, Some(2)));
    assert_eq!((validators[4].1.stake, validators[4].1.missed), (STAKES[4], 1));
    assert_eq!(validators, world.replica.validators());
    assert_ne!(block.header.validators, before.header.validators, "the set that decides on the block is without it");
    assert_eq!(block.header.validators, crate::chain::validators_hash(world.replica.members()));
    assert_eq!(world.balance("$v1"), 1, "what it earned before stays");

    let entries = [world.entry(transfer("a", "b", 1))];
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
