//! The ledger's laws, over arbitrary chains.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::world::*;
use crate::chain::json::Rendering;
use crate::chain::{
    Amount, Balances, Block, Content, Entry, Id, Operation, Outcome, Parameters, Receipt, Signatures, Transaction,
};
use crate::ledger::reexecute::{Reexecuted, input_difference};
use crate::ledger::state::Account;
use crate::ledger::{Known, Signature, Table, earnings_account, signatures, state};

/// A transaction of which anything may be wrong.
fn any_transaction() -> impl Strategy<Value = Transaction> {
    let names = ["alice", "bob", "carol", "dave", "v1", "$v1", "$v2", "$system"].map(name).to_vec();
    let names = [names, vec![key(1).1, key(2).1]].concat();
    let someone = prop::sample::select(names);
    // Now and then a balance or all but one unit of it, so that accounts come to their bounds.
    let exact = prop::sample::select(vec![1000u64, 999, 993, 300, 299, 500]);
    let units = prop_oneof![10 => 0..400u64, 3 => exact, 1 => Just(Amount::MAX.get()), 1 => 0..Amount::MAX.get()];
    let id = prop::option::of(prop::sample::select(vec!["x", "y", "z"]));
    let authorization = (0..6u8, any::<bool>());
    let details = (
        prop::option::weighted(0.3, 0..12u64),
        id,
        prop::option::weighted(0.4, 0..4u64),
        prop::option::weighted(0.5, 0..20u64),
    );
    (someone.clone(), someone, units, details, authorization).prop_map(
        |(from, to, units, (fee, id, nonce, valid_until), (signer, spoil))| {
            let mut transaction = Transaction::transfer(from, to, amount(units));
            transaction.fee = fee.map(amount);
            transaction.id = id.map(|id| Id::new(id).unwrap());
            (transaction.nonce, transaction.valid_until) = (nonce, valid_until);
            transaction = match signer {
                0 | 1 => transaction.signed(&CHAIN, &key(1).0),
                2 => transaction.signed(&CHAIN, &key(2).0),
                3 => transaction.signed(&CHAIN, &validator_key(0)),
                _ => transaction,
            };
            if let (true, 1, Some(authorization)) = (spoil, signer, &mut transaction.authorization) {
                authorization.signature[7] ^= 1;
            }
            transaction
        },
    )
}

/// One block's worth: what is in it (`None`: a stub), who proposes, what became of earlier rounds.
pub(super) type Step = (Vec<Option<Transaction>>, usize, Vec<bool>);

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let record = prop_oneof![12 => any_transaction().prop_map(Some), 1 => Just(None)];
    let step = (proptest::collection::vec(record, 1..8), 0..5usize, proptest::collection::vec(any::<bool>(), 0..2));
    proptest::collection::vec(step, 1..12)
}

fn any_parameters() -> impl Strategy<Value = Parameters> {
    let balances = prop_oneof![
        Just(Balances::Strict),
        (0..500u64).prop_map(|bound| Balances::Open { overdraft_max: amount(bound) }),
        Just(Balances::Open { overdraft_max: Amount::MAX }),
    ];
    let signatures = prop::sample::select(vec![Signatures::Required, Signatures::WhenKeyed, Signatures::Off]);
    let reward = prop_oneof![Just(0), 1..5u64, Just(Amount::MAX.get())];
    (balances, signatures, 0..9u64, reward, 0..4u64).prop_map(
        |(balances, signatures, fee, reward, ids_remember_blocks)| {
            let (fee, reward) = (amount(fee), amount(reward));
            Parameters { balances, signatures, fee, reward, ids_remember_blocks, ..Parameters::default() }
        },
    )
}

pub(super) fn any_chain() -> impl Strategy<Value = (World, Vec<Step>)> {
    (any_parameters(), any_steps(), prop_oneof![Just(1000), Just(Account::BALANCE_MAX - 100)]).prop_map(
        |(parameters, steps, rich)| {
            let accounts = [(name("alice"), rich), (name("bob"), 300), (key(1).1, 500), (name("v1"), 100)];
            (World::new(parameters, &accounts), steps)
        },
    )
}

impl World {
    /// Makes a block of a step, leaving out what slashed validators can no longer do.
    pub(super) fn step(&mut self, (records, proposer, rounds): &Step) -> Block {
        let entries = self.entries(records);
        let mut active = self.active();
        let mut prior = Vec::new();
        for (round, slashed) in (0..).zip(rounds) {
            let place = active[round as usize % active.len()];
            if *slashed && active.len() > 1 {
                prior.push(slash(round, place));
                active.retain(|other| *other != place);
            } else {
                prior.push(missed(round, place));
            }
        }
        self.seal_entries(entries, active[proposer % active.len()], &prior).clone()
    }

    fn entries<'a>(&mut self, records: impl IntoIterator<Item = &'a Option<Transaction>>) -> Vec<Entry> {
        let entries = records.into_iter().map(|record| match record {
            Some(transaction) => self.entry(transaction.clone()),
            None => self.stub(),
        });
        entries.collect()
    }

    fn active(&self) -> Vec<usize> {
        let validators = state::validators(&self.state).unwrap();
        let active = validators.iter().enumerate().filter(|(_, (_, record))| record.slashed_at_height.is_none());
        active.map(|(place, _)| place).collect()
    }

    pub(super) fn reexecute(&self, block: &Block, known: Known) -> Reexecuted {
        let mut randomness = ChaCha20Rng::seed_from_u64(2);
        let policy = self.parameters().signatures;
        let signatures = signatures::verify(&block.entries, policy, &CHAIN, &mut randomness);
        self.replica.reexecute(&self.state, block, &signatures, known).unwrap()
    }
}

pub(super) fn receipts(block: &Block) -> impl Iterator<Item = (&Transaction, &Receipt)> {
    block.entries.iter().filter_map(|entry| match &entry.content {
        Content::Transaction { transaction, receipt } => Some((transaction, receipt)),
        Content::Stub { .. } => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn supply_is_conserved_and_the_tree_is_that_of_the_tables((mut world, steps) in any_chain()) {
        world.check();
        for step in &steps {
            let before = state::supply(&world.state).unwrap();
            let block = world.step(step);
            world.check();
            let after = state::supply(&world.state).unwrap();
            let rewards: u64 = block.operations.iter().map(|operation| match operation {
                Operation::Reward { amount, .. } => amount.get(),
                _ => 0,
            }).sum();
            prop_assert_eq!(after.minted - before.minted, i128::from(rewards));
            prop_assert_eq!(after.genesis, before.genesis);
        }
    }

    #[test]
    fn no_balance_and_no_nonce_passes_its_bound((mut world, steps) in any_chain()) {
        let balances = world.parameters().balances;
        let lowest = |account: Account| match balances {
            Balances::Strict => i64::from(account.nonce > 0),
            Balances::Open { overdraft_max } => -overdraft_max.signed(),
        };
        for step in &steps {
            let block = world.step(step);
            let is_within = |account: Account| {
                (lowest(account)..=Account::BALANCE_MAX).contains(&account.balance) && account.nonce <= Account::NONCE_MAX
            };
            prop_assert!(world.accounts().all(is_within));
            let bounds = lowest(Account::default())..=Account::BALANCE_MAX;
            for (_, receipt) in receipts(&block) {
                prop_assert!(bounds.contains(&receipt.from_balance) && bounds.contains(&receipt.to_balance));
            }
        }
    }

    #[test]
    fn on_a_strict_chain_no_more_accounts_last_than_there_are_units((mut world, steps) in any_chain()) {
        prop_assume!(world.parameters().balances == Balances::Strict);
        for step in &steps {
            world.step(step);
            let units = world.accounts().map(|account| i128::from(account.balance)).sum::<i128>();
            prop_assert!(world.count(Table::Accounts) as i128 <= units);
        }
    }

    #[test]
    fn only_a_block_that_applies_something_pays_and_moves_the_horizon((mut world, steps) in any_chain()) {
        for step in &steps {
            let before = world.replica.tip().clone();
            let block = world.step(step);
            let is_active = receipts(&block).any(|(_, receipt)| receipt.is_applied());
            prop_assert_eq!(block.header.active_height, before.active_height + u64::from(is_active));
            prop_assert_eq!(world.replica.tip().active_height, block.header.active_height);
            let paid = |operation: &Operation| matches!(operation, Operation::Fee { .. } | Operation::Reward { .. });
            prop_assert!(is_active || !block.operations.iter().any(paid));
        }
    }

    #[test]
    fn nobody_but_the_validator_takes_from_its_earnings_and_nobody_adds_to_them((mut world, steps) in any_chain()) {
        for step in &steps {
            let block = world.step(step);
            for (transaction, receipt) in receipts(&block).filter(|(_, receipt)| receipt.is_applied()) {
                prop_assert!(!transaction.to.is_system(), "{:?}", receipt);
                if transaction.from.is_system() {
                    prop_assert!(world.parameters().signatures != Signatures::Off);
                    let key = transaction.authorization.map(|authorization| authorization.public_key);
                    let owner = &world.replica.validators().iter().find(|(id, _)| {
                        earnings_account(id).unwrap() == transaction.from
                    }).unwrap().1;
                    prop_assert_eq!(key, Some(owner.ed25519));
                }
            }
        }
    }

    #[test]
    fn re_executing_the_rendered_blocks_gives_the_same_state((mut world, steps) in any_chain()) {
        let mut replayed = world.restarted();
        for step in &steps {
            let block = world.step(step);
            let read = Block::from_json(block.to_json().as_bytes()).unwrap();
            prop_assert_eq!(&read, &block);
            for known in [Known::default(), Known { is_checked: true, rendered_size_bytes: None }] {
                match replayed.reexecute(&read, known) {
                    Reexecuted::Same { executed, .. } => prop_assert_eq!(&executed.header, &block.header),
                    Reexecuted::Differs(difference) => prop_assert!(false, "{}", difference),
                }
            }
            let rendered_size_bytes = Some(block.to_json().len() as u64);
            match replayed.reexecute(&read, Known { is_checked: true, rendered_size_bytes }) {
                Reexecuted::Same { executed, .. } => replayed.commit(*executed),
                Reexecuted::Differs(difference) => prop_assert!(false, "{}", difference),
            }
            prop_assert_eq!(&replayed.state, &world.state);
            prop_assert_eq!(replayed.replica.tip(), world.replica.tip());
            prop_assert_eq!(replayed.replica.tree().root(), world.replica.tree().root());
            replayed.check();
        }
    }

    #[test]
    fn execution_is_a_function_of_its_arguments((mut world, steps) in any_chain()) {
        let entries = world.entries(steps.iter().flat_map(|(records, ..)| records));
        let first = world.execute(&entries);
        // Receipts from an earlier execution do not matter.
        let second = world.clone().execute(&first.decide(entries.clone()));
        prop_assert_eq!(&first.header, &second.header);
        prop_assert_eq!(first.changes(), second.changes());
        prop_assert_eq!(&first.operations, &second.operations);
        prop_assert_eq!(first.decide(entries.clone()), second.decide(entries));
    }

    #[test]
    fn rejected_transactions_change_nothing((mut world, steps) in any_chain()) {
        let mut without = world.clone();
        for step in &steps {
            let block = world.step(step);
            let applied = receipts(&block).filter(|(_, receipt)| receipt.is_applied());
            let mut kept: Vec<Option<Transaction>> = applied.map(|(transaction, _)| Some(transaction.clone())).collect();
            kept.push(None);
            let block = without.step(&(kept, step.1, step.2.clone()));
            prop_assert!(receipts(&block).all(|(_, receipt)| receipt.is_applied()));
            for table in Table::ALL.into_iter().filter(|table| *table != Table::Tip && *table != Table::Coverage) {
                prop_assert!(without.state.table(table).eq(world.state.table(table)), "{}", table.name());
            }
        }
    }

    #[test]
    fn an_altered_block_does_not_re_execute(
        (mut world, steps) in any_chain(),
        alteration in 0..9usize,
        place in any::<prop::sample::Index>(),
    ) {
        let (last, before) = steps.split_last().unwrap();
        before.iter().for_each(|step| drop(world.step(step)));
        let parent = world.clone();
        let honest = world.step(last);
        let mut block = honest.clone();
        let count = block.entries.len();
        let place = place.index(count);
        match (alteration, &mut block.entries[place].content) {
            (0, Content::Transaction { transaction, .. }) => {
                transaction.amount = amount((transaction.amount.get() + 1) % Amount::MAX.get());
            }
            (1, Content::Transaction { receipt, .. }) => receipt.to_balance ^= 1,
            (2, Content::Transaction { receipt, .. }) if receipt.is_applied() => {
                receipt.outcome = Outcome::Rejected(crate::chain::ReasonCode::Expired);
            }
            (3, _) if count > 1 => drop(block.entries.remove(place)),
            (4, _) if count > 1 => {
                let other = (place + 1) % count;
                let (one, two) = (block.entries[place].origin, block.entries[other].origin);
                block.entries.swap(place, other);
                (block.entries[place].origin, block.entries[other].origin) = (one, two);
            }
            (5, _) if !block.operations.is_empty() => drop(block.operations.pop()),
            (6, _) => block.operations.push(missed(block.header.round(), 0)),
            (7, _) => block.header.time_ms += 1,
            (8, _) => block.header.state_root.0[31] ^= 1,
            _ => return Ok(()),
        }
        prop_assume!(block != honest);
        // As a cheat would: the header made to fit the altered body as far as it can be without executing.
        block.header.transactions_root = crate::chain::merkle::root(crate::chain::merkle::leaves(&block.entries));
        block.header.operations_root = crate::chain::merkle::root(crate::chain::merkle::leaves(&block.operations));
        block.hash = block.header.hash();
        let verdict = parent.reexecute(&block, Known::default());
        let of_checked = parent.reexecute(&block, Known { is_checked: true, rendered_size_bytes: None });
        prop_assert_eq!(matches!(verdict, Reexecuted::Same { .. }), matches!(of_checked, Reexecuted::Same { .. }));
        if let Reexecuted::Same { executed, .. } = verdict {
            // Only another transaction than the one in the input can look the same to the state.
            prop_assert!(matches!(alteration, 0 | 3 | 4));
            prop_assert!(executed.hash == block.hash && block.hash != honest.hash);
        }
        let differs = input_difference(&honest.entries, &block.entries).is_some();
        prop_assert_eq!(differs, matches!(alteration, 0 | 3 | 4));
    }
}

#[test]
fn signatures_may_be_checked_in_any_split() {
    let mut world = World::new(strict(), &[]);
    let transactions: Vec<Transaction> = (0..20u8)
        .map(|n| {
            let signed = transfer("alice", "bob", n.into()).signed(&CHAIN, &key(n % 3).0);
            if n % 4 == 0 { Transaction { amount: amount(77), ..signed } } else { signed }
        })
        .chain([transfer("alice", "bob", 1)])
        .collect();
    let entries: Vec<Entry> = transactions.into_iter().map(|transaction| world.entry(transaction)).collect();
    let mut randomness = ChaCha20Rng::seed_from_u64(3);
    let mut verify = |entries: &[Entry]| signatures::verify(entries, Signatures::WhenKeyed, &CHAIN, &mut randomness);
    let at_once = verify(&entries);
    let in_parts: Vec<Signature> = entries.chunks(3).flat_map(&mut verify).collect();
    assert_eq!(at_once, in_parts);
    let count = |which| at_once.iter().filter(|answer| **answer == which).count();
    assert_eq!([Signature::Valid, Signature::Invalid, Signature::Absent].map(count), [15, 5, 1]);
}
