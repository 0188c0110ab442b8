//! What is read of the state when a task starts, and when it only rewinds.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::process::{World, transfers};
use crate::chain::Parameters;
use crate::consensus::follow::{Anchor, Follower};
use crate::ledger::MemoryState;
use crate::ledger::state::Account;

fn ten_per_block() -> Parameters {
    Parameters { block_max_transactions: 10, block_window_ms: 0, ..Parameters::default() }
}

#[test]
fn what_came_from_the_changelogs_is_audited_by_a_new_process_and_after_a_rewind_alike() {
    let rich: (_, &[u8], _) = ("accounts", b"mallory", Account { balance: 7, nonce: 0 }.to_record().unwrap().to_vec());
    let used: (_, &[u8], _) = ("ids", b"\x01xy", [&[1u8][..], &[0; 8], &[7; 32]].concat());
    for (store, key, value) in [rich, used] {
        for is_new in [true, false] {
            let mut world = World::new(ten_per_block(), None, transfers(20));
            world.deliver(10);
            world.commit();
            world.restart(false, 10);
            world.forge_value(store, key, Some(&value));
            world.restart(is_new, 10);
            assert_eq!(world.status().height, None, "the state is rebuilt first");
            world.wait_for_chain();
            world.deliver(11);
            world.commit();
            let mut follower = Follower::new(MemoryState::new(), Anchor::None, StdRng::from_seed([3; 32]));
            world.blocks.iter().for_each(|block| follower.follow(block).unwrap());
            assert_eq!(world.blocks.len(), 3);
        }
    }
}

#[test]
fn a_tree_that_is_ahead_of_the_stores_after_a_rewind_is_built_again() {
    let mut world = World::new(ten_per_block(), None, transfers(30));
    world.deliver(10);
    world.commit();
    for _ in 0..3 {
        // The last sealed record comes first, and is passed over.
        world.deliver(21);
        world.restart(false, 30);
    }
    assert_eq!(world.lost_count, 6);
    world.deliver(21);
    world.commit();
    assert_eq!(world.blocks.len(), 4);
}
