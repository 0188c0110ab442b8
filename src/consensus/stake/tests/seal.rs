use proptest::prelude::*;

use super::*;
use crate::consensus::stake::seal::{Claims, Flaw, Standing, claims, verify, verify_many};

fn standing(five: &Five, height: u64) -> Standing<'_> {
    Standing { genesis: &CHAIN, height, roster: &five.roster, stakes: &five.stakes }
}

fn check(five: &Five, height: u64, header: &Header, seal: &StakeSeal) -> Result<(), Flaw> {
    verify(&standing(five, height), header, &header.hash(), seal)
}

#[test]
fn a_seal_of_more_than_two_thirds_holds_and_of_exactly_two_thirds_does_not() {
    let five = Five::new();
    let header = five.header(3, 0, 1);
    // 1350 in all: more than 900 are needed. b, c, d and e hold 950; a, b and d hold 900.
    assert_eq!(check(&five, 3, &header, &five.seal(&header, &[1, 2, 3, 4])), Ok(()));
    let exactly = five.seal(&header, &[0, 1, 3]);
    assert_eq!(check(&five, 3, &header, &exactly), Err(Flaw::TooFew { have: 900, need: 901 }));
    let mut none = five.seal(&header, &[0]);
    none.signers = Bitmap::default();
    assert_eq!(check(&five, 3, &header, &none), Err(Flaw::TooFew { have: 0, need: 901 }));
}

#[test]
fn every_forgery_of_a_seal_is_refused_with_its_own_reason() {
    let five = Five::new();
    let header = five.header(3, 1, 1);
    let good = five.seal(&header, &[0, 1, 2, 3]);
    let refused = |change: &dyn Fn(&mut StakeSeal)| {
        let mut seal = good.clone();
        change(&mut seal);
        check(&five, 3, &header, &seal).unwrap_err()
    };
    assert_eq!(refused(&|seal| seal.signature[7] ^= 1), Flaw::Signature(id("b")));
    assert_eq!(refused(&|seal| seal.signature = five.signed(header.clone(), 2).signature), Flaw::Signature(id("b")));
    assert_eq!(refused(&|seal| seal.reveal = [0xff; 48]), Flaw::Reveal(id("b")));
    assert_eq!(refused(&|seal| seal.reveal = five.seal(&five.header(3, 0, 1), &[0]).reveal), Flaw::Reveal(id("b")));
    assert_eq!(refused(&|seal| seal.attestation = [0xff; 48]), Flaw::Attestation);
    assert_eq!(refused(&|seal| seal.attestation = seal.reveal), Flaw::Attestation);
    // The bitmap claims more, fewer and other signers than signed.
    assert_eq!(refused(&|seal| seal.signers = bitmap(&[0, 1, 2, 3, 4])), Flaw::Attestation);
    assert_eq!(refused(&|seal| seal.signers = bitmap(&[0, 1, 2])), Flaw::Attestation);
    assert_eq!(refused(&|seal| seal.signers = bitmap(&[0, 1, 2, 4])), Flaw::Attestation);
    assert_eq!(refused(&|seal| seal.signers = bitmap(&[0, 1, 2, 5])), Flaw::Bitmap { place: 5, count: 5 });
    assert_eq!(refused(&|seal| seal.signers = bitmap(&[0, 1, 2, 3, 60_000])), Flaw::Bitmap { place: 60_000, count: 5 });
    assert_eq!(check(&five, 3, &header, &good), Ok(()));
}

#[test]
fn one_signature_counted_twice_seals_nothing() {
    let five = Five::new();
    let header = five.header(3, 0, 1);
    // a and b sign, a twice, so that the sum looks like three signatures; the bitmap claims c for the third.
    let mut seal = five.seal(&header, &[0, 0, 1]);
    seal.signers = bitmap(&[0, 1, 2]);
    assert_eq!(check(&five, 3, &header, &seal), Err(Flaw::Attestation));
}

#[test]
fn a_seal_replayed_at_another_height_or_on_another_chain_is_refused() {
    let five = Five::new();
    let header = five.header(3, 0, 1);
    let seal = five.seal(&header, &[0, 1, 2]);
    assert_eq!(check(&five, 4, &header, &seal), Err(Flaw::Height { expected: 4, found: 3 }));
    let mut moved = header.clone();
    moved.height = 4;
    assert_eq!(
        check(&five, 4, &moved, &seal),
        Err(Flaw::Signature(id("b"))),
        "the signatures are for the other header"
    );
    let mut other = header.clone();
    other.genesis = Hash([8; 32]);
    let sealed_there = five.seal(&other, &[0, 1, 2]);
    let expected = Flaw::Chain { expected: CHAIN, found: Hash([8; 32]) };
    assert_eq!(check(&five, 3, &other, &sealed_there), Err(expected));
    assert_eq!(check(&five, 3, &header, &sealed_there), Err(Flaw::Signature(id("b"))));
}

#[test]
fn a_slashed_validator_neither_counts_nor_signs() {
    let mut five = Five::new();
    let header = five.header(3, 1, 1);
    let seal = five.seal(&header, &[0, 1, 2]);
    five.stakes.take(0);
    assert_eq!(check(&five, 3, &header, &seal), Err(Flaw::NoStake(id("a"))));
    // 950 are left: 634 are needed, c, d and e hold 650.
    assert_eq!(check(&five, 3, &header, &five.seal(&header, &[2, 3, 4])), Ok(()));
}

#[test]
fn a_proposer_that_is_no_validator_is_refused() {
    let five = Five::new();
    let header = five.header(3, 0, 1);
    let seal = five.seal(&header, &[0, 1, 2]);
    let stranger = Five::by(&header, "zed");
    assert_eq!(check(&five, 3, &stranger, &seal), Err(Flaw::Proposer(id("zed"))));
}

fn many(five: &Five, count: u64) -> Vec<Claims> {
    let signers: [&[u16]; 3] = [&[0, 1, 2, 3, 4], &[0, 1, 2], &[0, 1, 3, 4]];
    (0..count)
        .map(|height| {
            let header = five.header(height, 0, (height % 5) as usize);
            let seal = five.seal(&header, signers[(height % 3) as usize]);
            claims(&standing(five, height), &header, &header.hash(), &seal).unwrap()
        })
        .collect()
}

#[test]
fn many_heights_at_once_give_the_answer_of_each_alone() {
    let five = Five::new();
    let good = many(&five, 23);
    assert_eq!(verify_many(&good), Ok(()));
    assert!(good.iter().all(|seal| seal.clone().decide().is_ok()));
    assert_eq!(verify_many(&[]), Ok(()));
    for bad in [0, 1, 11, 12, 21, 22] {
        for forge in [forge_signature, forge_reveal, forge_attestation] {
            let mut seals = many(&five, 23);
            let flaw = forge(&mut seals, bad);
            assert_eq!(seals[bad].clone().decide(), Err(flaw.clone()));
            assert_eq!(verify_many(&seals), Err((bad, flaw.clone())));
            // A second bad one further on does not hide the first.
            forge_attestation(&mut seals, 22);
            let first = if bad == 22 { seals[22].clone().decide().unwrap_err() } else { flaw };
            assert_eq!(verify_many(&seals), Err((bad, first)));
        }
    }
}

#[test]
fn forgeries_that_cancel_each_other_do_not_pass_together() {
    let five = Five::new();
    let mut seals = many(&five, 8);
    let (left, right) = seals.split_at_mut(4);
    left[1].swap_attestation_signatures(&mut right[1]);
    assert_eq!(verify_many(&seals), Err((1, Flaw::Attestation)));
}

fn forge_signature(seals: &mut [Claims], at: usize) -> Flaw {
    Flaw::Signature(seals[at].break_signature())
}

fn forge_reveal(seals: &mut [Claims], at: usize) -> Flaw {
    Flaw::Reveal(seals[at].break_reveal())
}

fn forge_attestation(seals: &mut [Claims], at: usize) -> Flaw {
    seals[at].break_attestation();
    Flaw::Attestation
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    prop::collection::vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_from_outside_make_a_seal_or_a_panic(
        signature in bytes::<64>(), reveal in bytes::<48>(), attestation in bytes::<48>(),
        signers in prop::collection::vec(any::<u8>(), 0..40), keep in 0u8..8,
    ) {
        let five = Five::new();
        let header = five.header(3, 0, 1);
        let good = five.seal(&header, &[0, 1, 2, 3]);
        let part = |bit: u8| keep & bit != 0;
        let seal = StakeSeal {
            signature: if part(1) { good.signature } else { signature },
            reveal: if part(2) { good.reveal } else { reveal },
            attestation: if part(4) { good.attestation } else { attestation },
            signers: Bitmap::from_bytes(signers).unwrap_or_else(|| good.signers.clone()),
        };
        let genuine = seal == good;
        prop_assert_eq!(check(&five, 3, &header, &seal).is_ok(), genuine);
    }
}
