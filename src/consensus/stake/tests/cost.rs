//! What a sealed block costs in curve arithmetic, which is most of what sealing costs.

use super::simulated::{Chain, genesis, input, keys};
use super::*;
use crate::consensus::Stretch;
use crate::consensus::bls::count;
use crate::consensus::stake::sealer::Sealer;
use crate::ledger::Signature;

#[test]
fn a_block_of_a_committee_in_one_process_costs_two_signatures_and_no_check_however_many_validators_there_are() {
    let mut chain = Chain::new(&[]);
    let mut sealer = Sealer::local(&genesis(), keys(), &[]).unwrap();
    for _ in 0..5 {
        let mut entries = input(chain.height());
        let signatures = vec![Signature::Absent; entries.len()];
        let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: Cut::Transactions };
        count::reset();
        let step = sealer.seal(&chain.state, &chain.replica, stretch, &[]).unwrap();
        assert_eq!((count::signed(), count::verified()), (2, 0), "the reveal, and the attestation of all five");
        let Step::Sealed(sealed) = step else { panic!("{step:?}") };
        assert_eq!(sealed.block.seal.as_ref().unwrap().stake().unwrap().signers, bitmap(&[0, 1, 2, 3, 4]));
        chain.commit(*sealed);
    }
    chain.replay();
}

#[test]
fn a_conviction_costs_one_signature_more_than_the_cheats_own() {
    let mut chain = Chain::new(&[]);
    // The first one to be drawn drops a transaction.
    let Step::Sealed(honest) = chain.call() else { panic!() };
    let first = honest.block.header.proposer().unwrap().clone();
    let mut sealer = Sealer::local(&genesis(), keys(), &[(first, Fault::DropTransaction)]).unwrap();
    let mut entries = input(1);
    let signatures = vec![Signature::Absent; entries.len()];
    let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: Cut::Transactions };
    count::reset();
    let Step::Sealed(sealed) = sealer.seal(&chain.state, &chain.replica, stretch, &[]).unwrap() else { panic!() };
    assert_eq!(sealed.reports.len(), 1);
    assert_eq!((count::signed(), count::verified()), (4, 0), "a reveal and a refusal; a reveal and an attestation");
}

#[test]
fn one_party_of_five_validators_makes_the_chain_that_five_parties_of_one_make() {
    let mut apart = Chain::new(&[("validator-2", Fault::AlterAmount), ("validator-4", Fault::Equivocate)]);
    apart.run(12);
    let mut chain = Chain::new(&[]);
    let faults = [(id("validator-2"), Fault::AlterAmount), (id("validator-4"), Fault::Equivocate)];
    let mut together = Sealer::local(&genesis(), keys(), &faults).unwrap();
    while chain.blocks.len() < apart.blocks.len() {
        let mut entries = input(chain.height());
        let signatures = vec![Signature::Absent; entries.len()];
        let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: Cut::Transactions };
        let step = together.seal(&chain.state, &chain.replica, stretch, &[]).unwrap();
        let Step::Sealed(sealed) = step else { panic!("{step:?}") };
        chain.commit(*sealed);
    }
    assert_eq!(chain.blocks, apart.blocks);
}
