//! What is no block, and no state, whatever the rules say.

use super::world::*;
use crate::chain::{Cut, Entry, Hash, Header, Id, Operation, Origin, ScheduledVersion};
use crate::ledger::state::{self, Account, StateError};
use crate::ledger::{Candidate, Changes, Error, Maker, MemoryState, Replica, Signature, Table};

#[test]
fn every_round_before_has_exactly_one_operation() {
    let mut world = rich_alice();
    let entries = [world.entry(transfer("alice", "b", 1))];
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
        maker: Maker::Proposer { proposer: &validator(0), round: 1, prior: &[] },
        extensions: &[],
    };
    let executed = world.replica.execute(&world.state, &candidate);
    assert!(matches!(executed, Err(Error::Candidate(_))));
}

#[test]
fn no_block_is_made_of_arguments_that_do_not_belong_together() {
    let mut world = rich_alice();
    let entries = [world.entry(transfer("alice", "b", 1)), world.entry(transfer("alice", "b", 1))];
    let mut backwards = entries.clone();
    backwards.reverse();
    let proposer = validator(0);
    let run = |entries: &[Entry], signatures: &[Signature]| {
        let maker = Maker::Proposer { proposer: &proposer, round: 0, prior: &[] };
        let candidate = Candidate { entries, signatures, cut: Cut::End, maker, extensions: &[] };
        world.replica.execute(&world.state, &candidate).map(drop)
    };
    let absent = [Signature::Absent; 2];
    assert!(run(&entries, &absent).is_ok());
    assert!(matches!(run(&entries, &absent[..1]), Err(Error::Candidate(_))));
    assert!(matches!(run(&[], &[]), Err(Error::Candidate(_))));
    assert!(matches!(run(&backwards, &absent), Err(Error::Candidate(_))));
    let mut nowhere = entries.clone();
    nowhere[0].origin.offset = -1;
    assert!(matches!(run(&nowhere, &absent), Err(Error::Candidate(_))), "no log has such a place");
    let mut never = entries.clone();
    never[1].origin.timestamp_ms = i64::MIN;
    assert!(matches!(run(&never, &absent), Err(Error::Candidate(_))), "no record has such a timestamp");
}

#[test]
fn no_block_takes_a_record_that_is_in_a_block_already() {
    let mut world = rich_alice();
    let taken = world.entry(transfer("alice", "b", 1));
    world.seal_entries(vec![taken.clone()], 0, &[]);
    let covered = *world.replica.covered(0).unwrap();
    assert_eq!((covered.offset, covered.original), (taken.origin.offset, taken.original));
    let refused = world.try_execute(std::slice::from_ref(&taken), &validator(0), &[]);
    assert!(matches!(refused, Err(Error::Candidate(_))));
    let elsewhere = Entry { origin: Origin { partition: 1, ..taken.origin }, ..taken };
    assert!(world.try_execute(std::slice::from_ref(&elsewhere), &validator(0), &[]).is_ok(), "another partition");
    world.seal_entries(vec![elsewhere], 0, &[]);
    let partitions: Vec<i32> = world.replica.coverage().map(|(partition, _)| partition).collect();
    assert_eq!(partitions, [0, 1]);
    world.check();
}

#[test]
fn an_execution_meets_only_the_replica_it_was_made_on() {
    let mut world = rich_alice();
    let entries = [world.entry(transfer("alice", "b", 1))];
    let (first, second) = (world.execute(&entries), world.execute(&entries));
    world.commit(first);
    let tip = world.replica.tip().clone();
    assert!(world.replica.advance(second, Hash::ZERO).is_err());
    assert_eq!(*world.replica.tip(), tip);
    world.check();
}

#[test]
fn a_replica_is_kept_where_the_state_has_its_tip_and_loaded_where_it_lost_blocks() {
    let mut world = rich_alice();
    world.seal(vec![transfer("alice", "b", 1)]);
    let behind = world.clone();
    world.seal(vec![transfer("alice", "b", 1)]);
    let kept = world.replica.clone().reload(&world.state).unwrap().unwrap();
    assert_eq!(kept.tip(), world.replica.tip());
    let loaded = world.replica.clone().reload(&behind.state).unwrap().unwrap();
    assert_eq!(loaded.tip(), behind.replica.tip());
    assert_eq!(loaded.tree().root(), behind.replica.tree().root());
    assert!(world.replica.reload(&MemoryState::new()).unwrap().is_none(), "an empty state holds no chain");
}

#[test]
fn a_damaged_state_is_not_loaded_and_says_that_it_must_be_rebuilt() {
    let mut world = rich_alice();
    world.seal(vec![with_id(transfer("alice", "b", 1), "x")]);
    let account = |units| Account { balance: units, nonce: 0 }.to_record().unwrap();
    type Damage<'d> = (&'d str, Box<dyn Fn(&mut Changes) + 'd>);
    let damages: Vec<Damage<'_>> = vec![
        ("an account is lost", Box::new(|changes| changes.delete(Table::Accounts, b"alice"))),
        ("an account is added", Box::new(|changes| changes.put(Table::Accounts, b"mallory", &account(5)))),
        ("a balance is another", Box::new(|changes| changes.put(Table::Accounts, b"alice", &account(98)))),
        ("the tip is lost", Box::new(|changes| changes.delete(Table::Tip, b"tip"))),
        ("coverage is lost", Box::new(|changes| changes.delete(Table::Coverage, &[0; 4]))),
        ("a validator is lost", Box::new(|changes| changes.delete(Table::Validators, b"v2"))),
    ];
    for (what, damage) in damages {
        let mut state = world.state.clone();
        let mut changes = Changes::new();
        damage(&mut changes);
        state.apply(&changes);
        let refused = Replica::load(&state).map(|replica| replica.map(|replica| replica.tip().clone()));
        assert!(refused.as_ref().is_err_and(Error::needs_rebuild), "{what}: {refused:?}");
    }
}

#[test]
fn a_record_of_a_newer_program_is_no_damage() {
    let mut world = rich_alice();
    world.seal(vec![with_id(transfer("alice", "b", 1), "x")]);
    let mut changes = Changes::new();
    for (table, key, record) in [(Table::Tip, &b"tip"[..], &[2, 7, 7][..]), (Table::Accounts, b"alice", &[2, 1])] {
        changes.put(table, key, record);
        let mut state = world.state.clone();
        state.apply(&changes);
        let refused = Replica::load(&state).map(drop).unwrap_err();
        assert!(matches!(refused, Error::State(StateError::Newer { format: 2, .. })), "{refused}");
        assert!(!refused.needs_rebuild());
        changes = Changes::new();
    }
}

#[test]
fn a_height_whose_version_is_newer_is_not_executed() {
    let mut parameters = strict();
    parameters.versions.push(ScheduledVersion { version: Header::VERSION + 1, from_height: 2 });
    let mut world = World::new(parameters, &[(name("alice"), 100)]);
    world.seal(vec![transfer("alice", "b", 1)]);
    let entries = [world.entry(transfer("alice", "b", 1))];
    let refused = world.try_execute(&entries, &validator(0), &[]).map(drop);
    assert!(matches!(refused, Err(Error::Newer(crate::chain::Error::Newer { height: 2, .. }))), "{refused:?}");
}

#[test]
fn a_state_that_does_not_decode_is_an_error_and_names_the_key() {
    let mut world = rich_alice();
    let entries = [with_id(transfer("alice", "b", 1), "x")].map(|transaction| world.entry(transaction));
    for (table, key) in [
        (Table::Accounts, b"alice".to_vec()),
        (Table::Ids, state::id_key(&name("alice"), &Id::new("x").unwrap())),
        (Table::Expiries, state::expiry_key(1, 0).to_vec()),
        (Table::Validators, b"v3".to_vec()),
        (Table::Chain, b"supply".to_vec()),
        (Table::Chain, b"parameters".to_vec()),
        (Table::Coverage, vec![0; 4]),
        (Table::Tip, b"tip".to_vec()),
    ] {
        let mut broken = world.clone();
        let mut changes = Changes::new();
        changes.put(table, &key, &[1, 2, 3]);
        broken.state.apply(&changes);
        // What a block reads of the state at large, it reads when it is executed, all else when the replica is loaded.
        let error = match table {
            Table::Accounts | Table::Ids | Table::Expiries => {
                broken.try_execute(&entries, &validator(0), &[]).map(drop)
            }
            Table::Tip => state::tip(&broken.state).map(drop),
            Table::Validators => state::validators(&broken.state).map(drop),
            Table::Coverage => state::coverage(&broken.state).map(drop),
            Table::Chain if key == b"supply" => state::supply(&broken.state).map(drop),
            Table::Chain => state::parameters(&broken.state).map(drop),
        };
        let error = error.unwrap_err();
        let named = key.escape_ascii().to_string();
        assert!(matches!(error, Error::State(_)) && error.to_string().contains(&named), "{table:?}: {error}");
    }
}
