//! Blocks of what is no transaction.

use super::process::{START_MS, Value, World};
use crate::chain::{Cut, Parameters};

/// Each counts a few hundred bytes against the size of a block, and is held whole.
fn large_rubbish(count: usize) -> Vec<Value> {
    (0..count).map(|n| (START_MS + n as i64, vec![b'x'; 900_000])).collect()
}

#[test]
fn records_held_for_the_dead_letters_cut_a_block_before_they_fill_the_memory() {
    let parameters = Parameters { block_window_ms: 0, ..Parameters::default() };
    let mut world = World::new(parameters, None, large_rubbish(60));
    // All at once; the sealer stops taking where the block is cut. It dies before, and after, the decision is
    // committed.
    for round in 0..12 {
        world.deliver(60);
        if round % 3 == 0 {
            world.restart(round % 2 == 0, 60);
        }
        world.commit();
        if round % 3 == 1 {
            world.restart(true, 60);
        }
        world.commit_if_asked();
        world.commit();
    }
    let cuts: Vec<_> = world.blocks[1..].iter().map(|block| (block.header.cut, block.entries.len())).collect();
    // 16 MiB are 18.6 of them, and the record that passes the bound is in the block.
    assert_eq!(cuts, [(Cut::Age, 19); 3]);
}
