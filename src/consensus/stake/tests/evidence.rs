use super::proof::{Flaw, Offence, equivocation, subject, verify};
use super::*;
use crate::chain::{from_canonical, to_canonical};

fn check(five: &Five, evidence: &Evidence) -> Result<Offence, Flaw> {
    // As it comes from the topic: through its bytes.
    let evidence: Evidence = from_canonical(&to_canonical(evidence)).unwrap();
    verify(&evidence, &CHAIN, &five.roster, &five.stakes)
}

fn two_headers(five: &Five) -> (SignedHeader, SignedHeader) {
    let header = five.header(3, 1, 1);
    let later = Header { time_ms: 1_001, ..header.clone() };
    (five.signed(header, 1), five.signed(later, 1))
}

#[test]
fn two_signed_headers_for_one_turn_convict_their_signer() {
    let five = Five::new();
    let (one, other) = two_headers(&five);
    let evidence = equivocation(one.clone(), other.clone()).unwrap();
    assert_eq!(check(&five, &evidence), Ok(Offence { place: 1, height: 3, round: 1 }));
    assert_eq!(equivocation(other, one.clone()).unwrap().hash(), evidence.hash(), "one offence, one identity");
    assert_eq!(equivocation(one.clone(), one), None);
}

#[test]
fn forged_equivocations_are_refused_with_their_own_reason() {
    let five = Five::new();
    let (one, other) = two_headers(&five);
    let Some(Evidence::Equivocation { first, second }) = equivocation(one, other) else { panic!() };
    let refused = |first: &SignedHeader, second: &SignedHeader| {
        check(&five, &Evidence::Equivocation { first: first.clone(), second: second.clone() }).unwrap_err()
    };
    let (low, high) = (first.header.hash(), second.header.hash());
    assert_eq!(refused(&second, &first), Flaw::Order(high, low));
    assert_eq!(refused(&first, &first), Flaw::Order(low, low), "one header twice is no offence");
    let next_height = five.signed(five.header(4, 1, 1), 1);
    assert_eq!(refused(&first, &next_height), Flaw::Turns(3, 1, 4, 1), "every height has its header");
    let next_round = five.signed(five.header(3, 2, 1), 1);
    assert_eq!(refused(&first, &next_round), Flaw::Turns(3, 1, 3, 2));
    let by_another = five.signed(five.header(3, 1, 2), 2);
    assert_eq!(refused(&first, &by_another), Flaw::Proposers(id("b"), id("c")));
    // Headers that name b but that c signed: c cannot frame b.
    let framed = five.signed(second.header.clone(), 2);
    assert_eq!(refused(&first, &framed), Flaw::Signature(id("b"), high));
    let framed = five.signed(first.header.clone(), 2);
    assert_eq!(refused(&framed, &second), Flaw::Signature(id("b"), low));
    let elsewhere = Header { genesis: Hash([8; 32]), ..second.header.clone() };
    let elsewhere = five.signed(elsewhere, 1);
    assert!(matches!(refused(&first, &elsewhere), Flaw::Chain { .. }));
    assert!(matches!(refused(&elsewhere, &first), Flaw::Chain { .. }));
    let stranger = |signed: &SignedHeader| SignedHeader { header: Five::by(&signed.header, "zed"), ..signed.clone() };
    assert_eq!(refused(&stranger(&first), &stranger(&second)), Flaw::Accused(id("zed")));
}

#[test]
fn a_certificate_of_more_than_two_thirds_of_the_others_convicts() {
    let five = Five::new();
    let signed = five.signed(five.header(3, 0, 0), 0);
    for reason in [RefusalReason::Input, RefusalReason::Execution] {
        // The others hold 950, more than 633 are needed: b, c and d hold 800; c, d and e hold 650.
        for signers in [&[1, 2, 3][..], &[2, 3, 4], &[1, 2, 3, 4]] {
            let evidence = five.refusal(signed.clone(), reason, signers);
            assert_eq!(check(&five, &evidence), Ok(Offence { place: 0, height: 3, round: 0 }));
            assert_eq!(subject(&evidence), &signed);
        }
    }
}

#[test]
fn forged_certificates_are_refused_with_their_own_reason() {
    let five = Five::new();
    let signed = five.signed(five.header(3, 0, 0), 0);
    let reason = RefusalReason::Execution;
    let good = five.refusal(signed.clone(), reason, &[1, 2, 3]);
    let refused = |evidence: &Evidence| check(&five, evidence).unwrap_err();
    type Change<'c> = &'c dyn Fn(&mut SignedHeader, &mut RefusalReason, &mut [u8; 48], &mut Bitmap);
    let with = |change: Change<'_>| {
        let mut evidence = good.clone();
        let Evidence::Refusal { header, reason, signature, signers } = &mut evidence else { panic!() };
        change(header, reason, signature, signers);
        refused(&evidence)
    };
    assert_eq!(refused(&five.refusal(signed.clone(), reason, &[1, 2])), Flaw::TooFew { have: 600, need: 634 });
    assert_eq!(refused(&five.refusal(signed.clone(), reason, &[0, 1, 2])), Flaw::AccusedSigns(id("a")));
    assert_eq!(with(&|_, reason, _, _| *reason = RefusalReason::Input), Flaw::Certificate);
    assert_eq!(with(&|_, _, signature, _| *signature = [0xff; 48]), Flaw::Certificate);
    assert_eq!(with(&|_, _, _, signers| *signers = bitmap(&[1, 2, 4])), Flaw::Certificate);
    assert_eq!(with(&|_, _, _, signers| *signers = bitmap(&[1, 2, 3, 7])), Flaw::Bitmap(5));
    assert_eq!(with(&|_, _, _, signers| *signers = bitmap(&[1, 2, 3, 700])), Flaw::Bitmap(5));
    // The certificate is about a header that the accused signed, and no other.
    let other = five.signed(Header { time_ms: 7, ..signed.header.clone() }, 0);
    assert_eq!(with(&|header, _, _, _| *header = other.clone()), Flaw::Certificate);
    let hash = signed.header.hash();
    assert_eq!(with(&|header, _, _, _| header.signature[9] ^= 1), Flaw::Signature(id("a"), hash));
    // An attestation is no refusal.
    let attestation = five.sum(&[1, 2, 3], &signing::attestation(&hash));
    assert_eq!(with(&|_, _, signature, _| *signature = attestation), Flaw::Certificate);
    assert!(check(&five, &good).is_ok());
}

#[test]
fn an_offender_is_convicted_once() {
    let mut five = Five::new();
    let (one, other) = two_headers(&five);
    let evidence = equivocation(one, other).unwrap();
    let offence = check(&five, &evidence).unwrap();
    assert_eq!(five.stakes.take(offence.place), 300);
    assert_eq!(check(&five, &evidence), Err(Flaw::NoStake(id("b"))), "the same evidence again");
    let refused = five.refusal(five.signed(five.header(9, 0, 1), 1), RefusalReason::Input, &[0, 2, 3]);
    assert_eq!(check(&five, &refused), Err(Flaw::NoStake(id("b"))), "another offence of the same validator");
    let accuser = five.refusal(five.signed(five.header(9, 0, 0), 0), RefusalReason::Input, &[1, 2, 3, 4]);
    assert_eq!(check(&five, &accuser), Err(Flaw::SignerWithoutStake(id("b"))), "and it convicts no other");
}
