//! Decisions that are lost, or forged, after something was signed that followed from what was decided.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::process::{World, transfers};
use crate::chain::{Cut, Operation, Parameters};
use crate::consensus::Decision;
use crate::consensus::follow::{Anchor, Follower};
use crate::ledger::state::Table;
use crate::ledger::{Changes, MemoryState};

const AGE_MS: i64 = 1_000;

fn world() -> World {
    let parameters = Parameters {
        block_max_transactions: 10,
        block_window_ms: 0,
        block_max_age_ms: AGE_MS as u64,
        ..Parameters::default()
    };
    World::new(parameters, None, transfers(30))
}

fn follow(world: &World) -> MemoryState {
    let mut follower = Follower::new(MemoryState::new(), Anchor::None, StdRng::from_seed([3; 32]));
    world.blocks.iter().for_each(|block| follower.follow(block).unwrap());
    follower.into_parts().unwrap().0
}

/// All that was sent is sealed, each record once, and no turn has two headers: the world looks at each block that is
/// made.
fn assert_goes_on(mut world: World) {
    world.wait_for_chain();
    for _ in 0..12 {
        world.deliver(30);
        world.wait(AGE_MS);
    }
    world.commit();
    let offsets: Vec<i64> =
        world.blocks.iter().flat_map(|block| &block.entries).map(|entry| entry.origin.offset).collect();
    assert_eq!(offsets, (0..30).collect::<Vec<_>>());
    follow(&world);
    let first = &world.blocks[1];
    assert_eq!(first.header.round(), 1, "the turn passes in which there is a header already");
    assert!(matches!(first.operations[0], Operation::Missed { round: 0, .. }), "{:?}", first.operations);
}

#[test]
fn no_turn_has_two_headers_where_decisions_were_lost_behind_what_was_signed() {
    // The decisions alone, as where their changelog was deleted; and all of the state, as after a reset.
    for is_all_lost in [false, true] {
        let mut world = world();
        world.deliver(5);
        world.wait(AGE_MS);
        assert!(world.signed.contains_key(&(1, 0)) && world.blocks.len() == 1, "signed, and not committed");
        world.forge_value("decisions", &Decision::Cut { height: 1, cut: Cut::Age, through_offset: 4 }.key(), None);
        if is_all_lost {
            let (state, mut changes) = (follow(&world), Changes::new());
            for table in Table::ALL {
                state.table(table).for_each(|(key, _)| changes.delete(table, key));
            }
            world.forge(&changes);
        }
        world.restart(true, 30);
        assert_goes_on(world);
    }
}

#[test]
fn no_turn_has_two_headers_where_a_forger_has_a_block_end_earlier_than_it_was_signed() {
    let mut world = world();
    world.deliver(10);
    assert!(world.signed.contains_key(&(1, 0)) && world.blocks.len() == 1, "signed, and not committed");
    let forged = Decision::Cut { height: 1, cut: Cut::Age, through_offset: 4 };
    world.forge_value("decisions", &forged.key(), Some(&forged.value()));
    world.restart(true, 30);
    assert_goes_on(world);
}

#[test]
fn nothing_passes_where_the_same_is_signed_again() {
    let mut world = world();
    world.deliver(5);
    world.wait(AGE_MS);
    world.restart(true, 30);
    world.deliver(30);
    world.wait(AGE_MS);
    world.commit();
    assert_eq!((world.blocks[1].header.round(), world.blocks[1].entries.len()), (0, 5));
}
