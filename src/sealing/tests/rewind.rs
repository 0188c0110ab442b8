//! What is read of the state when a task starts, and when it only rewinds.

use topology::store::Stores;

use super::process::{START_MS, World, transfers};
use crate::chain::Parameters;
use crate::ledger::state::Account;

fn ten_per_block() -> Parameters {
    Parameters { block_max_transactions: 10, block_window_ms: 0, ..Parameters::default() }
}

/// Writes something to a store past the sealer.
fn write(table: &'static str, key: &'static [u8], value: Vec<u8>) -> impl Fn(&mut Stores) {
    move |stores| {
        let store = stores.specs().iter().position(|spec| spec.name == table).unwrap();
        stores.put(store, key, &value).unwrap();
        let position = stores.meta(store).map_or(0, |meta| meta.position);
        stores.commit(&[(store, position + 1)], START_MS).unwrap();
    }
}

#[test]
fn a_new_process_audits_the_state_and_a_rewind_does_not_read_it_again() {
    let rich = || write("accounts", b"mallory", Account { balance: 7, nonce: 0 }.to_record().unwrap().to_vec());
    let used = || write("ids", b"\x01xy", [&[1u8][..], &[0; 8], &[7; 32]].concat());
    for damage in [&rich as &dyn Fn() -> _, &used] {
        let world = || {
            let mut world = World::new(ten_per_block(), None, transfers(20));
            world.deliver(10);
            world.commit();
            world
        };
        let mut restarted = world();
        restarted.try_restart(true, 10, damage()).unwrap();
        assert_eq!(restarted.status().height, None, "the state is rebuilt first");

        // A rewind relies on what was audited before, or what the process itself has written.
        let mut rewound = world();
        rewound.restart(false, 10);
        rewound.try_restart(false, 10, damage()).unwrap();
        assert_eq!(rewound.status().height, Some(1));
        rewound.deliver(11);
        rewound.commit();
        assert_eq!(rewound.blocks.len(), 3, "nothing was lost, so the tree is the one that was kept");
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
