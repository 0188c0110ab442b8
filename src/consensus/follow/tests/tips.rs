//! The last block of a topic, and the state that it should have left behind.

use super::*;
use crate::consensus::Fault;
use crate::ledger::state;

fn check(chain: &Chain, replica: &Replica, block: &Block) -> Result<(), TipMismatch> {
    check_tip(replica, &chain.genesis, &Scheme::of(&chain.genesis).unwrap(), block)
}

/// A replica of the chain's state whose tip says something else.
fn with_tip(chain: &Chain, alter: impl Fn(&mut Tip)) -> Replica {
    let mut tip = state::tip(&chain.state).unwrap().unwrap();
    alter(&mut tip);
    let mut changes = Changes::new();
    changes.put_tip(&tip);
    let mut state = chain.state.clone();
    state.apply(&changes);
    Replica::load(&state).unwrap().unwrap()
}

#[test]
fn a_state_is_what_each_block_of_its_chain_left_behind() {
    for faults in [&[][..], &[("validator-1", Fault::Equivocate), ("validator-3", Fault::AlterAmount)]] {
        let mut chain = Chain::new(faults);
        for _ in 0..25 {
            let replica = Replica::load(&chain.state).unwrap().unwrap();
            assert_eq!(check(&chain, &replica, chain.blocks.last().unwrap()), Ok(()), "{}", chain.height());
            chain.run(1);
        }
        let slashed = chain.blocks.iter().any(|block| block.header.round() > 0);
        assert_eq!(slashed, !faults.is_empty(), "blocks that slash were among them");
    }
}

#[test]
fn another_block_and_another_chain_are_told_apart() {
    let chain = chain(4);
    let mismatch = check(&chain, &chain.replica, &chain.blocks[3]).unwrap_err();
    assert!(matches!(mismatch, TipMismatch::OtherBlock { state: 4, topic: 3, .. }), "{mismatch}");
    let mut twin = chain.blocks[4].clone();
    twin.header.time_ms += 1;
    let mismatch = check(&chain, &chain.replica, &twin).unwrap_err();
    assert!(matches!(mismatch, TipMismatch::OtherBlock { state: 4, topic: 4, .. }), "{mismatch}");
    let elsewhere = Genesis { created_ms: 9, ..genesis() };
    let mut other = Chain::with_keys(elsewhere.clone(), keys());
    other.run(4);
    let mismatch = check(&chain, &chain.replica, &other.blocks[4]).unwrap_err();
    assert!(matches!(mismatch, TipMismatch::OtherChain { .. }), "{mismatch}");
    let scheme = Scheme::of(&elsewhere).unwrap();
    let mismatch = check_tip(&chain.replica, &elsewhere, &scheme, &chain.blocks[4]).unwrap_err();
    assert!(matches!(mismatch, TipMismatch::OtherChain { .. }), "{mismatch}");
}

#[test]
fn whatever_a_state_says_of_its_tip_is_compared() {
    let chain = chain(4);
    let block = chain.blocks.last().unwrap();
    type Alter = fn(&mut Tip);
    let cases: [(&str, Alter); 4] = [
        ("time", |tip| tip.time_ms += 1),
        ("active height", |tip| tip.active_height += 1),
        ("history", |tip| tip.history.append(Hash([1; 32]))),
        ("next seed", |tip| tip.seed = Hash([1; 32])),
    ];
    for (name, alter) in cases {
        match check(&chain, &with_tip(&chain, alter), block) {
            Err(TipMismatch::Field { field, height: 4, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let moved = with_tip(&chain, |tip| tip.hash = Hash([1; 32]));
    assert!(matches!(check(&chain, &moved, block), Err(TipMismatch::OtherBlock { .. })));
    let elsewhere = with_tip(&chain, |tip| tip.genesis = Hash([1; 32]));
    assert!(matches!(check(&chain, &elsewhere, block), Err(TipMismatch::OtherChain { .. })));
}

#[test]
fn a_block_with_the_right_hash_and_another_seal_or_body_is_not_taken_for_the_tip() {
    let mut chain = Chain::new(&[("validator-2", Fault::Equivocate)]);
    while chain.blocks.last().unwrap().header.round() == 0 {
        chain.run(1);
    }
    let block = chain.blocks.last().unwrap();
    let with = |alter: &dyn Fn(&mut Block)| {
        let mut altered = block.clone();
        alter(&mut altered);
        check(&chain, &chain.replica, &altered).unwrap_err()
    };
    let seal = |block: &mut Block, alter: &dyn Fn(&mut crate::chain::StakeSeal)| {
        alter(block.seal.as_mut().unwrap().stake_mut().unwrap());
    };
    let before = chain.blocks[1].seal.as_ref().unwrap().stake().unwrap().clone();
    let forged = with(&|block| seal(block, &|seal| seal.attestation = before.attestation));
    assert!(matches!(forged, TipMismatch::Seal { .. }), "{forged}");
    let few = with(&|block| seal(block, &|seal| seal.signers = [0].into_iter().collect()));
    assert!(matches!(few, TipMismatch::Seal { .. }), "{few}");
    // The next seed follows from the reveal, so the state knows another one.
    let reveal = with(&|block| seal(block, &|seal| seal.reveal = before.reveal));
    assert!(matches!(reveal, TipMismatch::Field { field: "next seed", .. }), "{reveal}");
    let unsealed = with(&|block| block.seal = None);
    assert!(matches!(unsealed, TipMismatch::Seal { flaw: crate::consensus::scheme::Flaw::Unsealed, .. }), "{unsealed}");
    let body = with(&|block| drop(block.operations.remove(0)));
    assert!(matches!(body, TipMismatch::Form { .. }), "{body}");
    let hash = with(&|block| block.hash = Hash([1; 32]));
    assert!(matches!(hash, TipMismatch::Form { .. }), "{hash}");
}
