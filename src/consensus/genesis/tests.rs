use super::*;
use crate::chain::Hash;
use crate::consensus::stake::draw::draw;
use crate::consensus::stake::tests::simulated::{Chain, genesis};
use crate::ledger::MemoryState;

#[test]
fn a_chain_begins_where_its_genesis_and_nothing_else_puts_it() {
    let Begun { block, replica, changes } = begin(&genesis()).unwrap();
    block.check().unwrap();
    let (tip, hash) = (replica.tip(), genesis().hash());
    assert_eq!((tip.genesis, tip.height, tip.hash), (hash, 0, block.header.hash()));
    assert_eq!(tip.seed, scheme::first_seed(&genesis()));
    let mut state = MemoryState::new();
    state.apply(&changes);
    let loaded = Replica::load(&state).unwrap().unwrap();
    assert_eq!(loaded.tip(), tip, "and the state that it writes is the one it stands for");
}

/// Not a promise but a limit, which `docs/consensus.md` tells: the last author of a genesis can choose its hash among
/// many.
#[test]
fn the_author_of_a_genesis_can_choose_who_is_drawn_first_by_trying() {
    let stakes: Vec<u64> = genesis().validators.iter().map(|validator| validator.stake).collect();
    let first = |created_ms| {
        let genesis = Genesis { created_ms, ..genesis() };
        draw(&genesis.hash(), 1, 0, &scheme::first_seed(&genesis), &stakes).unwrap()
    };
    let found = [0usize, 1, 2, 3, 4].map(|wanted| (0..200).find(|created_ms| first(*created_ms) == wanted));
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

#[test]
fn every_block_of_a_chain_carries_its_genesis_and_the_history_of_those_before() {
    let mut chain = Chain::new(&[]);
    chain.run(9);
    let mut leaves: Vec<Hash> = Vec::new();
    for block in &chain.blocks {
        assert_eq!(block.header.genesis, genesis().hash());
        assert_eq!(block.header.history, crate::chain::merkle::root(leaves.clone()));
        leaves.push(crate::chain::merkle::leaf(block.hash.as_bytes()));
    }
}
