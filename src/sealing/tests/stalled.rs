//! Age cuts after a predecessor that may have signed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::process::{World, transfers};
use crate::chain::{Cut, Parameters};

fn ten_per_block() -> Parameters {
    Parameters { block_max_transactions: 10, block_window_ms: 0, block_max_age_ms: 100, ..Parameters::default() }
}

fn cuts(world: &World) -> Vec<(Cut, usize)> {
    world.blocks[1..].iter().map(|block| (block.header.cut, block.entries.len())).collect()
}

#[test]
fn while_input_that_a_predecessor_read_is_still_missing_nothing_is_cut_by_age() {
    for is_new in [true, false] {
        let mut world = World::new(ten_per_block(), None, transfers(15));
        world.deliver(10);
        assert_eq!(world.signed.len(), 2, "block 1 is signed, and its transaction is open");
        world.restart(is_new, 10);
        assert_eq!(world.lost_count, 1);
        // Half of it comes back, and then nothing for a long time.
        world.deliver(5);
        for _ in 0..20 {
            world.wait(1_000);
        }
        assert_eq!(cuts(&world), [], "nothing was decided, nothing signed");
        // The rest comes: the rules cut where they did before, and the header is the one signed then.
        world.deliver(5);
        world.commit();
        assert_eq!(cuts(&world), [(Cut::Transactions, 10)]);
        // What lies behind the end has not been read before: it is cut by age as ever.
        world.deliver(3);
        world.wait(1_000);
        world.commit();
        assert_eq!(cuts(&world), [(Cut::Transactions, 10), (Cut::Age, 3)]);
    }
}

#[test]
fn once_all_of_it_came_back_blocks_are_cut_by_age_as_ever() {
    let mut world = World::new(ten_per_block(), None, transfers(4));
    world.deliver(4);
    world.restart(true, 4);
    world.deliver(3);
    world.wait(1_000);
    assert_eq!(cuts(&world), []);
    world.deliver(1);
    world.wait(10);
    world.commit();
    assert_eq!(cuts(&world), [(Cut::Age, 4)]);
}

/// Deaths, rewinds, stalls and commits at any point: [`World`] refuses a second header for one turn.
#[test]
fn no_turn_ever_gets_a_second_header_whatever_dies_or_stalls() {
    let (mut lost, mut by_age, mut passed) = (0, 0, 0);
    for seed in 0..60u8 {
        let mut random = StdRng::from_seed([seed; 32]);
        let silent = (seed % 2 == 0).then_some("validator-1");
        let mut world = World::new(ten_per_block(), silent, transfers(60));
        for _ in 0..120 {
            match random.random_range(0..10) {
                0..5 => world.deliver(random.random_range(1..15)),
                5..8 => world.wait(random.random_range(0..80)),
                8 => world.commit(),
                _ => {
                    let end = (world.input_end() + random.random_range(0..4)).min(60);
                    world.restart(random.random(), end);
                }
            }
            if random.random_range(0..3) > 0 {
                world.commit_if_asked();
            }
        }
        for _ in 0..200 {
            world.deliver(60);
            world.wait(50);
            world.commit();
        }
        let offsets: Vec<i64> = world.blocks.iter().flat_map(|block| &block.entries).map(|e| e.origin.offset).collect();
        assert_eq!(offsets, (0..60).collect::<Vec<_>>(), "seed {seed}: each record is in exactly one block");
        lost += world.lost_count;
        by_age += cuts(&world).iter().filter(|(cut, _)| *cut == Cut::Age).count();
        passed += world.blocks.iter().filter(|block| block.header.round() > 0).count();
    }
    assert!(lost > 20 && by_age > 20 && passed > 20, "{lost} lost, {by_age} by age, {passed} in later rounds");
}
