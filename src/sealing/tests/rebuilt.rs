//! A state that is not the chain's is rebuilt from the blockchain topic, or refused; and where input goes on does not
//! depend on the group.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::process::{World, transfers};
use crate::chain::check::transactions_root;
use crate::chain::{Block, Content, Hash, Parameters};
use crate::consensus::follow::{Anchor, Follower};
use crate::ledger::state::{Account, Table, Tip};
use crate::ledger::{Changes, MemoryState, Replica};

fn ten_per_block() -> Parameters {
    Parameters { block_max_transactions: 10, block_window_ms: 0, ..Parameters::default() }
}

/// Two blocks of ten are sealed, ten records wait.
fn world() -> World {
    let mut world = World::new(ten_per_block(), None, transfers(30));
    world.deliver(20);
    world.commit();
    assert_eq!(world.blocks.len(), 3);
    world
}

/// What the blocks lead to, as anybody finds who follows them; the chain must be intact.
fn follow(blocks: &[Block]) -> (MemoryState, Replica) {
    let mut follower = Follower::new(MemoryState::new(), Anchor::None, StdRng::from_seed([3; 32]));
    blocks.iter().for_each(|block| follower.follow(block).unwrap());
    follower.conclude(None).unwrap();
    follower.into_parts().unwrap()
}

/// All the rest is sealed, every record of the input is in exactly one block, and the chain holds.
fn assert_goes_on(mut world: World) {
    world.wait_for_chain();
    world.deliver(30);
    world.deliver(30);
    world.commit();
    let offsets: Vec<i64> =
        world.blocks.iter().flat_map(|block| &block.entries).map(|entry| entry.origin.offset).collect();
    assert_eq!(offsets, (0..30).collect::<Vec<_>>());
    let (state, _) = follow(&world.blocks);
    assert!(state.table(Table::Accounts).all(|(name, _)| name == b"alice" || name == b"bob"));
}

#[test]
fn records_forged_in_the_changelogs_are_not_adopted_though_sum_and_root_agree() {
    let mut world = world();
    let (_, replica) = follow(&world.blocks);
    let mut forged = Changes::new();
    let account = |balance| Account { balance, nonce: 0 }.to_record().unwrap();
    forged.put(Table::Accounts, b"dave", &account(-1_000_000));
    forged.put(Table::Accounts, b"mallory", &account(1_000_000));
    let state_root = replica.tree().update(forged.to_tree()).unwrap().root();
    forged.put_tip(&Tip { state_root, ..replica.tip().clone() });
    world.forge(&forged);
    world.restart(true, 20);
    assert_goes_on(world);
}

#[test]
fn a_tip_forged_in_any_field_is_not_adopted() {
    let (_, replica) = follow(&world().blocks);
    let tip = replica.tip().clone();
    let forged = [
        Tip { hash: Hash::of(b"another"), ..tip.clone() },
        Tip { time_ms: tip.time_ms + 1, ..tip.clone() },
        Tip { seed: Hash::of(b"drawn as I like"), ..tip.clone() },
        Tip { active_height: tip.active_height + 1, ..tip.clone() },
        Tip { height: tip.height - 1, ..tip.clone() },
        Tip { history: replica.tip().history.with(tip.hash), ..tip.clone() },
    ];
    for tip in forged {
        let mut world = world();
        let mut changes = Changes::new();
        changes.put_tip(&tip);
        world.forge(&changes);
        world.restart(true, 20);
        assert_goes_on(world);
    }
}

#[test]
fn with_any_of_its_tables_lost_or_all_of_them_the_state_comes_back_from_the_blocks() {
    let tables = Table::ALL.map(|table| vec![table]);
    for lost in tables.into_iter().chain([Table::ALL.to_vec()]) {
        let mut world = world();
        let (state, _) = follow(&world.blocks);
        let mut changes = Changes::new();
        for table in &lost {
            state.table(*table).for_each(|(key, _)| changes.delete(*table, key));
        }
        world.forge(&changes);
        world.restart(true, 20);
        assert_goes_on(world);
    }
}

/// Commits of a rebuilding until it is done or this many were made. Returns how many were.
fn write_rebuilt(world: &mut World, commit_count_max: usize) -> usize {
    let mut commit_count = 0;
    while commit_count < commit_count_max && world.status().rebuilding.is_some() {
        if world.step() {
            commit_count += 1;
        } else {
            std::thread::yield_now();
        }
    }
    commit_count
}

#[test]
fn a_process_that_dies_after_any_commit_of_a_rebuilt_state_leaves_none_and_the_next_begins_anew() {
    let damaged = || {
        let mut world = world();
        let mut changes = Changes::new();
        changes.put(Table::Accounts, b"mallory", &Account { balance: 7, nonce: 0 }.to_record().unwrap());
        for table in [Table::Coverage, Table::Validators, Table::Chain] {
            let (state, _) = follow(&world.blocks);
            state.table(table).for_each(|(key, _)| changes.delete(table, key));
        }
        world.forge(&changes);
        world.restart(true, 20);
        world
    };
    let whole = write_rebuilt(&mut damaged(), usize::MAX);
    assert!(whole > 3, "the tip goes, the rest comes in pieces, and the tip comes: {whole} commits");
    for deaths in 1..whole {
        let mut world = damaged();
        assert_eq!(write_rebuilt(&mut world, deaths), deaths);
        world.restart(true, 20);
        let (state, _) = follow(&world.blocks);
        let (key, _) = state.table(Table::Tip).next().unwrap();
        assert_eq!(world.stored(Table::Tip.name(), key), None, "what is half written has no tip: {deaths} of {whole}");
        assert_goes_on(world);
    }
}

#[test]
fn a_state_that_is_behind_the_topic_is_rebuilt_and_one_that_is_ahead_is_refused() {
    let mut behind = world();
    let (state, _) = follow(&behind.blocks[..2]);
    let (newer, _) = follow(&behind.blocks);
    let mut changes = Changes::new();
    for table in Table::ALL {
        newer.table(table).for_each(|(key, _)| changes.delete(table, key));
        state.table(table).for_each(|(key, value)| changes.put(table, key, value));
    }
    behind.forge(&changes);
    behind.restart(true, 20);
    assert_goes_on(behind);

    for left in [0, 1, 2] {
        let mut ahead = world();
        ahead.topic.0.lock().unwrap().truncate(left);
        let refusal = ahead.try_restart(true, 20).unwrap_err().to_string();
        assert!(refusal.contains("the state ends at height 2") && refusal.contains("lost blocks"), "{refusal}");
    }
}

#[test]
fn a_chain_on_the_topic_that_does_not_hold_is_not_built_upon() {
    let mut world = world();
    let mut blocks = world.topic.0.lock().unwrap().clone();
    let Content::Transaction { receipt, .. } = &mut blocks[1].entries[3].content else { panic!("a stub") };
    receipt.to_balance += 1;
    blocks[1].header.transactions_root = transactions_root(&blocks[1].entries);
    blocks[1].hash = blocks[1].header.hash();
    *world.topic.0.lock().unwrap() = blocks;
    let (state, _) = follow(&world.blocks);
    let mut changes = Changes::new();
    state.table(Table::Tip).for_each(|(key, _)| changes.delete(Table::Tip, key));
    world.forge(&changes);
    world.restart(true, 20);
    let refusal = loop {
        match world.try_wait(100) {
            Ok(()) => std::thread::yield_now(),
            Err(error) => break error.to_string(),
        }
    };
    assert!(refusal.contains("is broken") && refusal.contains("height 1"), "{refusal}");
}

#[test]
fn wherever_the_groups_offsets_are_moved_nothing_is_skipped_and_nothing_sealed_twice() {
    for offset in [0, 3, 19, 20, 21, 25, 30] {
        let mut world = world();
        world.move_offset(offset);
        world.restart(true, 30);
        assert_goes_on(world);
    }
}

#[test]
fn another_record_in_the_place_of_the_last_sealed_one_stops_the_run_before_anything_is_signed() {
    let mut world = world();
    world.delete_input();
    world.input[19].1 = br#"{"from":"mallory","to":"bob","amount":1}"#.to_vec();
    world.restart(true, 30);
    world.events.take();
    let refusal = world.try_deliver(30).unwrap_err().to_string();
    assert!(refusal.contains("made anew"), "{refusal}");
    assert!(world.events.take().is_empty());
}

#[test]
fn an_input_that_ends_before_what_is_sealed_is_refused_at_once() {
    let mut world = world();
    world.delete_input();
    let refusal = world.try_restart(true, 5).unwrap_err().to_string();
    assert!(refusal.contains("made anew"), "{refusal}");
}

#[test]
fn a_chain_is_noted_before_its_block_0_leaves_and_before_its_block_1_is_signed() {
    let mut world = World::new(ten_per_block(), None, transfers(10));
    world.deliver(10);
    world.commit();
    assert_eq!(world.events.take(), ["founding", "block 0", "founded", "block 1"]);
    // A later process cannot know whether the one before came to note it.
    world.restart(true, 10);
    assert_eq!(world.events.take(), ["founded"]);
}

#[test]
fn what_a_changelog_brings_into_stores_without_a_chain_does_not_become_part_of_one() {
    let begin = |changes: &Changes| World::try_new(ten_per_block(), None, transfers(30), changes);
    let mut changes = Changes::new();
    changes.put(Table::Accounts, b"mallory", &Account { balance: 1_000, nonce: 0 }.to_record().unwrap());
    let refusal = begin(&changes).err().unwrap().to_string();
    assert!(refusal.contains("something else than a chain's state") && refusal.contains("reset"), "{refusal}");
    assert_goes_on(begin(&Changes::new()).unwrap());
}
