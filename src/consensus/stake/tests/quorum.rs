//! Where not enough stake signs, one way or the other.

use std::collections::BTreeSet;

use super::sealer::slashes;
use super::simulated::{Chain, Signed, input};
use super::*;

#[test]
fn where_too_many_are_silent_no_round_passes_and_no_decision_piles_up() {
    let all = ["validator-1", "validator-2", "validator-3", "validator-4", "validator-5"];
    for silent in [&all[..], &all[1..], &all[..2], &[all[0], all[2]]] {
        let faults: Vec<_> = silent.iter().map(|validator| (*validator, Fault::Silent)).collect();
        let mut chain = Chain::new(&faults);
        let stakes = [2000, 1800, 1600, 1400, 1200];
        let awake = all.iter().zip(stakes).filter(|(validator, _)| !silent.contains(validator));
        let present: u64 = awake.map(|(_, stake)| stake).sum();
        for _ in 0..3 {
            let step = chain.call();
            let Step::Waiting { height: 1, round: 0, have, need: 5334 } = step else { panic!("{step:?}") };
            assert_eq!(have, present);
        }
    }
}

#[test]
fn without_a_quorum_the_input_waits_and_is_sealed_by_the_same_header_later() {
    // 2000 + 1600 of 8000 are silent: 4400 sign, 5334 are needed.
    let mut chain = Chain::new(&[("validator-1", Fault::Silent), ("validator-3", Fault::Silent)]);
    let mut held = input(1);
    let step = chain.call_with(&mut held, Cut::Transactions).unwrap();
    let Step::Waiting { height: 1, round, have: 4400, need: 5334 } = step else { panic!("{step:?}") };
    assert_eq!(held, input(1), "the input is held as it was");
    let proposed: BTreeSet<Vec<u8>> = proposals(&chain, round);
    assert_eq!(proposed.len(), 1);
    let votes = |chain: &Chain| votes(chain).len();
    assert_eq!(votes(&chain), 3, "those who are there say so, and it is not enough");
    assert!(matches!(chain.call_with(&mut held, Cut::Transactions).unwrap(), Step::Waiting { .. }));

    chain.faults = vec![(id("validator-3"), Fault::Silent)];
    chain.restart();
    let Step::Sealed(sealed) = chain.call_with(&mut held, Cut::Transactions).unwrap() else { panic!() };
    assert!(held.is_empty(), "and taken when it is sealed");
    assert_eq!(proposals(&chain, round), proposed, "no other header was proposed in the meantime");
    let sealed_hash = signing::proposal(&sealed.block.hash).to_vec();
    assert!(proposed.contains(&sealed_hash));
    chain.commit(*sealed);
    chain.replay();
}

/// Every vote that was ever signed, once each.
fn votes(chain: &Chain) -> BTreeSet<Signed> {
    chain.journal.borrow().iter().filter(|signed| signed.kind == "vote").cloned().collect()
}

fn proposals(chain: &Chain, round: u32) -> BTreeSet<Vec<u8>> {
    let journal = chain.journal.borrow();
    let of_round = journal.iter().filter(|signed| signed.kind == "proposal" && signed.round == round);
    of_round.map(|signed| signed.bytes.clone()).collect()
}

#[test]
fn a_cheat_that_too_few_can_convict_seals_nothing() {
    // Everybody but validator-1 and validator-5 is silent: 1200 of the others' 6000 refuse.
    let mut chain = Chain::new(&[
        ("validator-1", Fault::AlterAmount),
        ("validator-2", Fault::Silent),
        ("validator-3", Fault::Silent),
        ("validator-4", Fault::Silent),
    ]);
    loop {
        match chain.call() {
            Step::NeedDecision(decision) => chain.decisions.push(decision),
            Step::Waiting { have, need, .. } => {
                // Who is drawn first decides which quorum is missed.
                assert!((have, need) == (1200, 4001) || (have, need) == (3200, 5334), "{have}/{need}");
                break;
            }
            Step::Sealed(_) | Step::Unproved(_) => panic!("there is no quorum"),
        }
    }
    assert!(slashes(&chain).is_empty());
}

#[test]
fn when_all_cheat_the_last_one_is_left_without_judges_and_nothing_is_sealed() {
    let all = ["validator-1", "validator-2", "validator-3", "validator-4", "validator-5"];
    let mut chain = Chain::new(&all.map(|validator| (validator, Fault::DropTransaction)));
    match chain.call() {
        Step::Waiting { height: 1, round: 4, have: 0, need: 1 } => {}
        other => panic!("{other:?}"),
    }
    assert!(chain.blocks.len() == 1);
}
