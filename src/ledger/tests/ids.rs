//! Remembered ids: how long, and what commits to them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::laws::{Step, any_chain, receipts};
use super::world::*;
use crate::chain::{Hash, Id, Name, Outcome, Parameters, ReasonCode, Transaction};
use crate::ledger::state::{StateError, audit, expiry_key, id_key, visit_chunk};
use crate::ledger::{Changes, Error, MemoryState, Table, Tree, View};

/// An audit that tells of the ids alone: the damaged state's tip names the root that its tables have.
fn audit_ids(state: &MemoryState) -> Result<u64, Error<std::convert::Infallible>> {
    let mut tip = crate::ledger::state::tip(state)?.unwrap();
    let mut leaves = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| table.in_tree()) {
        state.scan(table, &mut |key, value| leaves.push(table.leaf(key, value))).unwrap();
    }
    tip.state_root = Tree::from_leaves(leaves)?.root();
    let mut changes = Changes::new();
    changes.put_tip(&tip);
    let mut state = state.clone();
    state.apply(&changes);
    Ok(audit(&state)?.unwrap().id_count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_id_is_known_from_its_use_for_exactly_the_documented_number_of_active_heights((mut world, steps) in any_chain()) {
        let remember_blocks = world.parameters().ids_remember_blocks;
        let mut used: HashMap<(Name, Id), (u64, Hash)> = HashMap::new();
        let idle: Step = (vec![None], 0, vec![]);
        for step in steps.iter().chain(std::iter::repeat_n(&idle, 3 + remember_blocks as usize)) {
            let active_height = world.replica.next_active_height();
            let block = world.step(step);
            let is_active = receipts(&block).any(|(_, receipt)| receipt.is_applied());
            prop_assert_eq!(block.header.active_height, active_height - u64::from(!is_active));
            for (transaction, receipt) in receipts(&block) {
                let Some(id) = &transaction.id else { continue };
                let key = (transaction.from.clone(), id.clone());
                let known = used.get(&key).filter(|(at, _)| active_height <= at + remember_blocks);
                match receipt.outcome {
                    Outcome::Applied => {
                        prop_assert_eq!(known, None, "active height {}", active_height);
                        used.insert(key, (active_height, transaction.body_hash()));
                    }
                    Outcome::Rejected(ReasonCode::Duplicate) => {
                        prop_assert_eq!(known.map(|(_, body)| *body), Some(transaction.body_hash()));
                    }
                    Outcome::Rejected(ReasonCode::Conflict) => {
                        prop_assert!(known.is_some_and(|(_, body)| *body != transaction.body_hash()));
                    }
                    Outcome::Rejected(_) => {}
                }
            }
            let known_count = used.values().filter(|(at, _)| active_height <= at + remember_blocks).count();
            prop_assert_eq!(audit_ids(&world.state).unwrap(), known_count as u64);
        }
    }
}

#[test]
fn an_id_is_remembered_for_exactly_the_documented_number_of_blocks() {
    for remember_blocks in 0..4u64 {
        let parameters = Parameters { ids_remember_blocks: remember_blocks, ..open(1_000) };
        let mut world = World::new(parameters, &[]);
        let used = |units| with_id(transfer("alice", "bob", units), "x");
        // Applied in every block, so that every block is an active height.
        let heartbeat = || transfer("dave", "erin", 1);
        let other_sender = with_id(transfer("carol", "bob", 1), "x");
        let first_height = world.height() + 1;
        let block = world.seal(vec![used(1), other_sender]);
        assert!(receipts(block).all(|(_, receipt)| receipt.is_applied()), "ids belong to their sender");
        while world.height() < first_height + remember_blocks {
            let block = world.seal(vec![used(1), used(2), heartbeat()]).clone();
            let outcomes: Vec<Outcome> = receipts(&block).map(|(_, receipt)| receipt.outcome).take(2).collect();
            let expected = [ReasonCode::Duplicate, ReasonCode::Conflict].map(rejected);
            assert_eq!(outcomes, expected, "height {}, used at {first_height}", world.height());
        }
        assert_eq!(world.height(), first_height + remember_blocks);
        assert_eq!(world.submit(used(2)).outcome, Outcome::Applied, "forgotten at height {}", world.height());
        // Within one block the second use is a repetition, too.
        let fresh = |units| with_id(transfer("alice", "bob", units), "new");
        let block = world.seal(vec![fresh(1), fresh(1), fresh(2)]).clone();
        let expected = [ReasonCode::Duplicate, ReasonCode::Conflict].map(rejected);
        let outcomes: Vec<Outcome> = receipts(&block).map(|(_, receipt)| receipt.outcome).collect();
        assert_eq!(outcomes, [&[Outcome::Applied][..], &expected].concat());
        world.check();
    }
}

/// The widest ids that there are, so that few make a long list.
fn wide(count: usize) -> Vec<Transaction> {
    let (from, pad) = ("a".repeat(128), "x".repeat(123));
    (0..count).map(|n| with_id(transfer(&from, "bob", 1), &format!("{n:05}{pad}"))).collect()
}

#[test]
fn a_list_longer_than_a_record_of_the_log_is_cut_into_chunks_and_forgotten_whole() {
    let mut world = World::new(Parameters { ids_remember_blocks: 1, ..open(10_000) }, &[]);
    let transactions = wide(4_000);
    world.seal(transactions.clone());
    world.check();
    let chunks: Vec<(Vec<u8>, Vec<u8>)> =
        world.state.table(Table::Expiries).map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let keys: Vec<&[u8]> = chunks.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [expiry_key(3, 0), expiry_key(3, 1), expiry_key(3, 2)]);
    // 5 bytes, then 4 + 257 + 32 for each: 1789 of them are the most that 512 KiB hold.
    let sizes: Vec<usize> = chunks.iter().map(|(_, value)| value.len()).collect();
    assert_eq!(sizes, [1_789, 1_789, 422].map(|count| 5 + 293 * count));
    let mut listed = Vec::new();
    for (key, value) in &chunks {
        visit_chunk(key, value, |id_key, body| listed.push((id_key.to_vec(), body))).unwrap();
    }
    let used: Vec<(Vec<u8>, Hash)> =
        transactions.iter().map(|of| (id_key(&of.from, of.id.as_ref().unwrap()), of.body_hash())).collect();
    assert_eq!(listed, used, "in the order of the block");

    let block = world.seal(vec![transactions[3_999].clone(), transfer("carol", "bob", 1)]).clone();
    let outcomes: Vec<Outcome> = receipts(&block).map(|(_, receipt)| receipt.outcome).collect();
    assert_eq!(outcomes, [rejected(ReasonCode::Duplicate), Outcome::Applied]);
    assert_eq!(world.submit(transactions[3_999].clone()).outcome, Outcome::Applied);
    let left = |world: &World, table| world.state.table(table).count();
    assert_eq!((left(&world, Table::Expiries), left(&world, Table::Ids)), (1, 1), "all others are gone");
    world.check();
}

#[test]
fn the_root_commits_to_every_remembered_id_and_to_its_body() {
    let root = |units, id: &str| {
        let mut world = World::new(open(1_000), &[]);
        // Whatever differs leaves the same balances.
        world.seal(vec![with_id(transfer("alice", "alice", units), id)]).header.state_root
    };
    assert_eq!(root(1, "x"), root(1, "x"));
    assert_ne!(root(1, "x"), root(2, "x"), "another body under one id");
    assert_ne!(root(1, "x"), root(1, "y"), "another id");
}

#[test]
fn a_table_of_ids_that_is_not_what_the_lists_say_is_found() {
    let mut world = World::new(open(1_000), &[]);
    world.seal(vec![with_id(transfer("alice", "bob", 1), "x"), with_id(transfer("alice", "bob", 1), "y")]);
    world.seal(vec![with_id(transfer("carol", "bob", 1), "x")]);
    assert_eq!(audit_ids(&world.state).unwrap(), 3);
    let key = |from: &str, id: &str| id_key(&name(from), &Id::new(id).unwrap());
    let value = |key: &[u8]| {
        let mut value = Vec::new();
        assert!(world.state.get(Table::Ids, key, &mut value).unwrap());
        value
    };
    type Damage<'d> = Box<dyn Fn(&mut Changes) + 'd>;
    let damages: Vec<(&str, Damage<'_>)> = vec![
        ("an id is lost", Box::new(|changes| changes.delete(Table::Ids, &key("alice", "y")))),
        ("an id is added", Box::new(|changes| changes.put(Table::Ids, &key("bob", "y"), &value(&key("carol", "x"))))),
        ("another height", Box::new(|changes| changes.put(Table::Ids, &key("carol", "x"), &value(&key("alice", "x"))))),
        (
            "another body",
            Box::new(|changes| {
                let mut other = value(&key("carol", "x"));
                *other.last_mut().unwrap() ^= 1;
                changes.put(Table::Ids, &key("carol", "x"), &other);
            }),
        ),
        (
            "one id stands for another",
            Box::new(|changes| {
                changes.put(Table::Ids, &key("alice", "z"), &value(&key("alice", "y")));
                changes.delete(Table::Ids, &key("alice", "y"));
            }),
        ),
        ("a list is lost", Box::new(|changes| changes.delete(Table::Expiries, &expiry_key(10_002, 0)))),
        (
            "lists are exchanged",
            Box::new(|changes| {
                for (from, to) in [(10_002, 10_003), (10_003, 10_002)] {
                    let mut list = Vec::new();
                    assert!(world.state.get(Table::Expiries, &expiry_key(from, 0), &mut list).unwrap());
                    changes.put(Table::Expiries, &expiry_key(to, 0), &list);
                }
            }),
        ),
    ];
    for (what, damage) in damages {
        let mut changes = Changes::new();
        damage(&mut changes);
        let mut damaged = world.clone();
        damaged.state.apply(&changes);
        let found = audit_ids(&damaged.state);
        assert!(matches!(found, Err(Error::State(StateError::Ids { .. }))), "{what}: {found:?}");
    }
}

#[test]
fn an_id_that_is_listed_twice_does_not_hide_one_that_is_listed_nowhere() {
    let mut world = World::new(open(1_000), &[]);
    world.seal(vec![with_id(transfer("alice", "bob", 1), "x")]);
    let (id_key, list_key) = (id_key(&name("alice"), &Id::new("x").unwrap()), expiry_key(10_002, 0));
    let (mut list, mut id) = (Vec::new(), Vec::new());
    world.state.get(Table::Expiries, &list_key, &mut list).unwrap();
    world.state.get(Table::Ids, &id_key, &mut id).unwrap();
    let mut changes = Changes::new();
    let twice = [&[1, 2, 0, 0, 0][..], &list[5..], &list[5..]].concat();
    changes.put(Table::Expiries, &list_key, &twice);
    changes.put(Table::Ids, b"\x05mallory", &id);
    world.state.apply(&changes);
    let found = audit_ids(&world.state);
    assert!(matches!(&found, Err(Error::State(StateError::Corrupt { table: "ids", .. }))), "{found:?}");
}

#[test]
fn lists_that_no_chain_leaves_are_found() {
    let mut world = World::new(open(1_000), &[]);
    world.seal(vec![with_id(transfer("alice", "bob", 1), "x")]);
    let mut list = Vec::new();
    world.state.get(Table::Expiries, &expiry_key(10_002, 0), &mut list).unwrap();
    // Over when it was written; used in a block to come; chunks with a gap; a key too long.
    let (early, late) = (expiry_key(1, 0), expiry_key(10_003, 0));
    let keys: [&[u8]; 4] = [&early, &late, &expiry_key(10_002, 2), &[0; 13]];
    for key in keys {
        let mut changes = Changes::new();
        changes.put(Table::Expiries, key, &list);
        let mut damaged = world.clone();
        damaged.state.apply(&changes);
        let found = audit_ids(&damaged.state);
        assert!(matches!(&found, Err(Error::State(StateError::Corrupt { table: "expiries", .. }))), "{found:?}");
    }
}
