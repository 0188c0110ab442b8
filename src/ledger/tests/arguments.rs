//! What is no block, and no state, whatever the rules say.

use super::world::*;
use crate::chain::{Cut, Entry, Id, Operation, Parameters};
use crate::ledger::{Candidate, Changes, Error, Signature, Table, Tree, execute, state};

#[test]
fn every_round_before_has_exactly_one_operation() {
    let mut world = rich_alice();
    let entries = [world.entry(transfer("alice", "b", 0))];
    let half = match slash(0, 1) {
        Operation::Slash { round, validator, amount, evidence } => {
            Operation::Slash { round, validator, amount: amount / 2, evidence }
        }
        other => other,
    };
    let unknown = Operation::Missed { round: 0, validator: "nobody".parse().unwrap() };
    let paid = Operation::Reward { validator: validator(0), account: name("v1"), amount: amount(1), balance: 1 };
    let twice = [slash(0, 1), slash(1, 1)];
    for prior in [&[missed(1, 1)][..], &[missed(0, 1), missed(0, 2)], &[half], &[unknown], &[paid], &twice] {
        let executed = world.try_execute(&entries, &validator(0), prior);
        assert!(matches!(executed, Err(Error::Candidate(_))), "{prior:?}");
    }
    let candidate = Candidate {
        entries: &entries,
        signatures: &[Signature::Absent],
        cut: Cut::End,
        proposer: &validator(0),
        round: 1,
        prior: &[],
        extensions: &[],
    };
    let executed = execute(&world.state, &world.tree, world.parameters(), &candidate);
    assert!(matches!(executed, Err(Error::Candidate(_))));
}

#[test]
fn no_block_is_made_of_arguments_that_do_not_belong_together() {
    let mut world = rich_alice();
    let entries = [world.entry(transfer("alice", "b", 0)), world.entry(transfer("alice", "b", 0))];
    let mut backwards = entries.clone();
    backwards.reverse();
    let proposer = validator(0);
    let run = |entries: &[Entry], signatures: &[Signature], parameters: &Parameters, tree: &Tree| {
        let (cut, round, prior, extensions) = (Cut::End, 0, &[][..], &[][..]);
        let candidate = Candidate { entries, signatures, cut, proposer: &proposer, round, prior, extensions };
        execute(&world.state, tree, parameters, &candidate).map(drop)
    };
    let absent = [Signature::Absent; 2];
    let (parameters, tree) = (world.parameters(), &world.tree);
    assert!(run(&entries, &absent, parameters, tree).is_ok());
    assert!(matches!(run(&entries, &absent[..1], parameters, tree), Err(Error::Candidate(_))));
    assert!(matches!(run(&[], &[], parameters, tree), Err(Error::Candidate(_))));
    assert!(matches!(run(&backwards, &absent, parameters, tree), Err(Error::Candidate(_))));
    assert!(matches!(run(&entries, &absent, &open(1), tree), Err(Error::Candidate(_))));
    assert!(matches!(run(&entries, &absent, parameters, &Tree::new()), Err(Error::OtherTree { .. })));
    let system = crate::chain::ValidatorId::genesis();
    assert!(matches!(world.try_execute(&entries, &system, &[]), Err(Error::Candidate(_))));
}

#[test]
fn a_state_that_does_not_decode_is_an_error_and_names_the_key() {
    let mut world = rich_alice();
    let entries = [with_id(transfer("alice", "b", 0), "x")].map(|transaction| world.entry(transaction));
    for (table, key) in [
        (Table::Accounts, b"alice".to_vec()),
        (Table::Ids, state::id_key(&name("alice"), &Id::new("x").unwrap())),
        (Table::Expiries, state::expiry_key(1, 0).to_vec()),
        (Table::Validators, b"v3".to_vec()),
        (Table::Chain, b"supply".to_vec()),
        (Table::Tip, b"tip".to_vec()),
    ] {
        let mut broken = world.clone();
        let mut changes = Changes::new();
        changes.put(table, &key, &[1, 2, 3]);
        broken.state.apply(&changes);
        let error = broken.try_execute(&entries, &validator(0), &[]).unwrap_err();
        let named = key.escape_ascii().to_string();
        assert!(matches!(error, Error::State(_)) && error.to_string().contains(&named), "{table:?}: {error}");
    }
}
